"""Shapes made of shapes: fields in, a field out.

The one type is `AbstractComposition`: fields of one value, a signed distance that is negative
inside, become another such field. Primitives are compositions of nothing. `Field`, `Scene` and
`HardBoundary` are parts like any other module here, and are not imported.
"""

from ._base import AbstractComposition as AbstractComposition
from .booleans import Complement as Complement
from .booleans import Difference as Difference
from .booleans import Intersection as Intersection
from .booleans import Union as Union
from .frames import common_frame as common_frame
from .frames import in_frame as in_frame
from .offsets import Interpolated as Interpolated
from .offsets import Offset as Offset
from .offsets import Shell as Shell
from .primitives import Box as Box
from .primitives import Capsule as Capsule
from .primitives import HalfSpace as HalfSpace
from .primitives import Sphere as Sphere
from .primitives import Torus as Torus
from .transforms import ExtendedBeyondBox as ExtendedBeyondBox
from .transforms import FixedInputs as FixedInputs
from .transforms import Mirrored as Mirrored
from .transforms import Transformed as Transformed
