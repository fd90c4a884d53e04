"""One training step of a SIREN 2-256-256-256-256-1 on 65,536 points, Adam included."""

from collections.abc import Callable

import torch

from neurafield import Field
from neurafield.fit import Constraint, fit
from neurafield.networks import Siren
from recipes.siren_camera import camera

from .contenders import EagerSiren, full_batch_step, siren_pytorch
from .harness import alternate, write_result

STEPS_A_TURN = 2


def main() -> None:
    """Compare the public `fit` with eager torch and siren-pytorch."""
    torch.manual_seed(0)
    signal = camera()
    coords, target = signal.batch(None, seed=0, step=0)
    field = Field(Siren(2, 1, width=256, depth=4))
    eager = full_batch_step(EagerSiren(), coords, target)
    package = full_batch_step(siren_pytorch(), coords, target)

    def ours() -> None:
        fit(field, Constraint(signal=signal), steps=STEPS_A_TURN)

    def repeat(step: Callable[[], float]) -> Callable[[], object]:
        return lambda: [step() for _ in range(STEPS_A_TURN)]

    figures = alternate(
        {
            "neurafield fit, 2 steps": ours,
            "eager torch, 2 steps": repeat(eager),
            "siren-pytorch 0.1.7, 2 steps": repeat(package),
        },
        rounds=7,
    )
    write_result("siren_step", figures)


if __name__ == "__main__":
    main()
