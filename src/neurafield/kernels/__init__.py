"""Kernels: operations with a reference in plain torch and faster versions of it.

Each operation has a folder. `reference.py`, plain torch, is the truth. `native.py`, and the module
of any other version, holds the functions of that version on tensors. `autograd.py` makes them
differentiable, for every version alike. `__init__.py` checks the arguments, asks `dispatch` for a
version, and calls it. Nothing above `geometry` may be imported here.
"""

from . import adam as adam
from . import dispatch as dispatch
from . import fused_mlp as fused_mlp
from . import fused_mlp_jet as fused_mlp_jet
from . import grid as grid
from . import library as library
from . import mesh_distance as mesh_distance
