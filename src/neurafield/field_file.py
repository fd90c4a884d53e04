"""`NAME.field`: a field in a file that builds it again without running anything from it."""

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import activations, combinations, composition, encodings, networks
from ._checks import check_count
from ._component import (
    MAX_NESTING,
    AbstractComponent,
    UnknownNameError,
    also_known,
    build,
    check_nesting,
    registry,
    spec_of,
)
from .composition import AbstractComposition
from .container import FLOATING, read_sealed, state_shapes, write_sealed
from .errors import FieldFileError
from .field import Field
from .placement import Placed
from .scene import Scene

FORMAT_VERSION = 1

PARTS = (AbstractComponent, activations.AbstractActivation)
"""What a file names."""

LIBRARY = {
    **registry(encodings, encodings.AbstractEncoding),
    **registry(networks, networks.AbstractNetwork),
    **registry(activations, activations.AbstractActivation),
}
"""The names that are taken."""

Whole = Field | Scene | AbstractComposition
"""What a file is of."""

_KINDS = {Field: "field", Scene: "scene", AbstractComposition: "composition"}

MAX_PARTS_NESTING = 3 * MAX_NESTING
"""Of lists and objects in a scene or a composition: as many of these in one another."""

_DAMAGE = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError)
"""What constructors raise when a file says nonsense."""
_META_HINT = (
    " Components of a file are built on the meta device, which has shapes but no numbers: a "
    "constructor must not read numbers out of tensors. Compute them with math or numpy."
)

_OWN_HINT = (
    " A newer neurafield may know it. If the class is your own, read the file in Python, with "
    "neurafield.load(path, components=[...])."
)


@dataclass(frozen=True)
class FieldFile:
    """What a field file holds.

    Args:
        field: The field, on the CPU, ready to be called.
        signal: What is needed to write the signal back (`signals.layout_from_spec` takes it),
            or None for a field that was not fitted to a file.
        fit: How it was fitted: settings and figures, for information.
    """

    field: Whole
    signal: dict[str, Any] | None
    fit: dict[str, Any]


def save(
    path: str | Path,
    field: nn.Module,
    *,
    signal: Mapping[str, Any] | None = None,
    fit: Mapping[str, Any] | None = None,
) -> None:
    """Write a field to a file, all or nothing. Equal content gives equal bytes.

    Args:
        path: Where to, by convention with the suffix `.field`. An existing file is replaced.
        field: What to save, a `Field`, or a `Scene` or composition of such. Components of your own
            go by their class names, and their classes have to be given to `load`; that their
            `hyperparams` build them again is tried here.
        signal: JSON values that describe the signal's file, from `signal.layout.spec()`.
        fit: JSON values that tell how it was fitted.

    Raises:
        FieldFileError: If a parameter is NaN or infinite, it is not a field, or the file would
            not build it again.
        OSError: If the file cannot be written.

    Example:
        >>> field = Field(networks.Siren(2, 1, width=16, depth=1))
        >>> save(folder / "small.field", field)
        >>> load(folder / "small.field").field(torch.zeros(1, 2)).shape
        torch.Size([1, 1])
    """
    if not isinstance(field, Whole):
        raise FieldFileError(
            f"{path}: expected a Field, a Scene or a composition, got {type(field).__name__}. Of "
            "what wraps a field, save the field itself, its attribute `.field`, and wrap it again "
            "once it is loaded."
        )
    for name, part in field.named_modules():
        if isinstance(part, AbstractComponent) and part.lod < part.num_lods - 1:
            raise FieldFileError(
                f"{path}: expected the whole field, got {name} at level of detail {part.lod}. Save "
                f"the field itself, and call at_lod({part.lod}) once it is loaded."
            )
    header = {
        "format": FORMAT_VERSION,
        "kind": next(kind for cls, kind in _KINDS.items() if isinstance(field, cls)),
        **architecture_spec(field),
        "signal": None if signal is None else dict(signal),
        "fit": dict(fit or {}),
    }
    _check_builds_again(Path(path), field, header)
    tensors = field.state_dict()
    if not isinstance(field, Field):
        # A field may stand in a scene and in a scene inside it; a file holds each by itself.
        tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    write_sealed(Path(path), tensors, header)


def load(path: str | Path, *, components: Sequence[type] = ()) -> FieldFile:
    """Read a field file.

    Args:
        path: The file.
        components: Classes of your own that it may name: encodings, networks or activations,
            built with what the file says as keyword arguments.

    Raises:
        FieldFileError: If it is missing, damaged, made by a newer version, or names
            components or sizes that neither this library nor you have.
        TypeError: If one of `components` is not such a class.
        ValueError: If one has a name that is taken.
    """
    path = Path(path)
    own = _own_classes(components)
    tensors, header = read_sealed(path)
    if header.get("kind") not in _KINDS.values():
        raise FieldFileError(f"{path}: expected a field file, got a {header.get('kind')!r} file.")
    if header.get("format") != FORMAT_VERSION:
        raise FieldFileError(
            f"{path}: expected format {FORMAT_VERSION}, got {header.get('format')!r}. "
            "A newer neurafield wrote it; upgrade with pip install -U neurafield."
        )
    signal, fit = header.get("signal"), header.get("fit")
    if not (signal is None or isinstance(signal, dict)) or not isinstance(fit, dict):
        raise FieldFileError(f"{path}: expected objects under 'signal' and 'fit'.")
    with also_known(own):
        field = build_field(path, header)
    _assign(path, field, tensors)
    return FieldFile(field, signal, fit)


def architecture_spec(field: nn.Module) -> dict[str, Any]:
    """Names and hyper-parameters of a field's components: all that builds it but the numbers.

    Raises:
        FieldFileError: If it is neither a field nor made of fields.
    """
    if isinstance(field, AbstractComposition):
        parts = [architecture_spec(own) for own in field.fields]
        return {"composition": {**spec_of(field), "fields": parts}}
    if isinstance(field, Scene):
        scene = {
            "combination": spec_of(field.combination),
            "fields": [architecture_spec(own) for own in field.fields],
            "places": field.places,
        }
        return {"scene": scene}
    if not isinstance(field, Field):
        raise FieldFileError(
            f"Expected a Field in a scene or a composition, got {type(field).__name__}."
        )
    encoding = None if field.encoding is None else spec_of(field.encoding)
    return {"encoding": encoding, "network": spec_of(field.network)}


def build_field(path: Path, spec: Mapping[str, Any]) -> Whole:
    """Build the field that a header describes, on the meta device: shapes, no memory yet."""
    with torch.device("meta"):
        try:
            for kind in ("scene", "composition"):
                check_nesting(kind, spec.get(kind), MAX_PARTS_NESTING)
            return _build_any(spec)
        except UnknownNameError as error:
            raise FieldFileError(f"{path}: {error}{_OWN_HINT}") from error
        except _DAMAGE as error:
            hint = _META_HINT if "meta" in str(error) else ""
            raise FieldFileError(f"{path}: {error}{hint}") from error


def _build_any(spec: Mapping[str, Any]) -> Whole:
    if "scene" in spec:
        return _build_scene(spec["scene"])
    if "composition" in spec:
        return _build_composition(spec["composition"])
    return _build_field(spec)


def _build_field(spec: Mapping[str, Any]) -> Field:
    network = build(networks, networks.AbstractNetwork, spec.get("network"))
    encoding = spec.get("encoding")
    if encoding is not None:
        encoding = build(encodings, encodings.AbstractEncoding, encoding)
    return Field(network, encoding=encoding)


def _build_scene(spec: Mapping[str, Any]) -> Scene:
    fields = [_build_any(own) for own in spec["fields"]]
    parts = []
    for place in spec["places"]:
        check_count("scene", low=0, high=len(fields) - 1, field=place["field"])
        parts.append(Placed(**{**place, "field": fields[place["field"]]}))
    base = combinations.AbstractCombination
    return Scene(parts, build(combinations, base, spec["combination"]))


def _build_composition(spec: Mapping[str, Any]) -> AbstractComposition:
    known = registry(composition, AbstractComposition)
    if spec.get("type") not in known:
        raise UnknownNameError(
            f"composition: expected one of {', '.join(known)}, got {spec.get('type')!r}."
        )
    fields = [_build_any(own) for own in spec["fields"]]
    made: AbstractComposition = known[spec["type"]](*fields, **spec["hyperparams"])
    return made


def _own_classes(classes: Iterable[type]) -> list[type]:
    """Classes that are not the library's: checked, so that a name means one of them only."""
    own: dict[str, type] = {}
    for cls in classes:
        if not (inspect.isclass(cls) and issubclass(cls, PARTS)) or inspect.isabstract(cls):
            raise TypeError(
                f"components: expected concrete classes of encodings, networks or activations, "
                f"got {cls!r}."
            )
        if own.setdefault(cls.__name__, cls) is not cls or cls.__name__ in LIBRARY:
            raise ValueError(
                f"components: expected a name that is not taken, got another {cls.__name__}. "
                "Rename the class."
            )
    return list(own.values())


def _check_builds_again(path: Path, field: nn.Module, header: Mapping[str, Any]) -> None:
    parts = [part for part in field.modules() if isinstance(part, PARTS)]
    try:
        own = _own_classes(
            type(part) for part in parts if LIBRARY.get(type(part).__name__) is not type(part)
        )
        with also_known(own):
            again = build_field(path, json.loads(json.dumps(header, allow_nan=False)))
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
    return type(part), json.dumps(spec_of(part)) if isinstance(part, PARTS) else ""


def _check_fits(path: Path, field: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    expected, got = _forms(field.state_dict()), _forms(tensors)
    if expected != got:
        names = sorted(expected.keys() ^ got.keys()) or [
            name for name in expected if expected[name] != got[name]
        ]
        raise FieldFileError(
            f"{path}: the tensors do not fit the architecture (first at {names[0]})."
        )


def _forms(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[tuple[int, ...], object]]:
    # A field in float64 or bfloat16 comes back as it was; whole numbers have one type.
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
    assert not any(t.is_meta for t in (*field.parameters(), *field.buffers()))
