r"""The neural tangent kernel: how a step for one point moves the field at another.

Notation: f the field with parameters $\theta$, points $x_1 \dots x_n$, J the Jacobian of
$f(x_a)$ by $\theta$, $K = J J^T$; r = f - y what is left to learn, $\eta$ the learning rate.
Under the mean squared error, one small step of gradient descent turns r into
$(I - 2 \eta K / n)\, r$: along each eigenvector of K the error shrinks by its own factor.

Reference:
    Jacot, Gabriel and Hongler, Neural Tangent Kernel, NeurIPS 2018; for what is learnt when,
    Tancik et al., Fourier Features Let Networks Learn High Frequency Functions, NeurIPS 2020,
    section 3.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from .._checks import check_count, check_positive
from ..errors import NeurafieldError
from .bands import cosine_transform

MAX_POINTS = 4096
_MAX_NUMBERS = 2**25
"""In the Jacobian of the points that are differentiated at a time: a quarter of a gigabyte."""
_MAX_PARTS = 16
"""Of the points: with two parts at a time, 136 Jacobians."""


@dataclass(frozen=True)
class KernelSpectrum:
    """The eigenvalues of a kernel, and how fast it learns each frequency on a line.

    Both leave the mean out, as the bands do: the last bias learns it at a rate of its own, which
    often hides all the rest.

    Args:
        eigenvalues: Of K / n on functions of mean zero, falling; they tend to those of the
            continuous kernel.
        frequencies: Of the cosines on the line, in cycles across the box.
        rates: For each of these, v the cosine on the line, v^T K v / (n v^T v): how fast its error
            starts to shrink.
    """

    eigenvalues: Float[Tensor, " n"]
    frequencies: Float[Tensor, " n"]
    rates: Float[Tensor, " n"]

    @property
    def condition(self) -> float:
        """Largest eigenvalue by smallest; infinite where the smallest is lost in rounding."""
        largest, smallest = self.eigenvalues[0].item(), self.eigenvalues[-1].item()
        lost = smallest <= largest * len(self.eigenvalues) * torch.finfo(torch.float64).eps
        return math.inf if lost else largest / smallest

    @property
    def effective_rank(self) -> float:
        """How many directions are learnt at a like rate: e to the entropy of the eigenvalues.

        Reference:
            Roy and Vetterli, The Effective Rank, EUSIPCO 2007.
        """
        share = self.eigenvalues.clamp(min=0) / self.eigenvalues.clamp(min=0).sum()
        return torch.special.entr(share).sum().exp().item()


def affordable_points(num_parameters: int, channels: int) -> int:
    """How many points' kernel is a matter of minutes: 16 for a large field, more for a small one.

    Jacobians do not fit into memory at once, so they are made again for each pair of parts of the
    points, and the work grows with the square of points times parameters.

    Example:
        >>> [affordable_points(size, 3) for size in (10_000, 1_000_000, 4_000_000, 10**8)]
        [4096, 176, 32, 16]
    """
    at_a_time = max(1, _MAX_NUMBERS // (channels * num_parameters))
    return min(MAX_POINTS, _MAX_PARTS * at_a_time)


def tangent_kernel(
    field: nn.Module,
    coords: Float[Tensor, "n in_dim"],
    *,
    progress: Callable[[float], None] | None = None,
) -> Float[Tensor, "n n"]:
    r"""The kernel of a field as it is, at some points.

    $K_{ab} = \frac{1}{c} \sum_{j=1}^{c} \langle \partial_\theta f_j(x_a),\,
    \partial_\theta f_j(x_b) \rangle$, the mean over the c values of the field, in float64. The
    Jacobian is made for parts of the points, so that it stays below a quarter of a gigabyte
    where one point's own is.

    Args:
        field: From coordinates to values; it is not changed.
        coords: The points, a few hundred: their kernel has their number squared. For a field of a
            million parameters or more, `affordable_points` says how many take minutes.
        progress: Told, now and then, which share of the work is done.

    Raises:
        ValueError: If there are no points, or too many.
        NeurafieldError: If the kernel is not finite.

    Example:
        >>> line = networks.Linear(1, 1)
        >>> tangent_kernel(line, torch.tensor([[0.0], [2.0]])).tolist()
        [[1.0, 1.0], [1.0, 5.0]]
    """
    check_count("tangent_kernel", points=len(coords), high=MAX_POINTS)
    # In float64, for the small eigenvalues; a copy, for the caller's field stays as it is.
    field = copy.deepcopy(field).double()
    trained = {name: p.detach() for name, p in field.named_parameters() if p.requires_grad}

    def value(parameters: dict[str, Tensor], x: Float[Tensor, " in_dim"]) -> Float[Tensor, " c"]:
        return functional_call(field, parameters, (x,))

    def jacobian(x: Float[Tensor, "m in_dim"]) -> Float[Tensor, "m c p"]:
        parts = vmap(jacrev(value), (None, 0))(trained, x)
        return torch.cat([part.reshape(*part.shape[:2], -1) for part in parts.values()], dim=2)

    points = coords.detach().double()
    channels = vmap(value, (None, 0))(trained, points[:1]).shape[-1]
    size = channels * sum(parameter.numel() for parameter in trained.values())
    parts = points.split(max(1, _MAX_NUMBERS // size))
    pairs = len(parts) * (len(parts) + 1) / 2
    rows = []
    for i, part in enumerate(parts):
        left = jacobian(part)
        blocks = []
        for j in range(i, len(parts)):
            right = left if j == i else jacobian(parts[j])
            blocks.append(torch.einsum("acp,bcp->ab", left, right))
            if progress:
                ahead = len(parts) - i
                progress(1 - (ahead * (ahead + 1) / 2 - len(blocks)) / pairs)
        rows.append(torch.cat(blocks, dim=1))
    n = len(points)
    kernel = torch.cat([nn.functional.pad(row, (n - row.shape[1], 0)) for row in rows]) / channels
    kernel = kernel.triu() + kernel.triu(1).mT
    if not kernel.isfinite().all():
        raise NeurafieldError("tangent_kernel: expected finite derivatives, got some that are not.")
    return kernel


def kernel_spectrum(
    field: nn.Module,
    *,
    in_dim: int,
    num_points: int = 256,
    progress: Callable[[float], None] | None = None,
) -> KernelSpectrum:
    """The kernel's spectrum on a line through the middle of the box, along its last axis.

    On a line the frequencies reach up to a quarter of the number of points per unit of coordinate,
    where as many points spread over a plane would reach to its root.

    Args:
        field: From coordinates to values.
        in_dim: Number of coordinates.
        num_points: On the line, at the centres of equal cells.
        progress: As for `tangent_kernel`.
    """
    check_count("kernel_spectrum", in_dim=in_dim)
    check_count("kernel_spectrum", num_points=num_points, low=2, high=MAX_POINTS)
    # In the middle a grid of vertices would be hit exactly, which no sample of a signal does.
    coords = torch.full((num_points, in_dim), 1 / num_points, dtype=torch.float64)
    coords[:, -1] = (2 * torch.arange(num_points) + 1) / num_points - 1
    # The first cosine is the constant.
    modes = between_cosines(tangent_kernel(field, coords, progress=progress))[1:, 1:]
    eigenvalues = torch.linalg.eigvalsh(modes).flip(0)
    return KernelSpectrum(eigenvalues, torch.arange(1, num_points) / 2, modes.diagonal())


def between_cosines(kernel: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    r"""A kernel on evenly spaced points in the basis of the cosines: $v_k^T K v_l / n$.

    With unit cosines $v_k$ of k half cycles across the points. The diagonal tells how fast each
    starts to be learnt: the eigenvalue of K / n wherever the cosine is an eigenvector, otherwise
    the mean of the eigenvalues, weighted by how much of it lies along their eigenvectors.

    Example:
        >>> between_cosines(torch.eye(2)).round(decimals=5).tolist()
        [[0.5, 0.0], [0.0, 0.5]]
    """
    return cosine_transform(cosine_transform(kernel, 0), 1) / len(kernel)


def linearised(
    kernel: Float[Tensor, "n n"], residual: Float[Tensor, "n c"], *, lr: float, steps: int
) -> Float[Tensor, "n c"]:
    r"""What is left to learn after steps of gradient descent, if the kernel stays as it is.

    $r_t = \sum_i (1 - 2 \eta \lambda_i / n)^t u_i u_i^T r_0$, with the eigenvectors $u_i$ of K: an
    exponential decay of each mode at its own rate.

    Args:
        kernel: K of the training points, which are all in each step.
        residual: r at the start, field minus target.
        lr: Learning rate of plain gradient descent on the mean squared error.
        steps: t.

    Example:
        >>> linearised(torch.eye(2), torch.ones(2, 1), lr=0.5, steps=1).tolist()
        [[0.5], [0.5]]
    """
    check_positive("linearised", lr=lr)
    check_count("linearised", steps=steps, low=0)
    eigenvalues, vectors = torch.linalg.eigh(kernel)
    decay = (1 - 2 * lr / residual.numel() * eigenvalues) ** steps
    return vectors @ (decay[:, None] * (vectors.mT @ residual))
