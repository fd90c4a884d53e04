"""Activations: elementwise functions between the affine layers of a network.

The one type is `AbstractActivation`: f with its first two derivatives, and its initialisation.
Imports nothing from `encodings`, `networks` or above.
"""

from ._base import AbstractActivation as AbstractActivation
from .bumps import Gaussian as Gaussian
from .bumps import Laplacian as Laplacian
from .bumps import Multiquadric as Multiquadric
from .bumps import Quadratic as Quadratic
from .bumps import SuperGaussian as SuperGaussian
from .rectifiers import GELU as GELU
from .rectifiers import PReLU as PReLU
from .rectifiers import ReLU as ReLU
from .rectifiers import SiLU as SiLU
from .rectifiers import Softplus as Softplus
from .sigmoids import Sigmoid as Sigmoid
from .sigmoids import Tanh as Tanh
from .waves import ExpSine as ExpSine
from .waves import FinerSine as FinerSine
from .waves import Sine as Sine
