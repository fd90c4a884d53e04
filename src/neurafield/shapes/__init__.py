"""Shapes: meshes and point clouds, distances to them, and the meaning of a shape field's value.

The types are `Mesh` and `PointCloud` in the user's units, `ImplicitKind`, the meaning of a field's
value, and `ShapeLayout`, which a field file keeps. Nothing from `fields` or above may be imported.
"""

from .distance import MeshDistance as MeshDistance
from .files import SUFFIXES as SUFFIXES
from .files import read_shape as read_shape
from .implicit_kind import ImplicitKind as ImplicitKind
from .implicit_kind import Occupancy as Occupancy
from .implicit_kind import SignedDistance as SignedDistance
from .implicit_kind import TruncatedDistance as TruncatedDistance
from .implicit_kind import UnsignedDistance as UnsignedDistance
from .implicit_kind import implicit_kind as implicit_kind
from .layout import ShapeLayout as ShapeLayout
from .measures import PointQuality as PointQuality
from .measures import SurfaceQuality as SurfaceQuality
from .measures import compare_surfaces as compare_surfaces
from .measures import compare_to_points as compare_to_points
from .measures import has_inside as has_inside
from .measures import inside_of as inside_of
from .measures import volumetric_iou as volumetric_iou
from .mesh import Mesh as Mesh
from .normals import estimate_normals as estimate_normals
from .normals import repair_normals as repair_normals
from .point_distance import PointDistance as PointDistance
from .points import PointCloud as PointCloud
from .sampling import sample_surface as sample_surface
from .topology import euler_number as euler_number
from .topology import is_closed as is_closed
from .writing import write_mesh as write_mesh
