"""Learning-rate schedules: a factor on the learning rate, from the part of the run that is done.

They take a fraction in [0, 1], not a step, so that they serve a run bounded by time as well.
"""

import math


def cosine(done: float) -> float:
    """Half a cosine from 1 down to 0.

    Example:
        >>> [round(cosine(x), 3) for x in (0, 0.5, 1)]
        [1.0, 0.5, 0.0]

    Reference:
        Loshchilov and Hutter, SGDR, ICLR 2017, equation 5, without restarts.
    """
    return 0.5 * (1 + math.cos(math.pi * done))


def constant(done: float) -> float:
    """Always 1, as in the published SIREN runs."""
    return 1.0
