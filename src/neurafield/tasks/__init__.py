"""Tasks: from a file to a fitted field, for every kind of input; what `neurafield fit` does.

The one type is `AbstractTask`; `fit_file` runs one from beginning to end. Nothing is printed here,
and nothing from `cli` may be imported.
"""

from ._base import AbstractTask as AbstractTask
from .fit_file import fit_file as fit_file
from .fit_file import read_task as read_task
from .result import FitResult as FitResult
from .settings import Settings as Settings
from .shape import ShapeTask as ShapeTask
from .shape_distance import accuracy as accuracy
from .shape_distance import distance_constraint as distance_constraint
from .signal import SignalTask as SignalTask
from .signal import measured_part as measured_part
from .training import train as train
