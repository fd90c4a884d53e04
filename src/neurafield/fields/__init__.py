"""Fields: modules from coordinates in [-1, 1] to values.

The one type is `AbstractField`. `Field` is an encoding and a network. Others are made of fields:
`HardBoundary` has boundary values built in, and `Scene` holds many `Placed` fields and an `overlap`
that combines them. Nothing from `composition`, `maps`, `signals`, `fit` or above may be imported
here.
"""

from . import overlap as overlap
from ._base import AbstractField as AbstractField
from .field import Field as Field
from .hard_boundary import HardBoundary as HardBoundary
from .module_field import ModuleField as ModuleField
from .module_field import as_field as as_field
from .placed import Placed as Placed
from .scene import Scene as Scene
