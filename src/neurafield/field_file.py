"""Field files, `NAME.field`: reading one builds the field again and runs no code from the file."""

import dataclasses
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import activations, composition, encodings, fields, networks
from ._component import (
    MAX_NESTING,
    AbstractComponent,
    UnknownNameError,
    also_known,
    check_nesting,
    check_number_of_parts,
    function_name,
    own_classes,
    registry,
    spec_of,
)
from ._text import printable, shortened
from .container import FLOATING, read_sealed, state_shapes, write_sealed
from .errors import FieldFileError
from .fields import AbstractField, ModuleField, Scene, overlap
from .fields.overlap import AbstractOverlap

FORMAT_VERSION = 2

NAMED = (AbstractComponent, activations.AbstractActivation, AbstractField, AbstractOverlap)
"""Base classes of everything that a file describes by class name and hyper-parameters."""

LIBRARY = {
    **registry(encodings, encodings.AbstractEncoding),
    **registry(networks, networks.AbstractNetwork),
    **registry(activations, activations.AbstractActivation),
    **registry(fields, AbstractField),
    **registry(composition, AbstractField),
    **registry(overlap, AbstractOverlap),
}
"""The library's own classes of this kind, by name."""
# A file holds no code, so it cannot describe a field made of any module.
del LIBRARY[ModuleField.__name__]

MAX_PARTS_NESTING = 3 * MAX_NESTING
"""Maximum depth of nested lists and objects in the description of a field."""

_MAX_MESSAGE = 2000
"""Maximum number of characters of a message of a constructor, which may repeat the file."""

_FIELD, _UNKNOWNS = "field.", "unknowns."
"""Prefixes of the names of tensors."""

_DAMAGE = (
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    MemoryError,
)
"""Exceptions that constructors raise for invalid hyper-parameters in a file."""

_META_HINT = (
    " Components of a file are built on the meta device, which has shapes but no values: a "
    "constructor must not read values out of tensors. Compute them with math or numpy."
)

_OWN_HINT = (
    " A newer neurafield may know it. If the class is your own, read the file in Python, with "
    "neurafield.load(path, components=[...])."
)


@dataclass(frozen=True)
class FieldFile:
    """The content of a field file.

    Args:
        field: Field on the CPU, ready to be called.
        signal: Description of the signal's layout, from which `signals.layout_from_spec` makes the
            layout that writes the signal back; None for a field that was not fitted to a file.
        fit: Settings and results of the fit, for information.
        unknowns: Parameters trained with the field, by name, such as a coefficient of an equation.
    """

    field: AbstractField
    signal: dict[str, Any] | None
    fit: dict[str, Any]
    unknowns: dict[str, Tensor] = dataclasses.field(default_factory=dict)


def save(
    path: str | Path,
    field: nn.Module,
    *,
    signal: Mapping[str, Any] | None = None,
    fit: Mapping[str, Any] | None = None,
    unknowns: Mapping[str, Tensor] | None = None,
) -> None:
    """Writes a field to a file atomically. Equal content gives equal bytes.

    Args:
        path: File to write, by convention with the suffix `.field`. An existing file is replaced.
        field: Field to save. Classes and functions of your own are stored by name and must be
            passed to `load`. `save` checks that their `hyperparams` build the field again.
        signal: JSON values that describe the signal's file, from `signal.layout.spec()`.
        fit: JSON values that describe the fit.
        unknowns: Parameters trained with the field, from `Result.unknowns`.

    Raises:
        FieldFileError: If `field` is not a field, a parameter is NaN or infinite, `unknowns` are
            not tensors by name, or the file would not build the field again.
        OSError: If the file cannot be written.

    Example:
        >>> field = Field(networks.Siren(2, 1, width=16, depth=1))
        >>> save(folder / "small.field", field)
        >>> load(folder / "small.field").field(torch.zeros(1, 2)).shape
        torch.Size([1, 1])
    """
    if not isinstance(field, AbstractField):
        raise FieldFileError(
            f"{path}: expected a field, got {type(field).__name__}. Save a network as a field: "
            "Field(network). Derive a class of your own from neurafield.fields.AbstractField."
        )
    for name, part in field.named_modules():
        if isinstance(part, AbstractComponent) and part.lod < part.num_lods - 1:
            raise FieldFileError(
                f"{path}: expected the whole field, got {name} at level of detail {part.lod}. Save "
                f"the field itself, and call at_lod({part.lod}) once it is loaded."
            )
    path = Path(path)
    _check_buffers(path, field)
    _check_unknowns(path, unknowns)
    try:
        description = field_spec(field)
    except (TypeError, ValueError) as error:
        raise FieldFileError(f"{path}: {error}") from error
    header = {
        "format": FORMAT_VERSION,
        "kind": "field",
        "field": description,
        "signal": None if signal is None else dict(signal),
        "fit": dict(fit or {}),
    }
    _check_builds_again(path, field, header)
    tensors = {_FIELD + name: tensor for name, tensor in field.state_dict().items()}
    tensors |= {_UNKNOWNS + name: tensor for name, tensor in (unknowns or {}).items()}
    write_sealed(path, _separate(tensors), header)


def load(path: str | Path, *, components: Sequence[Callable[..., Any]] = ()) -> FieldFile:
    """Reads a field file.

    Args:
        path: File to read.
        components: Classes and functions of your own that the file may name. Classes of fields,
            encodings, networks, activations or overlaps are called with keyword arguments from the
            file. Functions may be, for example, the boundary values of a `HardBoundary`.

    Raises:
        FieldFileError: If the file is missing, damaged or of another version, names unknown
            components, or has tensors of wrong shapes.
        TypeError: If one of `components` is not such a class or function.
        ValueError: If one of `components` has a name that is taken.
    """
    path = Path(path)
    own = _own(components)
    tensors, header = read_sealed(path)
    if header.get("kind") != "field":
        raise FieldFileError(
            f"{path}: expected a field file, got a {shortened(header.get('kind'))} file."
        )
    version = header.get("format")
    if version != FORMAT_VERSION:
        is_older = isinstance(version, int) and version < FORMAT_VERSION
        raise FieldFileError(
            f"{path}: expected format {FORMAT_VERSION}, got {shortened(version)}. "
            + (
                "It was written before the first release; fit it again."
                if is_older
                else "A newer neurafield wrote it; upgrade with pip install -U neurafield."
            )
        )
    signal, fit = header.get("signal"), header.get("fit")
    if not (signal is None or isinstance(signal, dict)) or not isinstance(fit, dict):
        raise FieldFileError(f"{path}: expected objects under 'signal' and 'fit'.")
    with also_known(own):
        field = build_field(path, header.get("field"))
    parts: dict[str, dict[str, Tensor]] = {_FIELD: {}, _UNKNOWNS: {}}
    for name, tensor in tensors.items():
        prefix, dot, rest = name.partition(".")
        if prefix + dot not in parts or not rest:
            raise FieldFileError(f"{path}: expected tensors of a field, got {shortened(name)}.")
        parts[prefix + dot][rest] = tensor
    _assign(path, field, parts[_FIELD])
    return FieldFile(field, signal, fit, parts[_UNKNOWNS])


def field_spec(field: AbstractField) -> dict[str, Any]:
    """Describes a field and, recursively, its parts by class and hyper-parameters.

    Raises:
        TypeError: If a part cannot be described, such as a `ModuleField`.
        ValueError: If it refers to a function without a name.
    """
    parts = [field_spec(part) for part in field.parts]
    return {**spec_of(field), **({"parts": parts} if parts else {})}


def build_field(path: Path, spec: object) -> AbstractField:
    """Builds the field that a header describes on the meta device, without allocating memory."""
    with torch.device("meta"):
        try:
            check_nesting("field", spec, MAX_PARTS_NESTING)
            check_number_of_parts("field", spec)
            known = {
                **own_classes(AbstractField),
                **{name: cls for name, cls in LIBRARY.items() if issubclass(cls, AbstractField)},
            }
            return _build(spec, known)
        except UnknownNameError as error:
            message = printable(str(error), _MAX_MESSAGE)
            raise FieldFileError(f"{path}: {message}{_OWN_HINT}") from error
        except _DAMAGE as error:
            hint = _META_HINT if "meta" in str(error) else ""
            message = printable(str(error), _MAX_MESSAGE) or type(error).__name__
            raise FieldFileError(f"{path}: {message}{hint}") from error


def _build(spec: object, known: Mapping[str, type[AbstractField]]) -> AbstractField:
    if not isinstance(spec, dict) or not isinstance(spec.get("hyperparams"), dict):
        raise ValueError("field: expected a type and hyperparams for each field.")
    name = spec.get("type")
    if not isinstance(name, str) or name not in known:
        raise UnknownNameError(f"field: expected one of {', '.join(known)}, got {shortened(name)}.")
    parts = [_build(part, known) for part in spec.get("parts", [])]
    return known[name].from_parts(parts, **spec["hyperparams"])


def _own(given: Iterable[Callable[..., Any]]) -> list[Callable[..., Any]]:
    """Checks that classes and functions have different names, none of the library's."""
    own: dict[str, Callable[..., Any]] = {}
    for cls in given:
        known = issubclass(cls, NAMED) if inspect.isclass(cls) else callable(cls)
        if not known or inspect.isabstract(cls) or isinstance(cls, nn.Module):
            raise TypeError(
                "components: expected concrete classes of fields, encodings, networks, "
                f"activations or overlaps, or functions, got {shortened(cls)}."
            )
        if not inspect.isclass(cls):
            function_name(cls)
        # Two method objects of one method of an object are equal, but not the same.
        if own.setdefault(cls.__name__, cls) != cls or cls.__name__ in LIBRARY:
            kind = "class" if inspect.isclass(cls) else "function"
            raise ValueError(
                f"components: expected a name that is not taken, got another {cls.__name__}. "
                f"Rename the {kind}."
            )
    return list(own.values())


def _check_buffers(path: Path, field: nn.Module) -> None:
    """Checks that all buffers are in the `state_dict`, since a file holds nothing else."""
    saved = field.state_dict(keep_vars=True).keys()
    for name, _ in field.named_buffers(remove_duplicate=False):
        if name not in saved:
            raise FieldFileError(
                f"{path}: expected buffers that a file holds, got {name}, which is not persistent. "
                "Register it with persistent=True, or compute it in forward."
            )


def _check_unknowns(path: Path, unknowns: Mapping[str, Tensor] | None) -> None:
    if not isinstance(unknowns, Mapping | None):
        raise FieldFileError(
            f"{path}: expected unknowns by name, got {type(unknowns).__name__}. Pass a dictionary "
            "of tensors."
        )
    for name, tensor in (unknowns or {}).items():
        if not isinstance(name, str) or not name:
            raise FieldFileError(
                f"{path}: expected names of unknowns that are not empty, got {shortened(name)}."
            )
        if not isinstance(tensor, Tensor) or tensor.is_meta or tensor.layout != torch.strided:
            raise FieldFileError(
                f"{path}: expected a dense tensor for the unknown {shortened(name)}, got "
                f"{type(tensor).__name__}."
            )


def _separate(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, copied where they share memory, which a file cannot express.

    A field may be in a scene and in a scene inside it, and an unknown may be a parameter too.
    """
    seen: set[int] = set()
    found = {}
    for name, tensor in tensors.items():
        start = tensor.untyped_storage().data_ptr()
        found[name] = tensor.detach().clone() if start in seen else tensor
        seen.add(start)
    return found


def _check_builds_again(path: Path, field: nn.Module, header: Mapping[str, Any]) -> None:
    parts: list[object] = []
    for module in field.modules():
        if isinstance(module, NAMED):
            parts.append(module)
        if isinstance(module, Scene):
            parts.append(module.overlap)
    named: list[Callable[..., Any]] = [
        type(part) for part in parts if LIBRARY.get(type(part).__name__) is not type(part)
    ]
    named += [f for part in parts if isinstance(part, AbstractField) for f in part.functions()]
    try:
        with also_known(_own(named)):
            text = json.dumps(header, allow_nan=False)
            again = build_field(path, json.loads(text)["field"])
    except FieldFileError:
        raise
    except (TypeError, ValueError) as error:
        raise FieldFileError(f"{path}: {error}") from error
    _check_fits(path, again, field.state_dict())
    made = dict(again.named_modules(remove_duplicate=False))
    for name, part in field.named_modules(remove_duplicate=False):
        if _description(part) != _description(made.get(name)):
            raise FieldFileError(
                f"{path}: expected parts that the constructors make, got {type(part).__name__} at "
                f"{name}, which is not what the file would bring back."
            )


def _description(part: nn.Module | None) -> tuple[type, str]:
    return type(part), json.dumps(spec_of(part)) if isinstance(part, NAMED) else ""


def _check_fits(path: Path, field: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    expected, got = _forms(field.state_dict()), _forms(tensors)
    if expected != got:
        names = sorted(expected.keys() ^ got.keys()) or [
            name for name in expected if expected[name] != got[name]
        ]
        raise FieldFileError(
            f"{path}: the tensors do not fit the architecture (first at {printable(names[0], 80)})."
        )
    _check_one_precision(path, field, tensors)


def _check_one_precision(path: Path, field: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Checks that all floating types are equal, or those that the constructors make."""
    as_made = state_shapes(field.state_dict()) == state_shapes(tensors)
    types = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    if len(types) > 1 and not as_made:
        raise FieldFileError(
            f"{path}: expected one floating-point type for all tensors of a field, got "
            f"{', '.join(sorted(map(str, types)))}. Convert the whole field, such as with "
            "field.float(), and save it again."
        )


def _forms(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[tuple[int, ...], object]]:
    # Any floating dtype is allowed, and restored; integers must have the dtype of the field.
    return {
        name: (shape, "floating" if dtype in FLOATING else dtype)
        for name, (shape, dtype) in state_shapes(tensors).items()
    }


def _assign(path: Path, field: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    _check_fits(path, field, tensors)
    field.load_state_dict(tensors, assign=True)
    for part in field.modules():
        if isinstance(part, AbstractComponent):
            try:
                part.check_state()
            except ValueError as error:
                raise FieldFileError(f"{path}: {error}") from error
    missing = [name for name, buffer in field.named_buffers() if buffer.is_meta]
    if missing:
        raise FieldFileError(
            f"{path}: expected a value for each buffer, got none for {missing[0]}, which is not "
            "persistent. Register it with persistent=True, or compute it in forward."
        )
