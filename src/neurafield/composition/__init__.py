"""Shapes made of shapes: fields in, a field out.

The one type is `AbstractComposition`: fields of one value, a signed distance that is negative
inside, become another such field. Primitives are compositions of nothing. `Field`, `Scene` and
`Anchored` are parts like any other module here, and are not imported.
"""

from ._base import AbstractComposition as AbstractComposition
from ._base import lipschitz_bound as lipschitz_bound
from .booleans import Complement as Complement
from .booleans import Difference as Difference
from .booleans import Intersection as Intersection
from .booleans import Union as Union
from .changes import Mix as Mix
from .changes import Offset as Offset
from .changes import Shell as Shell
from .frames import common_frame as common_frame
from .frames import in_frame as in_frame
from .places import At as At
from .places import Bounded as Bounded
from .places import Mirrored as Mirrored
from .places import Moved as Moved
from .primitives import Box as Box
from .primitives import Capsule as Capsule
from .primitives import HalfSpace as HalfSpace
from .primitives import Sphere as Sphere
from .primitives import Torus as Torus
