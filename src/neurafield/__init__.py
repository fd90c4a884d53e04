"""neurafield: neural fields, networks that map coordinates to values.

The main parts, bottom up (docs/architecture.md follows one batch through them):

- `Field`: an encoding (`encodings`), then a network (`networks`) with its `activations`.
- `fields`: other fields, such as `HardBoundary` (exact boundary values) and `Scene` (many fields).
- `composition`: set operations and transformations of shapes.
- `signals`: observations: `Image`, `Audio`, `Video`, `Volume`; `render` draws a field.
- `maps`: models of a measurement, from a field to predictions.
- `derivatives`: exact derivatives of any field.
- `architectures`: fields and settings by name, for a signal and a number of parameters.
- `fit`: problems made of `Constraint` and `Penalty` terms; `fit.fit` is the only training loop.
- `tasks`: from a file to a fitted field in one call, `tasks.fit_file`.
- `analysis`: frequencies that a fit learns first; the neural tangent kernel.
- `save`, `load`: the field file.

Every subpackage is an attribute. Importing this module is cheap, since torch is only imported with
the first name that needs it.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import activations as activations
    from . import analysis as analysis
    from . import architectures as architectures
    from . import cli as cli
    from . import composition as composition
    from . import derivatives as derivatives
    from . import domains as domains
    from . import encodings as encodings
    from . import errors as errors
    from . import fields as fields
    from . import fit as fit
    from . import geometry as geometry
    from . import kernels as kernels
    from . import maps as maps
    from . import networks as networks
    from . import problems as problems
    from . import shapes as shapes
    from . import signals as signals
    from . import surfaces as surfaces
    from . import tasks as tasks
    from .errors import ArgumentError as ArgumentError
    from .errors import FieldFileError as FieldFileError
    from .errors import NeurafieldError as NeurafieldError
    from .errors import SignalError as SignalError
    from .field_file import FieldFile as FieldFile
    from .field_file import load as load
    from .field_file import save as save
    from .fields import AbstractField as AbstractField
    from .fields import Field as Field
    from .fields import HardBoundary as HardBoundary
    from .fields import Placed as Placed
    from .fields import Scene as Scene
    from .geometry import Grid as Grid

__version__ = "0.1.0"

_SUBPACKAGES = tuple(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
_NAMES = {
    "ArgumentError": "errors",
    "FieldFileError": "errors",
    "NeurafieldError": "errors",
    "SignalError": "errors",
    "FieldFile": "field_file",
    "load": "field_file",
    "save": "field_file",
    "AbstractField": "fields",
    "Field": "fields",
    "HardBoundary": "fields",
    "Placed": "fields",
    "Scene": "fields",
    "Grid": "geometry",
}
__all__ = ["errors", *_SUBPACKAGES, *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES or name == "errors":
        return importlib.import_module(f".{name}", __name__)
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module 'neurafield' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
