"""PLY: vertices with or without normals, and faces of any number of corners.

This reader is ours, because trimesh refuses binary files whose faces have different numbers of
corners, and accepts truncated ASCII files.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from ._contents import Contents, numbers, triangles, whole

_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}
_HEADER_END = re.compile(rb"^end_header[ \t]*(\r\n|\n|\r)", re.MULTILINE)
_MOST_HEADER = 2**16


@dataclass
class _Property:
    name: str
    type: np.dtype
    count: np.dtype | None = None
    """Type of the length before a list; None for a single value."""


@dataclass
class _Element:
    name: str
    length: int
    properties: list[_Property] = field(default_factory=list)


# An array [length] of single values; for lists a pair: the lengths, and all items in a row.
_Columns = dict[str, np.ndarray | tuple[np.ndarray, np.ndarray]]


def read_ply(data: bytes) -> Contents:
    """Read a PLY file; colours, textures and elements of other names are ignored.

    Raises:
        ValueError: If it is no PLY file, or declares more than it contains.
    """
    end = _HEADER_END.search(data[:_MOST_HEADER])
    if not data.startswith(b"ply") or end is None:
        raise ValueError("it has no header of PLY")
    order, elements = _header(data[: end.start()].decode("ascii", "replace"))
    body, at = data[end.end() :], 0
    if order == "=":
        # From here on it is treated as a binary file of 64-bit floats.
        body = numbers(body.decode("ascii")).tobytes()
    found: dict[str, _Columns] = {}
    for element in elements:
        if element.name == "tristrips":
            raise ValueError("strips of triangles are not read; save it with faces")
        found[element.name], at = _read(body, at, element)
    vertices = _stacked(found.get("vertex", {}), "xyz")
    if vertices is None or not len(vertices):
        raise ValueError("no vertices")
    normals = _stacked(found["vertex"], ("nx", "ny", "nz"))
    faces, num_polygons = _faces(found.get("face", {}))
    return Contents(vertices, faces, normals, num_polygons)


def _faces(columns: _Columns) -> tuple[np.ndarray, int]:
    for name in ("vertex_indices", "vertex_index"):
        if isinstance(listed := columns.get(name), tuple):
            counts, corners = listed
            return triangles(counts, whole(corners.astype(np.float64))), len(counts)
    if columns:
        raise ValueError("faces without vertex_indices")
    return np.empty((0, 3), dtype=np.int64), 0


def _stacked(columns: _Columns, names: str | tuple[str, ...]) -> np.ndarray | None:
    found = [columns[name] for name in names if name in columns]
    if len(found) < 3 or any(isinstance(column, tuple) for column in found):
        return None
    return np.stack(found, axis=1).astype(np.float64)


def _header(text: str) -> tuple[str, list[_Element]]:
    order, elements = "", list[_Element]()
    for line in text.splitlines()[1:]:
        match line.split():
            case ["format", name, *_] if name in _ORDERS:
                order = _ORDERS[name]
            case ["element", name, length] if length.isdecimal():
                elements.append(_Element(name, int(length)))
            case ["property", "list", count, kind, name] if elements:
                listed = _Property(name, _type(kind, order), _type(count, order))
                elements[-1].properties.append(listed)
            case ["property", kind, name] if elements:
                elements[-1].properties.append(_Property(name, _type(kind, order)))
            case [] | ["comment" | "obj_info", *_]:
                pass
            case _:
                raise ValueError(f"its header says {line[:60]!r}")
    if not order:
        raise ValueError("its header names no format")
    return order, elements


def _type(name: str, order: str) -> np.dtype:
    if name not in _TYPES or not order:
        raise ValueError(f"its header says {name[:60]!r} where a type should be")
    return np.dtype(np.float64 if order == "=" else order + _TYPES[name])


def _read(body: bytes, at: int, element: _Element) -> tuple[_Columns, int]:
    """Columns of the element that starts at a byte, and the byte after it."""
    properties, length = element.properties, element.length
    if not properties or not length:
        return {}, at
    if length * sum((p.count or p.type).itemsize for p in properties) > len(body) - at:
        raise ValueError(f"its header declares {length:,} of {element.name}, more than it holds")
    sizes, row = _first_row(body, at, properties)
    if length * row.itemsize <= len(body) - at:
        table = np.frombuffer(body, row, length, at)
        if all((table[_count(name)] == size).all() for name, size in sizes.items()):
            return {
                p.name: (table[_count(p.name)].astype(np.int64), table[p.name].reshape(-1))
                if p.count
                else table[p.name]
                for p in properties
            }, at + length * row.itemsize
    return _read_rows(body, at, element)


def _count(name: str) -> str:
    return f"{name} count"  # Names in the header have no spaces, so this one is unused.


def _first_row(
    body: bytes, at: int, properties: list[_Property]
) -> tuple[dict[str, int], np.dtype]:
    """Lengths of the lists in the first row, and the layout of all rows if theirs are equal."""
    sizes: dict[str, int] = {}
    fields: list[tuple] = []
    for p in properties:
        if p.count is None:
            fields.append((p.name, p.type))
        else:
            begin = at + np.dtype(fields).itemsize
            sizes[p.name] = int(_values(body, begin, p.count, 1)[0])
            if not 0 <= sizes[p.name] * p.type.itemsize <= len(body):
                raise ValueError(f"a list of {sizes[p.name]:,} is longer than the file")
            fields += [(_count(p.name), p.count), (p.name, p.type, (sizes[p.name],))]
    return sizes, np.dtype(fields)


def _read_rows(body: bytes, at: int, element: _Element) -> tuple[_Columns, int]:
    """Like `_read`, row by row, for lists of different lengths."""
    counts: dict[str, list[int]] = {p.name: [] for p in element.properties}
    values: dict[str, list[np.ndarray]] = {p.name: [] for p in element.properties}
    for _ in range(element.length):
        for p in element.properties:
            size = 1
            if p.count is not None:
                size = int(_values(body, at, p.count, 1)[0])
                at += p.count.itemsize
            values[p.name].append(_values(body, at, p.type, size))
            counts[p.name].append(size)
            at += size * p.type.itemsize
    joined = {name: np.concatenate(parts) for name, parts in values.items()}
    return {
        p.name: (np.array(counts[p.name]), joined[p.name]) if p.count else joined[p.name]
        for p in element.properties
    }, at


def _values(body: bytes, at: int, kind: np.dtype, size: int) -> np.ndarray:
    if size < 0 or at + size * kind.itemsize > len(body):
        raise ValueError("it ends too early")
    return np.frombuffer(body, kind, size, at)
