"""Gauss-Newton: each step solves the least-squares problem linearised at the parameters.

Notation: r(p) are the n residuals at parameters p, each weighted so that the loss is the sum of
their squares; J = dr/dp; m is the damping.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count, check_positive
from ..maps import AbstractMap
from .evaluates_loss import EvaluatesLoss
from .objective import Objective
from .problem import Constraint, squared_constraints

_HINT = "It solves least-squares problems; take Adam or L-BFGS for others."
_LOWEST, _HIGHEST = 1e-30, 1e12
"""Range of the damping. A damping of zero, as for a zero Jacobian, could never rise."""


@EvaluatesLoss.register
class GaussNewton(torch.optim.Optimizer):
    r"""Levenberg's damped Gauss-Newton method on the residuals of a problem.

    Solves $(J^\top J + m I)\, \delta = -J^\top r$ in float64. If there are fewer residuals than
    parameters, it solves the smaller equivalent system $\delta = -J^\top (J J^\top + m I)^{-1} r$.
    A step that lowers the loss is accepted and the damping falls. Otherwise the damping rises, and
    the step is solved for again.

    Use when a small smooth network must satisfy an equation accurately: tens of steps do what takes
    Adam tens of thousands. Fails when there are many parameters and many residuals: the Jacobian
    has $n p$ entries, and a step takes $O(n p \min(n, p))$ operations.

    `fit` sets the learning rate to 1. Residuals must belong to points: those of one sample must
    depend on that sample only.

    Args:
        parameters: All parameters that are trained: the field's, and unknowns of maps.
        damping: First value of $m$, relative to the mean squared norm of the Jacobian's columns.
        increase: Factor on the damping after a step that did not lower the loss.
        decrease: Divisor of the damping after a step that did.
        trials: Maximum number of attempts per step.

    Raises:
        ValueError: If an option is out of range, or there are several groups of parameters; in
            `step`, if a loss is not `mse`, or a parameter is not trained by the problem.

    Example:
        >>> field = Field(networks.MLP(1, 1, width=8, depth=1, activation="Tanh"))
        >>> line = Constraint(signal=Interior(Box.cube(1), lambda x: x, num_points=20))
        >>> fit(field, line, steps=15, optimizer=gauss_newton).loss < 1e-4
        True

    Reference:
        Levenberg 1944, Marquardt 1963; Müller and Zeinhofer, Achieving High Accuracy with PINNs
        via Energy Natural Gradient Descent, ICML 2023: the same direction for quadratic losses of
        linear equations (they add a line search, we adapt the damping).
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        damping: float = 1e-3,
        increase: float = 4.0,
        decrease: float = 10.0,
        trials: int = 8,
    ) -> None:
        check_positive(self, damping=damping, increase=increase - 1, decrease=decrease - 1)
        check_count(self, trials=trials)
        super().__init__(
            parameters,
            {
                "lr": 1.0,
                "damping": damping,
                "increase": increase,
                "decrease": decrease,
                "trials": trials,
            },
        )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        if self.param_groups:
            raise ValueError(
                "GaussNewton: expected one group of parameters, got several. A step is solved for "
                "all of them at once."
            )
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, objective: Objective) -> None:  # type: ignore[override]
        """Moves to the damped solution of the linearised problem, if that lowers the loss.

        Raises:
            ValueError: If a loss is not `mse`, or the problem does not train a parameter.
        """
        (group,) = self.param_groups
        parameters = [p for p in group["params"] if p.requires_grad]
        r, jacobian = tangent(objective, parameters)
        num_residuals, num_parameters = jacobian.shape
        dual = num_residuals < num_parameters
        gram = jacobian @ jacobian.mT if dual else jacobian.mT @ jacobian
        right = r if dual else jacobian.mT @ r
        state = self.state[parameters[0]]
        if not state:
            first = group["damping"] * gram.trace() / num_parameters
            state["damping"] = first.clamp(min=_LOWEST)
        before = [p.clone() for p in parameters]
        loss = r.square().sum()
        for _ in range(group["trials"]):
            damped = gram.clone()
            damped.diagonal().add_(state["damping"])
            factor, failed = torch.linalg.cholesky_ex(damped)
            if not failed:
                step = torch.cholesky_solve(right[:, None], factor)[:, 0]
                step = jacobian.mT @ step if dual else step
                _move(parameters, before, -group["lr"] * step)
                # The comparison is False for NaN too.
                if residuals(objective).square().sum() < loss:
                    state["damping"] = (state["damping"] / group["decrease"]).clamp(min=_LOWEST)
                    return
            state["damping"] = (state["damping"] * group["increase"]).clamp(max=_HIGHEST)
        for parameter, value in zip(parameters, before, strict=True):
            parameter.copy_(value)


def gauss_newton(trained: nn.Module) -> GaussNewton:
    """Gauss-Newton with its defaults: `fit(..., optimizer=gauss_newton)`."""
    return GaussNewton(p for p in trained.parameters() if p.requires_grad)


def residuals(objective: Objective) -> Float[Tensor, " n"]:
    """All residuals in float64, weighted so that the sum of their squares is the loss."""
    return torch.cat(
        [
            scale * (objective.predict(constraint, query, target) - target).double().flatten()
            for constraint in _constraints(objective)
            for query, target, scale in _scaled_parts(objective, constraint)
        ]
    )


def tangent(
    objective: Objective, parameters: list[Tensor]
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n p"]]:
    """Residuals and their Jacobian in float64, with columns in the order of the parameters.

    Raises:
        ValueError: If a loss is not `mse`, or the problem does not train a parameter.
    """
    trained = {id(parameter) for parameter in objective.trained.flat}
    if not all(id(parameter) in trained for parameter in parameters):
        raise ValueError(
            "GaussNewton: expected parameters of the field or of a map, got others. Take the "
            "parameters() of what fit passes to the optimizer."
        )
    rows = []
    for constraint in _constraints(objective):
        if not constraint.map.cuts:
            raise ValueError(
                f"GaussNewton: expected residuals that belong to points, got the map of constraint "
                f"{constraint.name!r}, which needs all queries at once. {_HINT}"
            )
        query, _, _ = next(objective.parts(constraint))
        if not isinstance(query, Tensor):
            raise ValueError(
                f"GaussNewton: expected queries that are tensors from constraint "
                f"{constraint.name!r}, got {type(query).__name__}. {_HINT}"
            )
        mapped = _Mapped(objective.trained.field, constraint.map)
        names = {id(parameter): name for name, parameter in mapped.named_parameters()}
        values = {names[id(p)]: p.detach() for p in parameters if id(p) in names}
        for query, target, scale in _scaled_parts(objective, constraint):
            by_name = _jacobian(mapped, values, query)
            blocks = [
                # The unknowns of another constraint's map do not affect this one.
                by_name[names[id(p)]].double().reshape(target.numel(), -1)
                if id(p) in names
                else torch.zeros(target.numel(), p.numel(), dtype=torch.float64, device=p.device)
                for p in parameters
            ]
            rows.append(scale * torch.cat(blocks, dim=1))
    return residuals(objective), torch.cat(rows)


def _constraints(objective: Objective) -> list[Constraint]:
    return squared_constraints("GaussNewton", objective.terms, hint=_HINT, refines=True)


class _Mapped(nn.Module):
    """A map applied to a field, as a module, so that `functional_call` can set its parameters."""

    def __init__(self, field: nn.Module, map: AbstractMap) -> None:
        super().__init__()
        self.field = field
        self.map = map

    def forward(self, query: Tensor) -> Tensor:
        prediction: Tensor = self.map(self.field, query)
        return prediction


def _jacobian(
    mapped: _Mapped, values: dict[str, Tensor], query: Float[Tensor, "n d"]
) -> dict[str, Float[Tensor, "n m ..."]]:
    """Derivatives of each sample's prediction with respect to named parameters."""

    def one(values: dict[str, Tensor], x: Tensor) -> Tensor:
        prediction: Tensor = torch.func.functional_call(mapped, values, (x[None],))
        return prediction[0]

    found: dict[str, Tensor] = torch.func.vmap(torch.func.jacrev(one), (None, 0))(values, query)
    return found


def _scaled_parts(
    objective: Objective, constraint: Constraint
) -> Iterator[tuple[Any, Tensor, float]]:
    for query, target, share in objective.parts(constraint):
        yield query, target, (constraint.weight * share / target.numel()) ** 0.5


def _move(parameters: list[Tensor], origin: list[Tensor], step: Float[Tensor, " p"]) -> None:
    """Sets the parameters to `origin + step`."""
    start = 0
    for parameter, value in zip(parameters, origin, strict=True):
        stop = start + parameter.numel()
        parameter.copy_(value + step[start:stop].reshape(value.shape))
        start = stop
