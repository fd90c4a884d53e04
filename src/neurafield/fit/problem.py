"""A problem: the terms of a loss, each a constraint on the field or a penalty."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from .._checks import check_count, check_positive
from .._fingerprint import function_fingerprint
from ..maps import AbstractMap, Identity
from ..signals import AbstractSignal
from .losses import mse


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """A term of a problem: `weight * loss(map(field, query), target)` over a signal's samples.

    Args:
        signal: Source of the queries and targets: the observations.
        map: Forward map of the measurement. A map that is a module is trained with the field.
        loss: Function of prediction and target, a mean over points, so that micro-batches add up.
        weight: Weight of this constraint in the sum of all terms.
        batch_size: Number of samples drawn per step; None for all of them, in order.
        refine: Number of candidates per sample. Above 1, samples are drawn from the candidates,
            preferably those whose prediction is far from the target. This helps with equations
            whose residual is large in small regions. Each step draws anew, even if several steps
            share their candidates (`resample_every`).
        name: Name in logs and errors; different for each term of a problem.

    Raises:
        TypeError: If the signal or the map does not derive from its abstract class.
        ValueError: If a weight or count is out of range, or `refine` is above 1 without a
            `batch_size`.

    Reference:
        Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions,
        NeurIPS 2020, equation 3; integrals are estimated by samples.
    """

    signal: AbstractSignal
    map: AbstractMap = field(default_factory=Identity)
    loss: Callable[[Any, Any], Tensor] = mse
    weight: float = 1.0
    batch_size: int | None = None
    refine: int = 1
    name: str = "data"

    def __post_init__(self) -> None:
        for part, base in ((self.signal, AbstractSignal), (self.map, AbstractMap)):
            if not isinstance(part, base):
                raise TypeError(
                    f"Constraint: expected an instance of {base.__module__.rpartition('.')[0]}."
                    f"{base.__name__}, got {type(part).__name__}. Derive it from {base.__name__}."
                )
        check_positive("Constraint", weight=self.weight)
        if self.batch_size is not None:
            check_count("Constraint", batch_size=self.batch_size, high=2**32)
        check_count("Constraint", refine=self.refine)
        if self.refine > 1 and self.batch_size is None:
            raise ValueError(
                f"Constraint: expected a batch_size for refine={self.refine}, got None, which "
                "leaves nothing to choose from."
            )
        if self.refine > 1 and not self.map.cuts:
            raise ValueError(
                f"Constraint: expected refine=1 for a map that needs all queries at once, got "
                f"{self.refine}: there is no residual per query."
            )

    @property
    def title(self) -> str:
        """Kind and name, for messages."""
        return f"constraint {self.name!r}"

    @property
    def identity(self) -> list[Any]:
        """JSON values that identify the constraint in a checkpoint, apart from its signal."""
        loss = function_fingerprint(self.loss)
        mapped = self.map.fingerprint()
        return [self.name, self.weight, self.batch_size, self.refine, mapped, loss]

    @property
    def modules(self) -> list[nn.Module]:
        """The modules among map, loss and signal, which are trained with the field."""
        parts = (self.map, self.loss, self.signal)
        return [part for part in parts if isinstance(part, nn.Module)]


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """A term of a problem without observations: `weight * function(field)`.

    Examples are Lipschitz bounds, priors of latent codes, the rate of a code and total variation.

    Args:
        function: Function from the field to one value, differentiable with respect to the trained
            parameters. A function that is a module is trained with the field.
        weight: Weight of this penalty in the sum of all terms.
        name: Name in logs and errors; different for each term of a problem.

    Raises:
        TypeError: If `function` is not callable.
        ValueError: If the weight is not positive.

    Example:
        >>> from neurafield import Field, networks, signals
        >>> from neurafield.fit import fit
        >>> field = Field(networks.MLP(1, 1, width=8, depth=1))
        >>> data = Constraint(signal=signals.Samples(torch.zeros(1, 1), torch.ones(1, 1)))
        >>> size = lambda field: sum(p.square().sum() for p in field.parameters())
        >>> fit(field, [data, Penalty(function=size, weight=1e-3, name="size")], steps=5).step
        5
    """

    function: Callable[[Any], Tensor]
    weight: float = 1.0
    name: str = "penalty"

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"Penalty: expected a function of the field, got {self.function!r}.")
        check_positive("Penalty", weight=self.weight)

    @property
    def title(self) -> str:
        """Kind and name, for messages."""
        return f"penalty {self.name!r}"

    @property
    def identity(self) -> list[Any]:
        """JSON values that identify the penalty in a checkpoint."""
        return [self.name, self.weight, function_fingerprint(self.function)]

    @property
    def modules(self) -> list[nn.Module]:
        """The function, if it is a module."""
        return [self.function] if isinstance(self.function, nn.Module) else []


Term = Constraint | Penalty

Problem = Term | Sequence[Term]
"""One term or several; the loss of a problem is their weighted sum."""


def terms_of(owner: str, problem: Problem) -> list[Term]:
    """Returns the terms of a problem after checking them.

    Raises:
        ValueError: If there is no term, or two terms have the same name.
        TypeError: If a term is neither a constraint nor a penalty.
    """
    if not isinstance(problem, Constraint | Penalty | Sequence):
        raise TypeError(
            f"{owner}: expected a constraint, a penalty or a list of them, got "
            f"{type(problem).__name__}. Wrap a signal: Constraint(signal=...)."
        )
    terms = [problem] if isinstance(problem, Constraint | Penalty) else list(problem)
    for term in terms:
        if not isinstance(term, Constraint | Penalty):
            raise TypeError(
                f"{owner}: expected constraints and penalties, got {type(term).__name__}."
            )
    if not terms:
        raise ValueError(f"{owner}: expected at least one term, got an empty list.")
    names = [term.name for term in terms]
    if len(set(names)) < len(names):
        raise ValueError(
            f"{owner}: expected terms with different names, got {names}. Give each a name=."
        )
    return terms


def squared_constraints(
    owner: str, problem: Problem, *, hint: str, refines: bool = False
) -> list[Constraint]:
    """Returns the constraints of a least-squares problem, in which each loss is `mse`.

    Args:
        owner: Name of the solver, for errors.
        problem: The problem.
        hint: Sentence that names the alternative for other losses.
        refines: True for a solver that draws refined batches.

    Raises:
        ValueError: If a term has another loss, is a penalty, has a trained signal, or has refined
            batches that the solver does not draw.
    """
    found = []
    for term in terms_of(owner, problem):
        if isinstance(term, Penalty):
            raise ValueError(
                f"{owner}: expected constraints with the loss mse, got the penalty "
                f"{term.name!r}. {hint}"
            )
        if term.loss is not mse:
            raise ValueError(
                f"{owner}: expected the loss mse in constraint {term.name!r}, got "
                f"{getattr(term.loss, '__name__', term.loss)}. {hint}"
            )
        if isinstance(term.signal, nn.Module):
            raise ValueError(
                f"{owner}: expected a signal without parameters in constraint {term.name!r}, got "
                f"{type(term.signal).__name__}. {hint}"
            )
        if term.refine > 1 and not refines:
            raise ValueError(
                f"{owner}: expected refine=1 in constraint {term.name!r}, got {term.refine}. {hint}"
            )
        found.append(term)
    return found
