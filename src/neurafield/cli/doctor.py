"""`neurafield doctor`: what this machine and this installation can do."""

import argparse
import importlib.util

from .. import system
from ..kernels import dispatch
from .main import DONE

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
    "mesh": "STL and GLB, and points of a surface",
    "plot": "neurafield compare",
    "tensorboard": "neurafield fit --tensorboard",
}


def run(arguments: argparse.Namespace) -> int:
    """Print one fact a line; what is missing comes with the command that installs it."""
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
