"""Signals: observations that are read from files, drawn in batches and written back.

The one type is `AbstractSignal`: it draws `(query, target)` pairs. `AbstractGridSignal` is the kind
on regular grids; its layout holds everything except the values. A field is used here only as a
function; nothing from `fields`, `maps`, `fit` or above is imported.
"""

from ._base import AbstractGridSignal as AbstractGridSignal
from ._base import AbstractSignal as AbstractSignal
from ._base import render as render
from ._layout import AbstractLayout as AbstractLayout
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
from .samples import Samples as Samples
from .sampling import draw_indices as draw_indices
from .video import Video as Video
from .video import VideoLayout as VideoLayout
from .volume import Volume as Volume
from .volume import VolumeLayout as VolumeLayout
