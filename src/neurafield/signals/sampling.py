"""Counter-based sampling: batch k depends on the seed and on k alone.

So a run that was killed and resumed draws what it would have drawn, and no generator's state
has to be saved.
"""

import numpy as np
from jaxtyping import Int64

from .._checks import check_count


def draw_indices(
    num_samples: int, size: int, *, seed: int, step: int, stream: int = 0
) -> Int64[np.ndarray, " size"]:
    """Draw sample indices uniformly with replacement, from [0, num_samples).

    Args:
        num_samples: How many there are to draw from.
        size: How many to draw.
        seed: Of the whole run.
        step: Which batch of the run.
        stream: Which constraint of the problem, so that two do not draw the same.

    Example:
        >>> a = draw_indices(1000, 4, seed=7, step=41)
        >>> bool((a == draw_indices(1000, 4, seed=7, step=41)).all())
        True

    Reference:
        Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011 (Philox). Step and
        stream go into the two high words of its 256-bit counter, the draws count the low ones.
    """
    check_count("draw_indices", size=size, high=2**32)
    bits = np.random.Philox(key=seed, counter=[0, 0, stream, step])
    return np.random.Generator(bits).integers(0, num_samples, size=size, dtype=np.int64)
