"""Problems: whole tasks, from what is given to a field, figures and pictures.

The one type is `Solution`. Each module states a problem as constraints, chooses field, sampling
and optimizer, and measures the outcome. Nothing from `cli` may be imported here.
"""

from ._solution import Panel as Panel
from ._solution import Solution as Solution
