"""Networks: trainable maps from coordinates or features to values.

The one type is `AbstractNetwork`: `(*batch, in_dim) -> (*batch, out_dim)`. Imports nothing from
`encodings`, `fields`, `signals` or above.
"""

from ._base import AbstractNetwork as AbstractNetwork
from .bacon import Bacon as Bacon
from .finer import Finer as Finer
from .linear import Linear as Linear
from .lipschitz import Lipschitz as Lipschitz
from .mlp import MLP as MLP
from .siren import Siren as Siren
from .wire import Wire as Wire
