"""What kinds of input to `neurafield fit` differ in; the course of a fit is the same for all."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from .. import architectures
from ..fit import Problem

Advance = Callable[[float], None]


@dataclass(frozen=True)
class Settings:
    """What the user asked for; None is where the default shall decide."""

    arch: str | None = None
    params: int | None = None
    levels: bool | None = None
    quantity: str | None = None
    truncation: float | None = None
    seed: int = 0
    lr: float | None = None
    steps: int | None = None
    time: float | None = None
    target_psnr: float | None = None
    threads: int | None = None


class AbstractTask(ABC):
    """An input that was read, and what a fit of it needs."""

    figures: ClassVar[tuple[str, ...]]
    """Which measured figures are told, in this order."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of everything in the input."""

    @abstractmethod
    def completed(self, settings: Settings) -> Settings:
        """With the defaults that only this kind has; refuses options that make no sense."""

    @abstractmethod
    def plan(self, settings: Settings) -> architectures.Plan:
        """A field, and how to train it."""

    @abstractmethod
    def problem(self, plan: architectures.Plan, settings: Settings) -> Problem:
        """What is asked of the field; with `settings.levels`, at every level of detail."""

    @abstractmethod
    def spec(self, settings: Settings) -> dict[str, Any]:
        """What the field file keeps of the input."""

    @abstractmethod
    def measure(
        self, field: nn.Module, settings: Settings, advance: Advance | None
    ) -> dict[str, Any]:
        """How good the field is, as JSON values."""

    @abstractmethod
    def summary(self, figures: dict[str, Any]) -> list[str]:
        """The measured figures in words."""

    def doubt(self, figures: dict[str, Any]) -> str:
        """What the user should know of figures that are poor, and what helps; or ""."""
        return ""
