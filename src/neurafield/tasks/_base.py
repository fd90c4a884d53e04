"""The interface that each kind of input implements for `neurafield fit`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from .. import architectures
from ..fit import Problem
from .settings import Settings

Advance = Callable[[float], None]
"""Function that is called with the finished share of the work, from 0 to 1."""


class AbstractTask(ABC):
    """An input that was read, and everything that fitting a field to it needs.

    Args:
        path: File that was read.
    """

    figures: ClassVar[tuple[str, ...]]
    """Names of the figures of quality, in the order in which they are reported."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def fingerprint(self) -> str:
        """Hash of everything in the input."""

    @abstractmethod
    def with_defaults(self, settings: Settings) -> Settings:
        """Settings with the defaults that only this kind of input has.

        Raises:
            ArgumentError: If a setting does not apply to this kind of input.
        """

    def notices(self, settings: Settings) -> list[str]:
        """Sentences about the input that the user should read before the fit starts."""
        return []

    @abstractmethod
    def plan(self, settings: Settings) -> architectures.Plan:
        """A field with its initial parameters, and how to train it."""

    @abstractmethod
    def problem(self, plan: architectures.Plan, settings: Settings) -> Problem:
        """Constraints on the field; with `settings.levels`, on every level of detail."""

    @abstractmethod
    def spec(self, settings: Settings) -> dict[str, Any]:
        """JSON values that the field file keeps of the input."""

    @abstractmethod
    def measure(
        self, field: nn.Module, settings: Settings, advance: Advance | None
    ) -> dict[str, Any]:
        """Figures of quality as JSON values."""

    @abstractmethod
    def summary(self, figures: dict[str, Any]) -> list[str]:
        """The figures of quality in words, a few words per figure; else "not measured"."""

    def warning(self, figures: dict[str, Any]) -> str:
        """A sentence about poor figures and what helps; "" if they are good."""
        return ""
