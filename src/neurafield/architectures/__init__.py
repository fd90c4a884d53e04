"""Architectures by name: fields, and settings to fit them, that follow from the signal's extent.

The types are `Architecture` (the data of one name) and `Plan` (a field and its settings). Nothing
from `fit` or above may be imported here.
"""

from ._base import Architecture as Architecture
from ._base import Plan as Plan
from .names import ARCHITECTURES as ARCHITECTURES
from .names import DEFAULTS as DEFAULTS
from .names import plan as plan
from .names import serving as serving
from .shapes import plan_for_shape as plan_for_shape
