"""Constructive solid geometry: signed distance fields made of other such fields.

The one type is `AbstractComposition`: fields of signed distances, negative inside, become another
such field. Primitives have no parts. Any `AbstractField` can be a part. Nothing from `maps`,
`signals`, `fit` or above may be imported here.
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
