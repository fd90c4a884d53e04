"""Encodings: fixed or trained lifts of coordinates to features, before the network.

The one type is `AbstractEncoding`: `(*batch, in_dim) -> (*batch, out_dim)`.
Nothing from `networks`, `field`, `signals` or above may be imported here.
"""

from ._base import AbstractEncoding as AbstractEncoding
from .dense_grid import DenseGrid as DenseGrid
from .enrichment import Enrichment as Enrichment
from .hash_grid import HashGrid as HashGrid
from .positional import Positional as Positional
from .random_fourier import RandomFourier as RandomFourier
from .spline_grid import SplineGrid as SplineGrid
from .spline_levels import multilevel as multilevel
