"""One step of Adam on one tensor, in one pass over it.

A further version is a module with the functions of `Implementation` and an entry of
`IMPLEMENTATIONS`.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from .. import dispatch
from . import native, reference


@runtime_checkable
class Implementation(Protocol):
    """The functions that a version has, usually as a module; nothing else of it is used."""

    def unserved(self) -> str:
        """Reason why the version cannot serve any call, or ""."""
        ...

    def adam_step(
        self,
        parameter: Tensor,
        grad: Tensor,
        rows: Tensor | None,
        mean: Tensor,
        square: Tensor,
        step: int,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        lazy: bool,
    ) -> None:
        """Change the parameter and its averages in place.

        They are contiguous; `grad` is dense, perhaps strided. With `rows`, which ascend, `grad`
        holds these rows alone and all others stay as they are.
        """
        ...


IMPLEMENTATIONS: dict[str, Implementation] = {"native": native}
"""Versions beside the reference, by their names in `dispatch.VERSIONS`."""


def adam_step(
    parameter: Float[Tensor, "*shape"],
    grad: Float[Tensor, "*shape"],
    mean: Float[Tensor, "*shape"],
    square: Float[Tensor, "*shape"],
    *,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    lazy: bool,
) -> None:
    r"""Change a parameter and its moving averages in place.

    $m \leftarrow \beta_1 m + (1 - \beta_1) g,\ v \leftarrow \beta_2 v + (1 - \beta_2) g^2,\
    p \leftarrow p - \eta\,\hat m / (\sqrt{\hat v} + \epsilon)$ with $\hat m = m/(1 - \beta_1^t)$
    and $\hat v = v/(1 - \beta_2^t)$.

    Args:
        parameter: $p$.
        grad: $g$, dense, or sparse along the first axis; rows missing from a sparse gradient stay
            unchanged.
        mean: $m$, zeros at first.
        square: $v$, zeros at first.
        step: $t$, from 1.
        lr: $\eta$.
        betas: $\beta_1, \beta_2$.
        eps: $\epsilon$.
        lazy: True to leave values whose gradient is zero unchanged, and their averages. A dense
            gradient of a table then has the effect of a sparse one.

    Example:
        >>> p, g, m, v = torch.zeros(1), torch.ones(1), torch.zeros(1), torch.zeros(1)
        >>> adam_step(p, g, m, v, step=1, lr=0.1, betas=(0.9, 0.99), eps=1e-8, lazy=False)
        >>> p
        tensor([-0.1000])

    Reference:
        Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, algorithm 1. Lazy
        steps: Müller et al., Instant Neural Graphics Primitives, 2022, section 4.
    """
    rows = None
    if grad.is_sparse and grad.sparse_dim() > 1:
        grad = grad.to_dense()
    if grad.is_sparse:
        grad = grad.coalesce()
        rows, grad = grad.indices()[0], grad.values()
    # Of a strided state the kernel would get a copy, and update the copy.
    strided = not all(t.is_contiguous() for t in (parameter, mean, square))
    choice = dispatch.choose(
        "adam_step",
        IMPLEMENTATIONS,
        (parameter.detach(), grad, mean, square),
        unserved="a parameter is not contiguous" if strided else "",
    )
    chosen = IMPLEMENTATIONS.get(choice.version, reference)
    chosen.adam_step(parameter.detach(), grad, rows, mean, square, step, lr, betas, eps, lazy)
    # Autograd must notice that a tensor which it has saved was changed.
    torch.autograd.graph.increment_version(parameter)
