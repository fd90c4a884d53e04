"""Architectures by name: fields, and settings to fit them, that follow from the signal.

The types are `Architecture` (a name's data) and `Plan` (what `plan` makes of it for a signal).
Nothing from `fit`, `problems` or `cli` may be imported here.
"""

from ._base import Architecture as Architecture
from ._base import Plan as Plan
from .names import ARCHITECTURES as ARCHITECTURES
from .names import DEFAULTS as DEFAULTS
from .names import plan as plan
from .names import serving as serving
from .shapes import plan_for_shape as plan_for_shape
