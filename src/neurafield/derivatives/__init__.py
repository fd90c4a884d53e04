"""Exact derivatives of fields with respect to their coordinates.

The type is `Jet`: a value with its derivatives, carried forward through a field by `rules`.
`operators` holds gradient, Laplacian and the others, each computed in the cheapest exact way.
Nothing from `kernels`, `encodings`, `networks`, `fields` or above may be imported here: a field is
a function.
"""

from . import operators as operators
from . import rules as rules
from .at_points import Derivatives as Derivatives
from .autodiff import jet_by_autodiff as jet_by_autodiff
from .autodiff import tell_fallback as tell_fallback
from .jet import Jet as Jet
