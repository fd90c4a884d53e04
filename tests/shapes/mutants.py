"""A child process, in which damaged files are read: `python mutants.py READER FIRST LAST FOLDER`.

Each line that it prints is one damaged file's: its name when it begins, then what came of it. So
the parent sees at which file a crash, a hang or too much memory ended it.
"""

import importlib
import random
import resource
import signal
import sys
from pathlib import Path

import shape_files as make

SECONDS = 5
MEGABYTES = 400
WORDS = b"nan inf -1 0 1e999 2147483648 4294967295 99999999999999999999 f v element / # ,".split()


def wholes() -> dict[str, bytes]:
    """Files that are read well."""
    vertices, faces = make.sphere(rows=5)
    squares = make.box()
    return {
        "a.obj": make.obj(vertices, faces),
        "quads.obj": make.obj(*squares, begin="mtllib a.mtl"),
        "ascii.ply": make.ply(vertices, faces),
        "mixed.ply": make.ply(squares[0], [*squares[1][1:], *make.split(squares[1][:1])]),
        "little.ply": make.ply(vertices, faces, "binary_little_endian"),
        "big.ply": make.ply(
            squares[0], [*make.split(squares[1][:1]), *squares[1][1:]], "binary_big_endian"
        ),
        "points.ply": make.ply(vertices, [], "binary_little_endian", normals=vertices),
        "a.stl": make.stl(vertices, faces),
        "ascii.stl": make.stl_ascii(*squares),
        "a.off": make.off(vertices, faces),
        "a.glb": make.glb(vertices, faces),
        "a.xyz": make.xyz(vertices, vertices),
    }


def mutate(data: bytes, dice: random.Random) -> bytes:
    """One to four changes: of bits, bytes, numbers, lines, or the length."""
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data)) if data else 0
        end = min(len(data), at + dice.choice((1, 2, 4, 16, 64)))
        change = dice.randrange(8)
        if change == 0:
            data = data[:at] + bytes(dice.randrange(256) for _ in range(end - at)) + data[end:]
        elif change == 1 and data:
            data = data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
        elif change == 2:
            data = data[:at] + data[end:]
        elif change == 3:
            data = data[:at]
        elif change == 4:
            data = data[:end] + data[at:end] * dice.randint(1, 9) + data[end:]
        elif change == 5:
            words = data.split(b" ")
            words[dice.randrange(len(words))] = dice.choice(WORDS)
            data = b" ".join(words)
        elif change == 6:
            lines = data.split(b"\n")
            dice.shuffle(lines) if dice.random() < 0.2 else lines.pop(dice.randrange(len(lines)))
            data = b"\n".join(lines)
        else:
            value = dice.choice((0, 2**31 - 1, 2**31, 2**32 - 1, 0x7FC00000, 0x7F800000))
            data = data[:at] + value.to_bytes(4, dice.choice(("little", "big"))) + data[at + 4 :]
    return data


def outcome(reader, path: Path) -> str:
    """`mesh`, `points`, `refused`, or what is wrong with what came back."""
    from neurafield import SignalError, shapes

    try:
        shape = reader(path)
    except SignalError as error:
        text = str(error)
        return "refused" if str(path) in text and "\n" not in text else f"BAD: says {text!r}"
    except BaseException as error:
        return f"BAD: {type(error).__name__}: {error}".replace("\n", " ")
    if isinstance(shape, shapes.Mesh):
        good = len(shape.faces) and shape.vertices.isfinite().all() and (shape.areas > 0).all()
        return "mesh" if good else "BAD: empty or infinite mesh"
    good = len(shape.points) >= 4 and shape.points.isfinite().all()
    if shape.normals is not None:
        good = good and ((shape.normals.norm(dim=1) - 1).abs() < 1e-9).all()
    return "points" if good else "BAD: points"


def limit_memory() -> None:
    """What has been given already, and a little more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main(reader: str, first: int, last: int, folder: Path) -> None:
    module, name = reader.split(":")
    read = getattr(importlib.import_module(module), name)
    files = wholes()
    for name, data in files.items():  # All that is imported on first use.
        path = folder / name
        path.write_bytes(data)
        print(name, outcome(read, path), flush=True)
    limit_memory()
    names = list(files)
    for number in range(first, last):
        name = names[number % len(names)]
        path = folder / f"{number}-{name}"
        path.write_bytes(mutate(files[name], random.Random(number)))
        print(path.name, end=" ", flush=True)
        signal.alarm(SECONDS)
        print(outcome(read, path), flush=True)
        signal.alarm(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
