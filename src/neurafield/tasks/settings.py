"""Settings of a fit: defaults, and how a resumed run finds its own again."""

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..architectures import ARCHITECTURES
from ..errors import ArgumentError, FieldFileError
from ..fit import read_settings
from ..shapes import implicit_kind
from ..shapes.implicit_kind import KINDS

FIXED = ("arch", "params", "levels", "quantity", "truncation", "seed")
"""Settings that cannot change when a run is resumed."""

BOUNDS = ("steps", "time", "target_psnr")
"""Settings that end a run."""

_COUNTS = {"params": (1, 2**40), "seed": (0, 2**63 - 1), "steps": (0, 2**40), "threads": (1, 1024)}
"""Smallest and largest value of each setting that is a whole number."""

_NUMBERS = ("truncation", "lr", "time", "target_psnr")
"""Settings that are finite numbers above zero."""


@dataclass(frozen=True)
class Settings:
    """Settings of a fit. None, and nothing else, stands for the default.

    The default is that of the architecture or of the input.

    Args:
        arch: Name of the architecture, as `neurafield compare --list` prints them.
        params: Number of parameters of the field, from 1 to 2^40.
        levels: True to train every level of detail, False for only the last.
        quantity: Value of a shape's field: `"sdf"`, `"tsdf"`, `"occupancy"` or `"udf"`.
        truncation: Distance at which `"tsdf"` is cut off. The longest edge of the shape's box
            is 1.8.
        seed: Seed of the initial parameters and of the sampling. From 0 to 2^63 - 1; None
            is 0.
        lr: Learning rate, above 0.
        steps: Number of steps after which the run stops, from 0 to 2^40.
        time: Seconds of fitting after which the run stops.
        target_psnr: PSNR in dB at which the run stops.
        threads: Number of processor threads, for the whole process, from 1 to 1024.

    Raises:
        ArgumentError: If a setting has the wrong type or is out of range.

    Example:
        >>> Settings(lr=0)
        Traceback (most recent call last):
        neurafield.errors.ArgumentError: fit: expected lr to be a finite number above 0, got 0.
    """

    arch: str | None = None
    params: int | None = None
    levels: bool | None = None
    quantity: str | None = None
    truncation: float | None = None
    seed: int | None = None
    lr: float | None = None
    steps: int | None = None
    time: float | None = None
    target_psnr: float | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in vars(self).items() if value is not None}
        for name, kind in (("arch", str), ("quantity", str), ("levels", bool)):
            if name in given and not isinstance(given[name], kind):
                raise ArgumentError(
                    f"fit: expected {name} to be a {kind.__name__}, got {given[name]!r}."
                )
        if self.quantity not in (None, *KINDS):
            raise ArgumentError(
                f"fit: expected quantity to be {', '.join(KINDS)}, got {self.quantity!r}."
            )
        for name, (low, high) in _COUNTS.items():
            if name in given and not (type(given[name]) is int and low <= given[name] <= high):
                raise ArgumentError(
                    f"fit: expected {name} to be a whole number from {low} to {high}, got "
                    f"{given[name]!r}."
                )
        for name in _NUMBERS:
            if name in given and not _is_positive(given[name]):
                raise ArgumentError(
                    f"fit: expected {name} to be a finite number above 0, got {given[name]!r}."
                )

    def resumed(self, checkpoint: Path) -> "Settings":
        """These settings over those that an interrupted run was started with.

        New bounds replace all of the old ones, so that a limit can be lifted.

        Raises:
            FieldFileError: If the checkpoint was not written by `fit_file`, a setting in it is
                out of range, or a setting that cannot change differs.
        """
        started = read_settings(checkpoint)
        if started.keys() != {field.name for field in dataclasses.fields(Settings)}:
            raise FieldFileError(
                f"{checkpoint}: expected a checkpoint of a file's fit, got one of another run. "
                "Start a new run (--force)."
            )
        _check_started(checkpoint, started)
        given = {name: value for name, value in vars(self).items() if value is not None}
        for name in FIXED:
            if name in given and given[name] != started[name]:
                raise FieldFileError(
                    f"{checkpoint}: expected {name} {started[name]}, which the run was started "
                    f"with, got {given[name]}. Leave it out, or start a new run (--force)."
                )
        if any(name in given for name in BOUNDS):
            started |= dict.fromkeys(BOUNDS)
        return Settings(**{**started, **given})


def _is_positive(value: object) -> bool:
    """True for a positive int or float that a float can hold."""
    if not isinstance(value, float | int) or isinstance(value, bool):
        return False
    return 0 < value <= sys.float_info.max


def _check_started(checkpoint: Path, started: dict[str, Any]) -> None:
    """Require settings in a checkpoint that a run can have been started with."""
    try:
        settings = Settings(**started)
        if settings.arch not in (None, *ARCHITECTURES):
            raise ArgumentError(
                f"fit: expected the name of an architecture, got {settings.arch!r}."
            )
        if settings.quantity is not None:
            implicit_kind(settings.quantity, settings.truncation)
    except ArgumentError as error:
        raise FieldFileError(f"{checkpoint}: {error} Start a new run (--force).") from error
