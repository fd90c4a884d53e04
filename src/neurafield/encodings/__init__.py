"""Encodings: fixed or trainable maps from coordinates to features, in front of a network.

The one type is `AbstractEncoding`: `(*batch, in_dim) -> (*batch, out_dim)`. Imports nothing from
`networks`, `fields`, `signals` or above.
"""

from ._base import AbstractEncoding as AbstractEncoding
from .codebook_grid import CodebookGrid as CodebookGrid
from .composite import Composite as Composite
from .coord_conv import coord_channels as coord_channels
from .cp_factors import CPFactors as CPFactors
from .dense_grid import DenseGrid as DenseGrid
from .enrichment import Enrichment as Enrichment
from .gaussian_embedding import GaussianEmbedding as GaussianEmbedding
from .hash_grid import HashGrid as HashGrid
from .identity import Identity as Identity
from .k_planes import KPlanes as KPlanes
from .log_positional import LogPositional as LogPositional
from .mesh_features import MeshFeatures as MeshFeatures
from .mesh_features import triangulated_box as triangulated_box
from .octree import Octree as Octree
from .one_blob import OneBlob as OneBlob
from .point_features import PointFeatures as PointFeatures
from .positional import Positional as Positional
from .random_fourier import RandomFourier as RandomFourier
from .sparse_grid import SparseGrid as SparseGrid
from .spherical_harmonics import SphericalHarmonics as SphericalHarmonics
from .spline_grid import SplineGrid as SplineGrid
from .spline_levels import multilevel as multilevel
from .super_gaussian_embedding import SuperGaussianEmbedding as SuperGaussianEmbedding
from .tri_plane import TriPlane as TriPlane
from .triangle_wave import TriangleWave as TriangleWave
from .vm_factors import VMFactors as VMFactors
