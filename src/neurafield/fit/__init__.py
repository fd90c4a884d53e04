"""Fitting: a problem made of constraints, the one training loop, and how good the result is.

The types are `Constraint` and `Result`. Nothing from `cli` may be imported here.
"""

from . import losses as losses
from . import metrics as metrics
from . import schedule as schedule
from . import shape_losses as shape_losses
from .adam import Adam as Adam
from .adam import default_optimizer as default_optimizer
from .checkpoint import Checkpoint as Checkpoint
from .checkpoint import read_settings as read_settings
from .gauss_newton import GaussNewton as GaussNewton
from .gauss_newton import gauss_newton as gauss_newton
from .last_layer import NormalEquations as NormalEquations
from .last_layer import solve_last_layer as solve_last_layer
from .lbfgs import lbfgs as lbfgs
from .least_squares import least_squares as least_squares
from .loop import Result as Result
from .loop import fit as fit
from .penalty import lipschitz_penalty as lipschitz_penalty
from .problem import Constraint as Constraint
from .problem import Problem as Problem
from .progress import Callback as Callback
from .progress import JsonLines as JsonLines
from .progress import Progress as Progress
from .progress import ProgressBar as ProgressBar
from .progress import TensorBoard as TensorBoard
