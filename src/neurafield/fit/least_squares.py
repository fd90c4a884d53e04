"""Conjugate gradients for problems that are linear in the parameters."""

import math
import time as clock
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count, check_positive
from .batch import Batch
from .problem import Constraint, Problem, squared_constraints
from .progress import Callback, Progress
from .result import Result
from .trained import Trained, check_leaves

_PART = 2**16
_AFFINE = 1e-3


def least_squares(
    field: nn.Module,
    problem: Problem,
    *,
    steps: int = 1000,
    tolerance: float = 1e-6,
    probes: int = 0,
    time: float | None = None,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] | None = None,
) -> Result:
    r"""Minimises the loss over parameters in which all predictions are affine.

    Conjugate gradients on the normal equations $A^\top A\, \delta = A^\top r$, where $r$ are the
    residuals of all samples and $A$ their derivatives with respect to the parameters. $A$ is
    never formed: its products are a forward and a backward pass, which keep activations of all
    samples. If several solutions are equally good, the result is the one nearest to the initial
    parameters.

    Args:
        field: Field to change in place. The unknowns are all parameters that require a gradient, in
            the field and in modules of the problem. Those of a `SplineGrid` should be
            `encodings.multilevel`.
        problem: Constraints with the loss `mse`. All samples are used, or the first batch of a
            constraint that has a `batch_size`.
        steps: Number of steps after which to stop.
        tolerance: Ratio of the gradient's norm to the first one at which to stop.
        probes: Number of random vectors from which the scale of each unknown, $(A^\top A)_{jj}$,
            is estimated; 0 leaves the unknowns unscaled. 16 pay off if constraints of different
            kinds determine different parts of the field. Each costs half a step.
        time: Seconds after which to stop.
        callbacks: Functions called with a `Progress` after each step.
        should_stop: Function called before each step; if it returns true, the run ends.

    Returns:
        The result, with status "tolerance", "steps", "time" or "interrupted". Parameters and loss
        are those of the last step.

    Raises:
        ValueError: If a prediction is not affine in the parameters (they then keep their initial
            values), or there are no parameters to find.

    Example:
        >>> from neurafield.networks import Linear
        >>> from neurafield.signals import Samples
        >>> points = Samples(torch.tensor([[-0.5], [0.5]]), torch.tensor([[1.0], [2.0]]))
        >>> line = Linear(1, 1)
        >>> least_squares(line, Constraint(signal=points)).status
        'tolerance'
        >>> [round(p.item(), 4) for p in line.parameters()]
        [1.0, 1.5]

    Reference:
        Hestenes and Stiefel, Methods of Conjugate Gradients for Solving Linear Systems, 1952,
        section 10, known as CGLS. Probes: Bekas, Kokiopoulou and Saad, An Estimator for the
        Diagonal of a Matrix, Applied Numerical Mathematics 2007, equation 2.
    """
    check_count("least_squares", steps=steps, high=2**40)
    check_count("least_squares", low=0, probes=probes)
    check_positive("least_squares", tolerance=tolerance, **({} if time is None else {"time": time}))
    started = clock.perf_counter()
    constraints = squared_constraints("least_squares", problem, hint="Use fit for others.")
    trained = Trained(field, constraints)
    trained.check("least_squares")
    unknowns = [parameter for parameter in trained.parameters() if parameter.requires_grad]
    system = _System(trained, constraints, unknowns)
    residual = system.residual
    start = [unknown.detach().clone() for unknown in unknowns]
    found = [torch.zeros_like(unknown) for unknown in unknowns]
    scales = system.scales(probes)
    downhill = system.transposed(residual)
    direction = [s * g for s, g in zip(scales, downhill, strict=True)]
    slope = first = _dot(downhill, direction)
    status, step = "steps", 0
    while step < steps and slope > tolerance**2 * first:
        if time is not None and clock.perf_counter() - started >= time:
            status = "time"
            break
        if should_stop is not None and should_stop():
            status = "interrupted"
            break
        change = system.times(direction)
        length = slope / _dot(change, change)
        found = [f + length * d for f, d in zip(found, direction, strict=True)]
        residual = [r - length * c for r, c in zip(residual, change, strict=True)]
        downhill = system.transposed(residual)
        scaled = [s * g for s, g in zip(scales, downhill, strict=True)]
        slope, before = _dot(downhill, scaled), slope
        direction = [g + (slope / before) * d for g, d in zip(scaled, direction, strict=True)]
        step += 1
        terms = system.terms(residual)
        progress = Progress(
            step=step,
            # Each step reduces the gradient by roughly the same factor.
            fraction=min(1.0, max(step / steps, _digits(slope, first) / -math.log10(tolerance))),
            seconds=clock.perf_counter() - started,
            loss=system.loss(terms),
            terms=terms,
            psnr=None,
            learning_rate=length,
            skipped=0,
            rollbacks=0,
        )
        for callback in callbacks:
            callback(progress)
    else:
        status = "tolerance" if slope <= tolerance**2 * first else "steps"
    _assign(unknowns, [begin + way for begin, way in zip(start, found, strict=True)])
    try:
        system.check_affine(field, residual)
    except ValueError:
        _assign(unknowns, start)
        raise
    return Result(
        status=status,
        step=step,
        seconds=clock.perf_counter() - started,
        loss=system.loss(system.terms(residual)),
        skipped=0,
        rollbacks=0,
        unknowns=trained.snapshot(),
    )


class _System:
    """Weighted residuals of all samples, and products with their derivatives."""

    def __init__(
        self, trained: Trained, constraints: list[Constraint], unknowns: list[nn.Parameter]
    ) -> None:
        self.constraints = constraints
        self.unknowns = unknowns
        self.owners: list[Constraint] = []
        predictions, targets = self._predict(trained.field)
        self.predictions = predictions
        if not any(prediction.requires_grad for prediction in predictions):
            raise ValueError(
                "least_squares: expected predictions that depend on the parameters, got none."
            )
        for constraint, prediction in zip(self.owners, predictions, strict=True):
            check_leaves("least_squares", constraint, prediction, trained)
        self.residual = [
            target - prediction.detach()
            for target, prediction in zip(targets, predictions, strict=True)
        ]
        # The backward pass is linear in its seeds, so its derivative is the product with A.
        self._seeds = [torch.zeros_like(p).requires_grad_() for p in predictions]
        self._backward = torch.autograd.grad(
            predictions, unknowns, self._seeds, create_graph=True, materialize_grads=True
        )

    def _predict(self, field: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
        self.owners = []
        predictions, targets = [], []
        for stream, constraint in enumerate(self.constraints):
            batch = Batch.draw(
                "least_squares", constraint, constraint.batch_size, seed=0, step=0, stream=stream
            )
            scale = math.sqrt(constraint.weight / batch.target.numel())
            for query, target, _ in batch.parts(_PART, self.unknowns[0]):
                self.owners.append(constraint)
                predictions.append(scale * batch.predict(field, query, target))
                targets.append(scale * target)
        return predictions, targets

    def times(self, direction: Sequence[Tensor]) -> list[Tensor]:
        """Product of A with a change of the parameters: the change of all predictions."""
        return list(
            torch.autograd.grad(
                self._backward, self._seeds, direction, retain_graph=True, materialize_grads=True
            )
        )

    def transposed(self, residual: Sequence[Tensor]) -> list[Tensor]:
        """Product of the transpose of A with residuals: minus half the gradient of the loss."""
        return list(
            torch.autograd.grad(
                self.predictions, self.unknowns, residual, retain_graph=True, materialize_grads=True
            )
        )

    def scales(self, probes: int) -> list[Tensor]:
        """Reciprocal of the estimated diagonal of A^T A; ones without probes."""
        if not probes:
            return [torch.ones_like(unknown) for unknown in self.unknowns]
        generator = torch.Generator().manual_seed(0)
        found = [torch.zeros_like(unknown) for unknown in self.unknowns]
        for _ in range(probes):
            signs = [
                torch.randint(0, 2, part.shape, generator=generator).to(part) * 2 - 1
                for part in self.predictions
            ]
            for total, felt in zip(found, self.transposed(signs), strict=True):
                total += felt.square() / probes
        # The second term keeps the scale of parameters that hardly matter from being the largest.
        return [1 / (total + 1e-3 * total.mean() + 1e-30) for total in found]

    def terms(self, residual: Sequence[Tensor]) -> dict[str, float]:
        """Unweighted loss of each constraint."""
        sums = {constraint.name: 0.0 for constraint in self.constraints}
        for constraint, part in zip(self.owners, residual, strict=True):
            sums[constraint.name] += part.square().sum().item() / constraint.weight
        return sums

    def loss(self, terms: dict[str, float]) -> float:
        """Weighted sum over the constraints."""
        return sum(constraint.weight * terms[constraint.name] for constraint in self.constraints)

    def check_affine(self, field: nn.Module, expected: Sequence[Tensor]) -> None:
        """Checks that the residuals are those that the initial derivatives predict."""
        with torch.no_grad():
            predictions, targets = self._predict(field)
        found = [t - p for t, p in zip(targets, predictions, strict=True)]
        error = [a - b for a, b in zip(found, expected, strict=True)]
        scale = max(_dot(self.residual, self.residual), _dot(targets, targets))
        if not _dot(error, error) <= _AFFINE**2 * scale:
            raise ValueError(
                "least_squares: expected predictions affine in the parameters, got others. Turn "
                "requires_grad off for all but such parameters, or use fit."
            )


@torch.no_grad()
def _assign(unknowns: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for unknown, value in zip(unknowns, values, strict=True):
        unknown.copy_(value)


def _dot(x: Sequence[Tensor], y: Sequence[Float[Tensor, "..."]]) -> float:
    return sum((a * b).sum().item() for a, b in zip(x, y, strict=True))


def _digits(slope: float, first: float) -> float:
    return 0.0 if slope <= 0 or first <= 0 else math.log10(first / slope) / 2
