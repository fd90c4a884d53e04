"""How a fit ended."""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Result:
    """How a fit ended. The field itself was changed in place.

    Args:
        status: `"steps"`, `"time"` or `"target_psnr"` (the limit that stopped it),
            `"interrupted"`, or `"diverged"`; the field is then as at the last good checkpoint.
        step: Number of steps done.
        seconds: Time spent, over all resumed parts.
        loss: Loss of the last good step; NaN if there was none, as in a run resumed at its end.
        skipped: Number of steps skipped because a loss or gradient was not finite.
        rollbacks: Number of returns to a checkpoint.
        message: Sentence for a fit that diverged: which term, and what to do; else "".
        unknowns: Final values of what was trained beside the field, under the name of the term,
            a dot and the parameter's own, such as `"heat.k"`. `neurafield.save` takes them.
    """

    status: str
    step: int
    seconds: float
    loss: float
    skipped: int
    rollbacks: int
    message: str = ""
    unknowns: dict[str, Tensor] = field(default_factory=dict)
