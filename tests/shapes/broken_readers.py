"""Readers that fail at some files: what the child of `mutants.py` must notice."""

import os
import time
from pathlib import Path

import torch

from neurafield import SignalError
from neurafield.shapes import Mesh, PointCloud, read_shape


def faulty(path: Path) -> Mesh | PointCloud:
    """Fails in another way at each damaged file but the first."""
    number = path.name.split("-")[0]
    if number == "1":
        bytearray(2**30)
    if number == "2":
        raise KeyError("stray")
    if number == "3":
        return Mesh(torch.zeros(0, 3).double(), torch.zeros(0, 3).long())
    if number == "4":
        raise SignalError("something is wrong")
    if number == "5":
        os.abort()
    return read_shape(path)


def endless(path: Path) -> Mesh | PointCloud:
    """Comes back from none but the first damaged file."""
    if path.name.startswith("1-"):
        time.sleep(1000)
    return read_shape(path)
