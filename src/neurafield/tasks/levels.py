"""Constraints on every level of detail of a field."""

import dataclasses

from .. import architectures
from ..errors import ArgumentError
from ..fit import Constraint, Problem
from ..maps import LevelOfDetail


def at_every_level(whole: Constraint, plan: architectures.Plan) -> Problem:
    """The constraint at every level of detail, all with the same weight.

    Args:
        whole: Constraint on the whole field, which is the last level.
        plan: Plan of the field.

    Raises:
        ArgumentError: If the architecture has only one level.
    """
    num_coarser = plan.field.num_lods - 1
    if not num_coarser:
        raise ArgumentError(
            f"fit: expected an architecture with levels of detail for levels, got {plan.arch}. "
            "Use hash, nglod or bacon."
        )
    coarser = [
        dataclasses.replace(whole, map=LevelOfDetail(lod), name=f"level {lod}")
        for lod in range(num_coarser)
    ]
    return [*coarser, whole]
