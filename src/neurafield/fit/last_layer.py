"""Direct solution for the last layer of a field: a linear least-squares problem."""

import contextlib
import copy
import warnings
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count, check_positive
from ..derivatives import Jet
from ..derivatives.operators import root_along
from ..errors import KernelNotice
from ..fields.field import Field
from ..maps import AbstractMap
from ..signals import Query
from .batch import Batch
from .linearise import linearise, pairs
from .problem import Constraint, Problem, squared_constraints, terms_of
from .trained import Trained

_AFFINE = 1e-6
"""Tolerance of the loss against its prediction, relative to the loss of a last layer of zeros."""


class NormalEquations:
    r"""Linear least squares in float64: the $z$ that minimises $\sum w |A z - b|^2$.

    Rows are added in parts. Only $A^\top A$ and $A^\top b$ are kept, so there may be any number of
    rows.

    Args:
        num_unknowns: Number of columns of A.
        num_sides: Number of columns of b, each with a solution of its own.
    """

    def __init__(self, num_unknowns: int, num_sides: int = 1) -> None:
        self.gram = torch.zeros(num_unknowns, num_unknowns, dtype=torch.float64)
        self.right = torch.zeros(num_unknowns, num_sides, dtype=torch.float64)
        self.constant = 0.0

    def add(
        self, rows: Float[Tensor, "n p"], right: Float[Tensor, "n s"], weight: float = 1.0
    ) -> None:
        """Adds the weighted squares of some rows."""
        block = 512
        for start in range(0, rows.shape[1], block):
            # The lower triangle only, for half of the products.
            part = rows[:, start : start + block]
            self.gram[start:, start : start + block].addmm_(rows[:, start:].mT, part, alpha=weight)
        self.right.addmm_(rows.mT, right, alpha=weight)
        self.constant += weight * float(right.square().sum())

    def solve(self, ridge: float) -> Float[Tensor, "p s"]:
        r"""The least-squares solution.

        Args:
            ridge: Term added to the diagonal after all columns were scaled to norm 1. With 1e-12
                the solution is as good as float64 normal equations allow.

        Raises:
            ValueError: If columns are so nearly dependent that the ridge is too small.
        """
        size = self.gram.diagonal().sqrt()
        # The unknown of a column of zeros becomes 0.
        scale = torch.where(size > 0, 1 / size, torch.zeros_like(size))
        scaled = self.gram.tril() * scale * scale[:, None]
        scaled.diagonal().copy_(torch.ones_like(size) + ridge)
        factor, failed = torch.linalg.cholesky_ex(scaled)
        if failed:
            raise ValueError(
                f"NormalEquations: expected independent columns, got some that depend on the "
                f"others to within {ridge:g}. Raise the ridge."
            )
        return scale[:, None] * torch.cholesky_solve(scale[:, None] * self.right, factor)

    def loss(self, solution: Float[Tensor, "p s"]) -> float:
        """Weighted sum of squares at a solution, to about 1e-14 of the sum at zero."""
        product = self.gram.tril() @ solution
        product += self.gram.tril(-1).mT @ solution
        left = (solution * (product - 2 * self.right)).sum()
        return max(0.0, self.constant + float(left))


def design(
    field: Field, map: AbstractMap, x: Float[Tensor, "n d"], *, name: str = "design"
) -> tuple[Float[Tensor, "n m c w"], Float[Tensor, "n m"]]:
    """A map's prediction as an affine function of the field's last layer.

    Args:
        field: Field in float64.
        map: Map that is affine in the field's values and derivatives at the points.
        x: Points.
        name: Name of the map in errors.

    Returns:
        Derivatives of the m values predicted at each point with respect to each weight of the last
        layer and, at the last index, its bias; and the prediction of a last layer of zeros.

    Raises:
        ValueError: If the map is not affine, or the field does not end in an affine layer.
    """
    slope, offset = linearise(map, x, field.out_dim, name=name)
    with torch.no_grad():
        hidden = _hidden(field, x, slope)
        return torch.einsum("nmpc,npj->nmcj", slope, hidden), offset


def solve_last_layer(
    field: nn.Module, problem: Problem, *, seed: int = 0, ridge: float = 1e-12, block: int = 1024
) -> float:
    r"""Sets a field's last layer to the weights and biases that minimise the loss of a problem.

    For squared errors of maps that are affine in the field's values and derivatives (the
    identity, derivatives, residuals of linear equations), this is a linear least-squares problem.
    It is solved by normal equations in float64; all other parameters stay as they are.

    Use when an equation is linear and a wide hidden layer, even an untrained one, can express the
    solution: one solve does what takes an optimizer thousands of steps. Fails when there are many
    channels and units: q = channels * (units + 1) unknowns need $16 q^2$ bytes, and $q^2$
    operations per residual.

    Args:
        field: A `Field` whose network is a `Siren` or an `MLP`.
        problem: Constraints with the loss `mse`; batches are those of step 0.
        seed: Seed of the batches.
        ridge: Ridge of `NormalEquations.solve`; larger values keep weights smaller.
        block: Number of points at a time.

    Returns:
        The loss of the solution in float64: the weighted sum of the constraints' mean squared
        errors. A field in float32 stores the solution rounded, and its own loss may be larger.

    Raises:
        ValueError: If a loss is not `mse`, a map is not affine up to the solution, a prediction
            has another shape than its target, or the field does not end in an affine layer.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> field = Field(networks.Siren(1, 1, width=64, depth=1, omega_0=6.0, generator=g))
        >>> x = Interior(Box.cube(1), lambda x: x.exp(), num_points=100)
        >>> solve_last_layer(field, Constraint(signal=x)) < 1e-9
        True

    Reference:
        Dong and Li, Local Extreme Learning Machines and Domain Decomposition for Solving Linear
        and Nonlinear Partial Differential Equations, CMAME 2021, section 2.1: random hidden
        layers, and a least-squares solution for the last one.
    """
    check_count("solve_last_layer", block=block)
    check_positive("solve_last_layer", ridge=ridge)
    if not isinstance(field, Field):
        raise ValueError(
            f"solve_last_layer: expected a Field, an encoding and a network, got "
            f"{type(field).__name__}. Values on a boundary can be a constraint instead."
        )
    unknown = Trained(field, terms_of("solve_last_layer", problem)).unknowns()
    if unknown:
        raise ValueError(
            f"solve_last_layer: expected problems whose only unknown is the last layer, got "
            f"{', '.join(unknown)}. Use fit, or turn its requires_grad off."
        )
    exact = copy.deepcopy(field).double().requires_grad_(False)
    last = last_layer(field)
    unknowns = NormalEquations(field.out_dim * (last.in_features + 1))
    like = next(exact.parameters())
    hint = "Use fit for others."
    batches = [
        Batch.draw(
            "solve_last_layer",
            constraint,
            constraint.batch_size,
            seed=seed,
            step=0,
            stream=stream,
        )
        for stream, constraint in enumerate(
            squared_constraints("solve_last_layer", problem, hint=hint)
        )
    ]
    for batch in batches:
        constraint = batch.constraint
        with _quietly():
            batch.check_first(exact, like)
        for x, wanted, _ in batch.parts(block, like):
            points = _points(constraint, x)
            rows, offset = design(exact, constraint.map, points, name=constraint.name)
            unknowns.add(
                rows.flatten(2).flatten(0, 1),
                (wanted.reshape(offset.shape) - offset).reshape(-1, 1),
                constraint.weight / batch.target.numel(),
            )
    solution = unknowns.solve(ridge).reshape(field.out_dim, -1)
    set_last_layer(exact, solution)
    loss = 0.0
    for batch in batches:
        for x, wanted, _ in batch.parts(block, like):
            error = float((_predict(batch, exact, x, wanted) - wanted).square().sum())
            loss += batch.constraint.weight / batch.target.numel() * error
    predicted = unknowns.loss(solution.reshape(-1, 1))
    if not abs(loss - predicted) <= _AFFINE * unknowns.constant + 1e-3 * predicted:
        raise ValueError(
            f"solve_last_layer: expected maps that are affine up to the solution, got a loss of "
            f"{loss:.3g} there instead of {predicted:.3g}. Take an optimizer instead, Gauss-Newton "
            "for one."
        )
    set_last_layer(field, solution)
    return loss


def _points(constraint: Constraint, query: Query) -> Tensor:
    if not isinstance(query, Tensor):
        raise ValueError(
            f"solve_last_layer: expected points from constraint {constraint.name!r}, got "
            f"{type(query).__name__}. Use fit for others."
        )
    return query


def _predict(batch: Batch, exact: Field, x: Query, wanted: Tensor) -> Tensor:
    with _quietly():
        return batch.predict(exact, x, wanted)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Turns off gradients and the notice that the compiled kernels have no float64."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", KernelNotice)
        yield


def last_layer(field: Field) -> nn.Linear:
    """The last layer of a field.

    Raises:
        ValueError: If the network does not end in an affine layer.
    """
    layers = getattr(field.network, "layers", None)
    if not hasattr(field.network, "hidden_jet") or not isinstance(layers, nn.ModuleList):
        raise ValueError(
            f"solve_last_layer: expected a network that ends in an affine layer, Siren or MLP, "
            f"got {type(field.network).__name__}."
        )
    last = layers[-1]
    assert isinstance(last, nn.Linear)
    return last


@torch.no_grad()
def set_last_layer(field: Field, values: Float[Tensor, "c w"]) -> None:
    """Sets a field's last layer to weights and, in the last column, biases."""
    last = last_layer(field)
    last.weight.copy_(values[:, :-1])
    last.bias.copy_(values[:, -1])


def _hidden(
    field: Field, x: Float[Tensor, "n d"], slope: Float[Tensor, "n m p c"]
) -> Float[Tensor, "n p w"]:
    """The last hidden layer and those derivatives, in `Taylor`'s order, that a slope needs."""
    dim = x.shape[1]
    needed = slope.abs().amax((0, 1, 3)) > 0 if slope.numel() else slope.new_ones(slope.shape[2])
    mixed = [pair for pair in pairs(dim)[dim:] if needed[1 + dim + pairs(dim).index(pair)]]
    unit = torch.eye(dim).to(x)
    directions = torch.stack([*unit, *(unit[i] + unit[j] for i, j in mixed)])
    root = Jet.root(x, unit[:0])
    if bool(needed[1 + dim :].any()):
        root = root_along(x, directions)
    network: torch.nn.Module = field.network
    lifted = root if field.encoding is None else field.encoding.jet(root)
    found = network.hidden_jet(lifted)  # type: ignore[operator]
    out = x.new_zeros(len(x), slope.shape[2], found.value.shape[-1] + 1)
    out[:, 0, -1] = 1
    out[:, 0, :-1] = found.value
    out[:, 1 : 1 + dim, :-1] = found.first[:dim].movedim(0, 1)
    if len(found.second):
        out[:, 1 + dim : 1 + 2 * dim, :-1] = found.second[:dim].movedim(0, 1)
    for column, (i, j) in enumerate(mixed):
        crossed = (found.second[dim + column] - found.second[i] - found.second[j]) / 2
        out[:, 1 + dim + pairs(dim).index((i, j)), :-1] = crossed
    return out
