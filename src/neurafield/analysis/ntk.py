r"""The neural tangent kernel: the effect of a training step at one point on the field at another.

Notation: f the field with parameters $\theta$, points $x_1 \dots x_n$, J the Jacobian of $f(x_a)$
by $\theta$, $K = J J^T$; r = f - y the residual, $\eta$ the learning rate. Under the mean squared
error, one small step of gradient descent turns r into $(I - 2 \eta K / n)\, r$: along each
eigenvector of K the error shrinks by its own factor.

Reference:
    Jacot, Gabriel and Hongler, Neural Tangent Kernel, NeurIPS 2018; for the order of learning,
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
"""Entries of the Jacobian of one block of points: a quarter of a gigabyte."""
_MAX_PARTS = 16
"""Maximum number of blocks of points; their pairs need 136 Jacobians."""


@dataclass(frozen=True)
class KernelSpectrum:
    """Eigenvalues of a kernel, and the rate at which it learns each frequency on a line.

    Both exclude the mean, as the bands do: the last bias learns it at its own rate, which often
    hides all the rest.

    Args:
        eigenvalues: Eigenvalues of K / n on functions of mean zero, descending; they converge to
            those of the continuous kernel.
        frequencies: Frequencies of the cosines on the line, in cycles across the box.
        rates: Initial rate at which the error of each cosine v shrinks, v^T K v / (n v^T v).
    """

    eigenvalues: Float[Tensor, " n"]
    frequencies: Float[Tensor, " n"]
    rates: Float[Tensor, " n"]

    @property
    def condition(self) -> float:
        """Ratio of the largest to the smallest eigenvalue; infinite if the smallest is lost in
        rounding.
        """
        largest, smallest = self.eigenvalues[0].item(), self.eigenvalues[-1].item()
        lost = smallest <= largest * len(self.eigenvalues) * torch.finfo(torch.float64).eps
        return math.inf if lost else largest / smallest

    @property
    def effective_rank(self) -> float:
        """Effective number of directions learnt at a similar rate: e to the entropy of the
        eigenvalues.

        Reference:
            Roy and Vetterli, The Effective Rank, EUSIPCO 2007.
        """
        share = self.eigenvalues.clamp(min=0) / self.eigenvalues.clamp(min=0).sum()
        return torch.special.entr(share).sum().exp().item()


def affordable_points(num_parameters: int, channels: int) -> int:
    """Number of points whose kernel takes minutes: 16 for a large field, more for a small one.

    The Jacobian does not fit into memory, so it is recomputed for each pair of blocks of points,
    and the work grows with the square of points times parameters.

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
    r"""Computes the kernel of a field with its current parameters.

    $K_{ab} = \frac{1}{c} \sum_{j=1}^{c} \langle \partial_\theta f_j(x_a),\, \partial_\theta
    f_j(x_b) \rangle$, the mean over the c values of the field, in float64. The Jacobian is computed
    for blocks of points, so that it stays below a quarter of a gigabyte, if that of a single point
    does.

    Args:
        field: Module from coordinates to values; it is not changed.
        coords: Points, a few hundred: the kernel of n points has n^2 entries. For a field of a
            million parameters or more, see `affordable_points`.
        progress: Callback that gets the completed share of the work.

    Raises:
        ValueError: If there are no points, or too many.
        NeurafieldError: If the kernel is not finite.

    Example:
        >>> line = networks.Linear(1, 1)
        >>> tangent_kernel(line, torch.tensor([[0.0], [2.0]])).tolist()
        [[1.0, 1.0], [1.0, 5.0]]
    """
    check_count("tangent_kernel", points=len(coords), high=MAX_POINTS)
    # In float64, for the small eigenvalues; on a copy, so that the caller's field is unchanged.
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
    """Computes the spectrum of the kernel on a line through the centre of the box, along the last
    axis.

    On a line, n points resolve frequencies up to n / 4 cycles per unit of coordinate; spread over a
    plane, the same number would only resolve about the square root of that.

    Args:
        field: Module from coordinates to values.
        in_dim: Number of coordinates.
        num_points: Points on the line, at the centres of equal cells.
        progress: Callback, as for `tangent_kernel`.
    """
    check_count("kernel_spectrum", in_dim=in_dim)
    check_count("kernel_spectrum", num_points=num_points, low=2, high=MAX_POINTS)
    # Offset from the centre, where the line would pass exactly through grid vertices, unlike
    # samples.
    coords = torch.full((num_points, in_dim), 1 / num_points, dtype=torch.float64)
    coords[:, -1] = (2 * torch.arange(num_points) + 1) / num_points - 1
    # The first cosine is the constant.
    modes = between_cosines(tangent_kernel(field, coords, progress=progress))[1:, 1:]
    eigenvalues = torch.linalg.eigvalsh(modes).flip(0)
    return KernelSpectrum(eigenvalues, torch.arange(1, num_points) / 2, modes.diagonal())


def between_cosines(kernel: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    r"""Transforms a kernel on evenly spaced points to the cosine basis: $v_k^T K v_l / n$.

    $v_k$ is the normalised cosine of k half cycles across the points. The diagonal holds the
    initial learning rate of each: its eigenvalue of K / n if the cosine is an eigenvector,
    otherwise the mean of the eigenvalues, weighted by the squared components of the cosine along
    the eigenvectors.

    Example:
        >>> between_cosines(torch.eye(2)).round(decimals=5).tolist()
        [[0.5, 0.0], [0.0, 0.5]]
    """
    return cosine_transform(cosine_transform(kernel, 0), 1) / len(kernel)


def linearised(
    kernel: Float[Tensor, "n n"], residual: Float[Tensor, "n c"], *, lr: float, steps: int
) -> Float[Tensor, "n c"]:
    r"""Predicts the residual after steps of gradient descent, if the kernel stays constant.

    $r_t = \sum_i (1 - 2 \eta \lambda_i / n)^t u_i u_i^T r_0$, with the eigenvectors $u_i$ of K: an
    exponential decay of each mode at its own rate.

    Args:
        kernel: Kernel K of the training points, all of which are in each step.
        residual: Initial residual r, field minus target.
        lr: Learning rate of plain gradient descent on the mean squared error.
        steps: Number of steps t.

    Example:
        >>> linearised(torch.eye(2), torch.ones(2, 1), lr=0.5, steps=1).tolist()
        [[0.5], [0.5]]
    """
    check_positive("linearised", lr=lr)
    check_count("linearised", steps=steps, low=0)
    eigenvalues, vectors = torch.linalg.eigh(kernel)
    decay = (1 - 2 * lr / residual.numel() * eigenvalues) ** steps
    return vectors @ (decay[:, None] * (vectors.mT @ residual))
