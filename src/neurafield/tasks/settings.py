"""Settings of a fit: defaults, and how a resumed run finds its own again."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from ..errors import FieldFileError
from ..fit import read_settings

FIXED = ("arch", "params", "levels", "quantity", "truncation", "seed")
"""Settings that cannot change when a run is resumed."""

BOUNDS = ("steps", "time", "target_psnr")
"""Settings that end a run."""


@dataclass(frozen=True)
class Settings:
    """Settings of a fit. None stands for the default of the architecture or of the input.

    Args:
        arch: Name of the architecture, as `neurafield compare --list` prints them.
        params: Number of parameters of the field, at least 1.
        levels: True to train every level of detail, not only the last.
        quantity: Value of a shape's field: `"sdf"`, `"tsdf"`, `"occupancy"` or `"udf"`.
        truncation: Distance at which `"tsdf"` is cut off. The longest edge of the shape's box
            is 1.8.
        seed: Seed of the initial parameters and of the sampling. None is 0.
        lr: Learning rate.
        steps: Number of steps after which the run stops.
        time: Seconds of fitting after which the run stops.
        target_psnr: PSNR in dB at which the run stops.
        threads: Number of processor threads, for the whole process.
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

    def resumed(self, checkpoint: Path) -> "Settings":
        """These settings over those that an interrupted run was started with.

        New bounds replace all of the old ones, so that a limit can be lifted.

        Raises:
            FieldFileError: If the checkpoint was not written by `fit_file`, or a setting that
                cannot change differs.
        """
        started = read_settings(checkpoint)
        if started.keys() != {field.name for field in dataclasses.fields(Settings)}:
            raise FieldFileError(
                f"{checkpoint}: expected a checkpoint of a file's fit, got one of another run. "
                "Start a new run (--force)."
            )
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
