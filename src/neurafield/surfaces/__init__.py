"""Surfaces of fields: zero level sets of fields that are negative inside.

A field is used here only as a function, so nothing from `fields` or above may be imported.
"""

from .distance_grid import DistanceGrid as DistanceGrid
from .distance_grid import measured_slope as measured_slope
from .drawing import RenderSurface as RenderSurface
from .drawing import draw as draw
from .meshing import NoSurfaceError as NoSurfaceError
from .meshing import extract as extract
from .region import Region as Region
from .region import roundness as roundness
from .sphere_tracing import Hits as Hits
from .sphere_tracing import attached_depth as attached_depth
from .sphere_tracing import trace as trace
