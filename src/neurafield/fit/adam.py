"""Adam on the compiled kernels, and the optimizer that `fit` uses by default."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from .._checks import check_positive
from .._component import AbstractComponent
from ..kernels.adam import adam_step


class Adam(torch.optim.Optimizer):
    """Adam on the compiled kernels, for dense and sparse gradients.

    Args:
        parameters: Tensors, or groups of them as for any optimizer of torch. A group may have
            its own options.
        lr: Learning rate.
        betas: Decay rates of the two moving averages, each in [0, 1).
        eps: Term added to the root in the denominator. Tables have tiny gradients, for which
            1e-15 is customary.
        lazy: True to skip entries whose gradient is zero: for tables, since a batch reads only a
            few of their entries. Rows without a sparse gradient are always skipped.

    Raises:
        ValueError: If an option is out of range.

    Example:
        >>> p = torch.nn.Parameter(torch.ones(3))
        >>> optimizer = Adam([p], lr=0.1)
        >>> p.square().sum().backward()
        >>> optimizer.step()
        >>> p.detach()
        tensor([0.9000, 0.9000, 0.9000])

    Reference:
        Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, algorithm 1.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        lazy: bool = False,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "lazy": lazy})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds parameters, with options of their own.

        Raises:
            ValueError: If an option is unknown or out of range.
        """
        group = {**self.defaults, **param_group}
        unknown = set(group) - set(self.defaults) - {"params", "lr_factor", "initial_lr"}
        if unknown:
            raise ValueError(f"Adam: expected {', '.join(self.defaults)}, got {sorted(unknown)}.")
        check_positive(self, lr=group["lr"], eps=group["eps"])
        if len(group["betas"]) != 2 or not all(0 <= beta < 1 for beta in group["betas"]):
            raise ValueError(f"Adam: expected two betas in [0, 1), got {group['betas']}.")
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Updates all parameters that have a gradient."""
        if closure is not None:
            raise ValueError("Adam: expected no closure, got one. Call backward before step.")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["step"] = torch.tensor(0)
                    state["mean"] = torch.zeros_like(
                        parameter, memory_format=torch.contiguous_format
                    )
                    state["square"] = torch.zeros_like(state["mean"])
                state["step"] += 1
                adam_step(
                    parameter,
                    parameter.grad,
                    state["mean"],
                    state["square"],
                    step=int(state["step"]),
                    lr=group["lr"],
                    betas=group["betas"],
                    eps=group["eps"],
                    lazy=group["lazy"],
                )


def default_optimizer(trained: nn.Module) -> Adam:
    """The optimizer that `fit` uses by default: Adam, with other settings for tables of features.

    Few points read a given row of a table, so its gradients are small and rare. For tables, steps
    are therefore lazy, squares are averaged over fewer steps (0.99), and eps is only 1e-15.

    Reference:
        Müller et al., Instant Neural Graphics Primitives, SIGGRAPH 2022, section 4, for tables.
    """
    tables = [
        table
        for module in trained.modules()
        if isinstance(module, AbstractComponent)
        for table in module.tables()
    ]
    known = {id(table) for table in tables}
    # Only tables that are parameters themselves: a table may be shared, or computed from others.
    tables = [parameter for parameter in trained.parameters() if id(parameter) in known]
    others = [parameter for parameter in trained.parameters() if id(parameter) not in known]
    groups: list[dict[str, Any]] = [
        {"params": others},
        {"params": tables, "betas": (0.9, 0.99), "eps": 1e-15, "lazy": True},
    ]
    return Adam([group for group in groups if group["params"]])
