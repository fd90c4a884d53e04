"""Problems: equations and reconstructions, from the given data to a field, figures and pictures.

The one type is `Solution`. Each module states a problem as constraints, chooses the field, the
points and the optimizer, and measures the result. Nothing from `cli` may be imported here.
"""

from ._solution import Panel as Panel
from ._solution import Solution as Solution
from .blend import blend as blend
from .evolution import mean_curvature as mean_curvature
from .evolution import morph as morph
from .evolution import transport as transport
from .helmholtz import helmholtz as helmholtz
from .inversion import inversion as inversion
from .poisson_image import poisson_image as poisson_image
from .wave import wave as wave
