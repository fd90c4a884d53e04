"""Limits of a fit: steps, time, PSNR."""

from dataclasses import dataclass

from .._checks import check_count, check_positive


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a fit, which stops at the first one that it reaches.

    Args:
        steps: Number of steps; None for no limit.
        time: Seconds of fitting, over all resumed parts; None for no limit.
        target_psnr: PSNR in dB, measured on all samples; None for no limit.

    Raises:
        ValueError: If there is no limit, or one is out of range.

    Example:
        >>> Limits(steps=200).fraction(step=50, seconds=9.0)
        0.25
    """

    steps: int | None = None
    time: float | None = None
    target_psnr: float | None = None

    def __post_init__(self) -> None:
        if self.steps is None and self.time is None and self.target_psnr is None:
            raise ValueError("fit: expected steps, time or target_psnr, got none of them.")
        if self.steps is not None:
            check_count("fit", steps=self.steps, low=0, high=2**40)
        bounds = {"time": self.time, "target_psnr": self.target_psnr}
        check_positive(
            "fit", **{name: value for name, value in bounds.items() if value is not None}
        )

    def fraction(self, *, step: int, seconds: float) -> float:
        """Part of the run that is done, by steps or by time, in [0, 1]."""
        by_steps = step / self.steps if self.steps else 0.0
        by_time = seconds / self.time if self.time else 0.0
        return min(1.0, max(by_steps, by_time))
