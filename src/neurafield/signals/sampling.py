"""All random draws of a fit: batch k depends on the seed of the run and on k alone.

A run that was interrupted and resumed draws what it would have drawn, and no state of a generator
has to be saved. The draws come from Philox, which turns a key and a counter into random bits. The
key is the seed of the run. The counter has four words of 64 bits:

| word | meaning |
|---|---|
| 0 | number of the draw; the generator itself counts it up from 0 |
| 1 | purpose of the draws, see `Purpose` |
| 2 | stream: the index of the constraint in the problem |
| 3 | step: the number of the batch |

Draws whose words 1 to 3 differ share no counter, because none is so long that word 0 overflows
into word 1. Point sets that are made once, before a fit, are chosen with `Purpose.SAMPLES` and
seed 0, at step 0 (`near_shape`) or 1 (`near_blend`).

Quasi-random points come from scrambled Sobol sequences, which have no counter: `quasi_random`
derives the scrambling from seed and stream.

Reference:
    Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011 (Philox).
"""

import enum

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .._checks import check_count
from ..domains import Uniform


class Purpose(enum.IntEnum):
    """Purposes of random draws; the value is word 1 of the counter."""

    SAMPLES = 0
    """Samples of a signal: `draw_indices` and `uniform`."""
    REFINEMENT = 1
    """Candidates kept where the residual is large: `choose_by_size`."""
    NEAR_SURFACE = 2
    """Candidates kept near a surface: `NearSurface`."""


def generator(purpose: Purpose, *, seed: int, step: int, stream: int) -> np.random.Generator:
    """A generator at the start of the counters of one purpose, step and stream."""
    counter = [0, int(purpose), stream, step]
    return np.random.Generator(np.random.Philox(key=seed, counter=counter))


def draw_indices(
    num_samples: int, size: int, *, seed: int, step: int, stream: int = 0
) -> Int64[np.ndarray, " size"]:
    """Draw sample indices uniformly with replacement, from [0, num_samples).

    Args:
        num_samples: Number of samples to draw from.
        size: Number of indices to draw.
        seed: Seed of the run.
        step: Number of the batch.
        stream: Index of the constraint in the problem, so that two constraints draw differently.

    Raises:
        ValueError: If the size is not positive.

    Example:
        >>> a = draw_indices(1000, 4, seed=7, step=41)
        >>> bool((a == draw_indices(1000, 4, seed=7, step=41)).all())
        True
    """
    check_count("draw_indices", size=size, high=2**32)
    draws = generator(Purpose.SAMPLES, seed=seed, step=step, stream=stream)
    return draws.integers(0, num_samples, size=size, dtype=np.int64)


def uniform(*, seed: int, step: int, stream: int = 0) -> Uniform:
    """Independent points, uniform in the unit cube; each call continues the last one.

    Args:
        seed: Seed of the run.
        step: Number of the batch.
        stream: Index of the constraint in the problem.

    Example:
        >>> uniform(seed=0, step=3)(5, 2).shape
        torch.Size([5, 2])
    """
    draws = generator(Purpose.SAMPLES, seed=seed, step=step, stream=stream)
    return lambda n, k: torch.from_numpy(draws.random((n, k)))


def quasi_random(*, seed: int, stream: int = 0) -> Uniform:
    """Points of a scrambled Sobol sequence, which leave no gaps; each call continues the last one.

    Args:
        seed: Seed of the run.
        stream: Index of the constraint in the problem; each stream is scrambled differently.

    Example:
        >>> quasi_random(seed=0)(8, 1).mul(8).floor().sort(dim=0).values[:, 0].tolist()
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    """
    engines: dict[int, torch.quasirandom.SobolEngine] = {}

    def draw(n: int, k: int) -> Tensor:
        if k == 0:
            return torch.zeros(n, 0, dtype=torch.float64)
        if k not in engines:
            scramble = int(np.random.SeedSequence([seed, stream]).generate_state(1)[0])
            engines[k] = torch.quasirandom.SobolEngine(k, scramble=True, seed=scramble)
        return engines[k].draw(n, dtype=torch.float64)

    return draw


def sobol(num_points: int, dim: int, *, seed: int) -> Float[Tensor, "num_points dim"]:
    """The first points of a Sobol sequence in [0, 1)^dim, scrambled by a seed; 32-bit.

    Example:
        >>> sobol(4, 3, seed=0).shape
        torch.Size([4, 3])
    """
    return torch.quasirandom.SobolEngine(dim, scramble=True, seed=seed).draw(num_points)


def choose(
    weights: Float[Tensor, " n"],
    count: int,
    *,
    purpose: Purpose,
    seed: int,
    step: int,
    stream: int = 0,
) -> Int64[Tensor, " count"]:
    """Choose indices without replacement, with chances in proportion to weights.

    Args:
        weights: Positive weight of each index.
        count: Number of indices to choose.
        purpose: Purpose of the draws.
        seed: Seed of the run.
        step: Number of the batch.
        stream: Index of the constraint in the problem.

    Returns:
        Distinct indices in no particular order.

    Example:
        >>> weights = torch.tensor([1e-9, 1.0, 1e-9, 1.0])
        >>> choose(weights, 2, purpose=Purpose.REFINEMENT, seed=0, step=0).sort().values.tolist()
        [1, 3]

    Reference:
        Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006.
    """
    draws = generator(purpose, seed=seed, step=step, stream=stream)
    u = torch.from_numpy(draws.random(len(weights)))
    return (-u.log() / weights).topk(count, largest=False, sorted=False).indices


def choose_by_size(
    sizes: Float[Tensor, " n"], count: int, *, seed: int, step: int, stream: int = 0
) -> Int64[Tensor, " count"]:
    r"""Choose indices without replacement, with weights $1 + |r_i| / \mathrm{mean} |r|$.

    Half of the choice is uniform, so that no region is forgotten. It depends on the sizes, the
    seed, the step and the stream alone.

    Args:
        sizes: Magnitude $|r_i|$ of the residual of each candidate.
        count: Number of indices to choose.
        seed: Seed of the run.
        step: Number of the batch.
        stream: Index of the constraint in the problem.

    Example:
        >>> choose_by_size(torch.ones(7), 7, seed=0, step=0).sort().values.tolist()
        [0, 1, 2, 3, 4, 5, 6]

    Reference:
        Wu et al., A comprehensive study of non-adaptive and residual-based adaptive sampling for
        physics-informed neural networks, CMAME 2023, equation 2 with k = c = 1.
    """
    sizes = sizes.double().cpu()
    weights = 1 + sizes / sizes.mean().clamp(min=torch.finfo(sizes.dtype).tiny)
    return choose(weights, count, purpose=Purpose.REFINEMENT, seed=seed, step=step, stream=stream)
