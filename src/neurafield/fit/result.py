"""Results of fits."""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Result:
    """Result of a fit. The field itself was changed in place.

    Args:
        status: Reason why the fit ended: `"steps"`, `"time"` or `"target_psnr"` if it reached that
            limit, `"tolerance"` (`least_squares`), `"interrupted"`, or `"diverged"`. After
            `"diverged"` the field is that of the last good checkpoint.
        step: Number of steps done.
        seconds: Time spent, over all resumed parts.
        loss: Loss of the last good step; NaN if there was none, as in a run resumed at its end.
        skipped: Number of steps skipped because a loss or gradient was not finite.
        rollbacks: Number of returns to a checkpoint.
        message: Sentence that names the failed term and a remedy, if the fit diverged; else "".
        unknowns: Final values of the unknowns that were trained with the field. Their names are
            the term's, a dot and the parameter's, such as `"heat.k"`. `neurafield.save` takes them.
    """

    status: str
    step: int
    seconds: float
    loss: float
    skipped: int
    rollbacks: int
    message: str = ""
    unknowns: dict[str, Tensor] = field(default_factory=dict)
