"""Geometry: sample grids, rays, cameras, poses, and the frame of a shape.

Everything here is about points and axes, not about fields or signals. Imports only argument checks.
"""

from .cameras import Camera as Camera
from .extent import Extent as Extent
from .frame import Frame as Frame
from .grid import Grid as Grid
from .poses import Pose as Pose
from .rays import Rays as Rays
