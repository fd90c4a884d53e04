"""Learning-rate schedules: functions from the completed fraction of a run to a factor.

They take a fraction in [0, 1] instead of a step, so that they also work for runs limited by time.
"""

import math


def cosine(done: float) -> float:
    """Half a cosine, from 1 to 0.

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
