"""A sealed safetensors file: tensors, a JSON header, and a SHA-256 over every byte.

Reading a file executes nothing from it: the header is JSON, the tensors are raw data. The header is
one string in the safetensors metadata, so other programs can read the tensors too. The seal is the
hash of the whole file with the 64 digits of the hash itself set to zero.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as pack_tensors
from torch import Tensor

from ._files import write_atomically
from ._text import printable
from .errors import FieldFileError

FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_KEY = "neurafield"
_UNSEALED = "0" * 64
# Bytes that precede the hash in the file: a quoted string inside a quoted string.
_SEAL = '\\"sha256\\": \\"'
_MAX_HEADER_BYTES = 16 * 2**20


def write_sealed(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and header to `path` atomically.

    Equal content gives equal bytes.

    Raises:
        FieldFileError: If a tensor contains NaN or infinity; these are never written.
        OSError: If the file cannot be written; an existing one is unchanged.
    """
    _check_numbers(path, tensors)
    text = json.dumps({**header, "sha256": _UNSEALED}, sort_keys=True, allow_nan=False)
    try:
        data = pack_tensors(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
            metadata={_KEY: text},
        )
    except (SafetensorError, TypeError, ValueError, KeyError, RuntimeError) as error:
        raise FieldFileError(f"{path}: the tensors cannot be written ({error}).") from error
    digest = hashlib.sha256(data).hexdigest()
    write_atomically(path, _reseal(data, _UNSEALED, digest))


def read_sealed(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file written by `write_sealed`.

    Raises:
        FieldFileError: If the file is missing, damaged anywhere, or not of this kind.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FieldFileError(f"{path}: cannot be read ({error.strerror}).") from error
    header = _read_header(path, data)
    digest = header.pop("sha256")
    if hashlib.sha256(_reseal(data, digest, _UNSEALED)).hexdigest() != digest:
        raise FieldFileError(
            f"{path}: the SHA-256 does not match the content. The file was damaged or changed "
            "after it was written; take another copy."
        )
    try:
        tensors = parse_tensors(data)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise FieldFileError(
            f"{path}: the tensors cannot be read ({printable(str(error), 500)})."
        ) from error
    _check_numbers(path, tensors)
    return tensors, header


def _check_numbers(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if tensor.dtype not in FLOATING and (tensor.is_floating_point() or tensor.is_complex()):
            raise FieldFileError(
                f"{path}: expected floating-point values of 16, 32 or 64 bits, got "
                f"{tensor.dtype} in {printable(name, 80)}."
            )
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise FieldFileError(
                f"{path}: expected finite values, got NaN or infinity in {printable(name, 80)}."
            )


def _reseal(data: bytes, old: str, new: str) -> bytes:
    return data.replace((_SEAL + old).encode(), (_SEAL + new).encode(), 1)


def _read_header(path: Path, data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise FieldFileError(
            f"{path}: expected a neurafield file, got {len(data)} bytes that are truncated or of "
            "another kind."
        )
    if length > _MAX_HEADER_BYTES:
        raise FieldFileError(f"{path}: expected a header under 16 MiB, got {length} bytes.")
    try:
        header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_KEY])
        digest = header["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FieldFileError(f"{path}: expected a neurafield file, got another kind.") from error
    if not (isinstance(digest, str) and len(digest) == 64 and digest.isascii()):
        raise FieldFileError(f"{path}: expected a SHA-256 in the header, got something else.")
    return header


def state_shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Shape and dtype of each tensor, to compare two states before one replaces the other."""
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
