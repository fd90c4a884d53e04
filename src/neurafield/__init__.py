"""neurafield: neural fields, networks that map coordinates to quantities.

The nouns, bottom up (docs/architecture.md tells one batch's way through them):

- `Field`: an encoding (`encodings`), then a network (`networks`) with its `activations`;
  `Anchored`: with values on a boundary built in; `Scene`: many, `Placed`, and how overlapping
  ones are joined (`combinations`); `composition`: bodies joined, cut, moved.
- `signals`: what was observed: `Image`, `Audio`, `Video`, `Volume`; `render` draws a field.
- `maps`: what a measurement makes of a field; `derivatives`: exact ones, of any field.
- `architectures`: fields and settings by name, for a signal and a number of parameters.
- `fit`: `Constraint`s make a problem; `fit.fit` is the only training loop.
- `analysis`: which frequencies a fit learns first; the neural tangent kernel.
- `save`, `load`: the field file.

Importing this module is cheap; torch is imported with the first name that needs it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import activations as activations
    from . import analysis as analysis
    from . import architectures as architectures
    from . import combinations as combinations
    from . import composition as composition
    from . import derivatives as derivatives
    from . import domains as domains
    from . import encodings as encodings
    from . import fit as fit
    from . import maps as maps
    from . import networks as networks
    from . import problems as problems
    from . import signals as signals
    from .anchored import Anchored as Anchored
    from .errors import FieldFileError as FieldFileError
    from .errors import NeurafieldError as NeurafieldError
    from .errors import SignalError as SignalError
    from .field import Field as Field
    from .field_file import FieldFile as FieldFile
    from .field_file import load as load
    from .field_file import save as save
    from .geometry import Grid as Grid
    from .placement import Placed as Placed
    from .scene import Scene as Scene

__version__ = "0.1.0"

_ROOMS = (
    "activations",
    "analysis",
    "architectures",
    "combinations",
    "composition",
    "derivatives",
    "domains",
    "encodings",
    "fit",
    "maps",
    "networks",
    "problems",
    "signals",
)
_NAMES = {
    "Anchored": "anchored",
    "FieldFileError": "errors",
    "NeurafieldError": "errors",
    "SignalError": "errors",
    "Field": "field",
    "FieldFile": "field_file",
    "load": "field_file",
    "save": "field_file",
    "Grid": "geometry",
    "Placed": "placement",
    "Scene": "scene",
}
__all__ = [*_ROOMS, *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module 'neurafield' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
