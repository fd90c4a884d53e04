"""Forward maps: models of a measurement, `(field, query) -> prediction`.

The one type is `AbstractMap`. A map evaluates the field; it knows neither signals nor losses.
`HelmholtzEquation` is no map but a function for a `Residual`: `Residual(HelmholtzEquation(...))`.
Nothing from `signals`, `fit` or above may be imported here.
"""

from ._base import AbstractMap as AbstractMap
from .differential import Jacobian as Jacobian
from .differential import Laplacian as Laplacian
from .differential import ValueAndGradient as ValueAndGradient
from .helmholtz import HelmholtzEquation as HelmholtzEquation
from .identity import Identity as Identity
from .level_of_detail import LevelOfDetail as LevelOfDetail
from .residual import Residual as Residual
