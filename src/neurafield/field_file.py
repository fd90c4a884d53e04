"""`NAME.field`: a field in a file that builds it again without running anything from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import encodings, networks
from ._component import AbstractComponent, build, spec_of
from .container import read_sealed, state_shapes, write_sealed
from .errors import FieldFileError
from .field import Field

FORMAT_VERSION = 1


@dataclass(frozen=True)
class FieldFile:
    """What a field file holds.

    Args:
        field: The field, on the CPU, ready to be called.
        signal: What is needed to write the signal back (`signals.layout_from_spec` takes it),
            or None for a field that was not fitted to a file.
        fit: How it was fitted: settings and figures, for information.
    """

    field: Field
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
        field: What to save.
        signal: JSON values that describe the signal's file, from `signal.layout.spec()`.
        fit: JSON values that tell how it was fitted.

    Raises:
        FieldFileError: If a parameter is NaN or infinite, or it is not a field.
        OSError: If the file cannot be written.

    Example:
        >>> field = Field(networks.Siren(2, 1, width=16, depth=1))
        >>> save(folder / "small.field", field)
        >>> load(folder / "small.field").field(torch.zeros(1, 2)).shape
        torch.Size([1, 1])
    """
    if not isinstance(field, Field):
        raise FieldFileError(
            f"{path}: expected a Field, got {type(field).__name__}. Of what wraps a field, save "
            "the field itself, its attribute `.field`, and wrap it again once it is loaded."
        )
    header = {
        "format": FORMAT_VERSION,
        "kind": "field",
        "encoding": _spec(field.encoding),
        "network": _spec(field.network),
        "signal": None if signal is None else dict(signal),
        "fit": dict(fit or {}),
    }
    write_sealed(Path(path), field.state_dict(), header)


def load(path: str | Path) -> FieldFile:
    """Read a field file.

    Raises:
        FieldFileError: If it is missing, damaged, made by a newer version, or names
            components or sizes that this library does not have.
    """
    path = Path(path)
    tensors, header = read_sealed(path)
    if header.get("kind") != "field":
        raise FieldFileError(f"{path}: expected a field file, got a {header.get('kind')!r} file.")
    if header.get("format") != FORMAT_VERSION:
        raise FieldFileError(
            f"{path}: expected format {FORMAT_VERSION}, got {header.get('format')!r}. "
            "A newer neurafield wrote it; upgrade with pip install -U neurafield."
        )
    signal, fit = header.get("signal"), header.get("fit")
    if not (signal is None or isinstance(signal, dict)) or not isinstance(fit, dict):
        raise FieldFileError(f"{path}: expected objects under 'signal' and 'fit'.")
    field = build_field(path, header)
    _assign(path, field, tensors)
    return FieldFile(field, signal, fit)


def architecture_spec(field: Field) -> dict[str, Any]:
    """Names and hyper-parameters of a field's components: all that builds it but the numbers."""
    return {"encoding": _spec(field.encoding), "network": _spec(field.network)}


def build_field(path: Path, spec: Mapping[str, Any]) -> Field:
    """Build the field that a header describes, on the meta device: shapes, no memory yet."""
    with torch.device("meta"):
        try:
            network = build(networks, networks.AbstractNetwork, spec.get("network"))
            encoding = spec.get("encoding")
            if encoding is not None:
                encoding = build(encodings, encodings.AbstractEncoding, encoding)
            return Field(network, encoding=encoding)
        except (TypeError, ValueError) as error:
            raise FieldFileError(f"{path}: {error}") from error


def _spec(component: AbstractComponent | None) -> dict[str, Any] | None:
    if component is None:
        return None
    room = encodings if isinstance(component, encodings.AbstractEncoding) else networks
    if vars(room).get(type(component).__name__) is not type(component):
        raise FieldFileError(
            f"{type(component).__name__}: expected a component of neurafield itself, got one that "
            "a file cannot name. Keep its state_dict instead."
        )
    return spec_of(component)


def _assign(path: Path, field: Field, tensors: dict[str, torch.Tensor]) -> None:
    # Shapes alone: a field in float64 or bfloat16 comes back as it was.
    expected = {name: shape for name, (shape, _) in state_shapes(field.state_dict()).items()}
    got = {name: shape for name, (shape, _) in state_shapes(tensors).items()}
    if expected != got:
        names = sorted(expected.keys() ^ got.keys()) or [
            name for name in expected if expected[name] != got[name]
        ]
        raise FieldFileError(
            f"{path}: the tensors do not fit the architecture (first at {names[0]})."
        )
    field.load_state_dict(tensors, assign=True)
    assert not any(t.is_meta for t in (*field.parameters(), *field.buffers()))
