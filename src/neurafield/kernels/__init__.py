"""Kernels: operations that exist more than once, a truth and fast versions of it.

One folder an operation: `reference.py`, plain torch, is the truth; `native.py` calls the compiled
library; `__init__.py` is the one function that chooses. How it chooses is in `dispatch`.
Nothing above `geometry` may be imported here.
"""

from . import adam as adam
from . import dispatch as dispatch
from . import fused_mlp as fused_mlp
from . import fused_mlp_jet as fused_mlp_jet
from . import grid as grid
from . import mesh_distance as mesh_distance
