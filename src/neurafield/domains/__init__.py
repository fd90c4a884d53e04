"""Domains of a differential equation: boxes, balls, and what is joined and cut from them.

The one type is `AbstractDomain`: it tells inside from outside, and where its boundary is. Only
argument checks may be imported here.
"""

from ._base import AbstractDomain as AbstractDomain
from ._base import Uniform as Uniform
from .pairs import Difference as Difference
from .pairs import Intersection as Intersection
from .pairs import Union as Union
from .solids import Ball as Ball
from .solids import Box as Box
