"""Analysis of training: error spectra, and the neural tangent kernel.

The type is `AbstractBands`: bands of a spectrum, in which `learn` follows a fit. Imports nothing
from `problems` or `cli`.
"""

from .bands import AbstractBands as AbstractBands
from .bands import Harmonics as Harmonics
from .bands import Octaves as Octaves
from .bands import cosine_transform as cosine_transform
from .ntk import KernelSpectrum as KernelSpectrum
from .ntk import affordable_points as affordable_points
from .ntk import between_cosines as between_cosines
from .ntk import kernel_spectrum as kernel_spectrum
from .ntk import linearised as linearised
from .ntk import tangent_kernel as tangent_kernel
from .sines import FREQUENCIES as FREQUENCIES
from .sines import sum_of_sines as sum_of_sines
from .spectrum import HALF as HALF
from .spectrum import BiasFactor as BiasFactor
from .spectrum import Learning as Learning
from .spectrum import learn as learn
from .spectrum import median_factor as median_factor
