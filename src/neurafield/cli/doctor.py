"""`neurafield doctor`: facts about the machine and the installation."""

import argparse
import importlib.util

from .shared.command import DONE, Command

_EXTRAS = {
    "image": ("tifffile", "imagecodecs"),
    "audio": ("soundfile",),
    "video": ("av",),
    "volume": ("nibabel", "tifffile", "imagecodecs"),
    "mesh": ("trimesh", "scipy"),
    "plot": ("matplotlib",),
    "tensorboard": ("tensorboard",),
}
_NEEDED_FOR = {
    "image": "TIFF, and PNG with 16 bits",
    "audio": "sound",
    "video": "video",
    "volume": "NIfTI and TIFF stacks",
    "mesh": "STL and GLB, and normals of points",
    "plot": "neurafield compare, analyze and solve",
    "tensorboard": "neurafield fit --tensorboard",
}


def _add_options(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


COMMAND = Command(
    name="doctor",
    summary="show what this machine and this installation can do",
    details="Missing optional packages are listed with the command that installs them.",
    add_options=_add_options,
    module=__name__,
)


def run(arguments: argparse.Namespace) -> int:
    """Print one fact per line."""
    from .. import system
    from ..kernels import dispatch

    kernels = dispatch.describe()
    for name, value in system.describe().items():
        print(f"{name + ':':<14}{'none' if value is None else value}")
    print(f"{'kernels:':<14}{kernels}")
    for extra, modules in _EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            hint = f"missing {', '.join(missing)}: pip install 'neurafield[{extra}]'"
        else:
            hint = "ready"
        print(f"{extra + ':':<14}{hint}, for {_NEEDED_FOR[extra]}")
    return DONE
