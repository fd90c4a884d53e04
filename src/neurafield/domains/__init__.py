"""Domains of differential equations: boxes, balls, and their set operations.

The one type is `AbstractDomain`: a closed set with an inside and a boundary. Imports only argument
checks.
"""

from ._base import AbstractDomain as AbstractDomain
from ._base import Uniform as Uniform
from .pairs import Difference as Difference
from .pairs import Intersection as Intersection
from .pairs import Union as Union
from .solids import Ball as Ball
from .solids import Box as Box
