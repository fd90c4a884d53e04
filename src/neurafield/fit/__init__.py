"""Fitting: problems made of constraints and penalties, the one training loop, and metrics.

The types are `Constraint`, `Penalty` and `Result`. Nothing from `cli` may be imported here.
"""

from . import losses as losses
from . import metrics as metrics
from . import schedule as schedule
from . import shape_losses as shape_losses
from .adam import Adam as Adam
from .adam import default_optimizer as default_optimizer
from .checkpoint import Checkpoint as Checkpoint
from .checkpoint import Checkpointing as Checkpointing
from .checkpoint import read_settings as read_settings
from .evaluates_loss import EvaluatesLoss as EvaluatesLoss
from .gauss_newton import GaussNewton as GaussNewton
from .gauss_newton import gauss_newton as gauss_newton
from .last_layer import NormalEquations as NormalEquations
from .last_layer import solve_last_layer as solve_last_layer
from .lbfgs import lbfgs as lbfgs
from .least_squares import least_squares as least_squares
from .limits import Limits as Limits
from .loop import fit as fit
from .objective import Objective as Objective
from .penalty import lipschitz_penalty as lipschitz_penalty
from .problem import Constraint as Constraint
from .problem import Penalty as Penalty
from .problem import Problem as Problem
from .problem import Term as Term
from .progress import Callback as Callback
from .progress import JsonLines as JsonLines
from .progress import Progress as Progress
from .progress import ProgressBar as ProgressBar
from .progress import TensorBoard as TensorBoard
from .result import Result as Result
from .run import Run as Run
from .trained import Trained as Trained
