"""Signals: observations that are read from files, drawn in batches, and written back to files.

The one type is `AbstractSignal`, which draws `(query, target)` pairs. `AbstractGridSignal` has
samples on a regular grid, described by its layout. Nothing from `maps`, `fit` or above may be
imported here.
"""

from ._base import AbstractGridSignal as AbstractGridSignal
from ._base import AbstractSignal as AbstractSignal
from ._base import render as render
from ._layout import AbstractLayout as AbstractLayout
from ._query import Query as Query
from .audio import Audio as Audio
from .audio import AudioLayout as AudioLayout
from .coded import Coded as Coded
from .distances import DistanceSamples as DistanceSamples
from .domain import Boundary as Boundary
from .domain import Interior as Interior
from .domain import Slice as Slice
from .image import Image as Image
from .image import ImageLayout as ImageLayout
from .kinds import layout_from_spec as layout_from_spec
from .kinds import load as load
from .near_surface import NearSurface as NearSurface
from .near_surface import near_blend as near_blend
from .near_surface import near_shape as near_shape
from .recording import Recording as Recording
from .samples import Samples as Samples
from .sampling import draw_indices as draw_indices
from .video import Video as Video
from .video import VideoLayout as VideoLayout
from .volume import Volume as Volume
from .volume import VolumeLayout as VolumeLayout
