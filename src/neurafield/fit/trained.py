"""Everything that a problem trains: the field, and each map, loss, signal or penalty module."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .problem import Term


class Trained(nn.Module):
    """A field and the unknowns of a problem, as one module.

    Optimizers, checkpoints and the check for NaN take it in place of the field. Its parameters are
    those of the field, in their order, followed by the unknowns.

    Attributes:
        flat: List of all parameters.

    Args:
        field: Field.
        terms: Terms of the problem. Modules among their maps, losses, signals and functions are
            trained too. A module in several terms is named after the first.

    Example:
        >>> from neurafield import Field, maps, networks, signals
        >>> from neurafield.fit import Constraint
        >>> k = nn.Parameter(torch.tensor(1.0))
        >>> rate = maps.Residual(lambda u, x, k: u.d(0) - k * u.value, k=k)
        >>> points = signals.Samples(torch.zeros(1, 1), torch.zeros(1, 1))
        >>> decay = Constraint(signal=points, map=rate, name="decay")
        >>> list(Trained(Field(networks.Siren(1, 1, width=4, depth=1)), [decay]).unknowns())
        ['decay.k']
    """

    def __init__(self, field: nn.Module, terms: Sequence[Term]) -> None:
        super().__init__()
        self.field = field
        own = {id(module) for module in field.modules()}
        self.names: list[str] = []
        self.others = nn.ModuleList()
        for term in terms:
            for index, module in enumerate(term.modules):
                if id(module) in own:
                    continue
                own.add(id(module))
                self.names.append(term.name if index == 0 else f"{term.name}.{index}")
                self.others.append(module)
        # Asked several times a step; walking over all modules is some 4 % of a short one.
        self.flat = list(self.parameters())

    def unknowns(self) -> dict[str, nn.Parameter]:
        """Parameters trained beside the field's, named `term.parameter`."""
        if not self.others:
            return {}
        known = {id(parameter) for parameter in self.field.parameters()}
        found: dict[str, nn.Parameter] = {}
        for name, module in zip(self.names, self.others, strict=True):
            for key, parameter in module.named_parameters():
                if id(parameter) not in known and parameter.requires_grad:
                    known.add(id(parameter))
                    found[f"{name}.{key}"] = parameter
        return found

    def scalars(self) -> dict[str, float]:
        """Values of the scalar unknowns, for progress reports."""
        return {name: p.item() for name, p in self.unknowns().items() if p.numel() == 1}

    def snapshot(self) -> dict[str, Tensor]:
        """A copy of the unknowns."""
        return {name: p.detach().clone() for name, p in self.unknowns().items()}

    def display_name(self, name: str) -> str:
        """Name of a parameter for messages: without the prefixes of this module."""
        if not name.startswith("others."):
            return name.removeprefix("field.")
        _, index, rest = name.split(".", 2)
        return f"{self.names[int(index)]}.{rest}"

    def like(self) -> Tensor:
        """A parameter, whose device and dtype the queries get."""
        return self.flat[0]

    def check(self, owner: str) -> None:
        """Checks that there is a parameter to train.

        Raises:
            ValueError: If no parameter requires a gradient, or one is complex.
        """
        if not any(parameter.requires_grad for parameter in self.parameters()):
            raise ValueError(f"{owner}: expected a field with parameters to train, got none.")
        for name, parameter in self.named_parameters():
            if parameter.is_complex():
                raise ValueError(
                    f"{owner}: expected real parameters, got a complex {self.display_name(name)}. "
                    "Use two parameters: the real and the imaginary part."
                )

    def untrained_leaf(self, prediction: Tensor) -> Tensor | None:
        """A parameter that a prediction depends on and that is not trained, or None.

        For example, a function may close over a parameter instead of taking it as an argument.
        """
        known = {id(parameter) for parameter in self.parameters()}
        seen = set()
        pending = [prediction.grad_fn]
        while pending:
            node = pending.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            leaf = getattr(node, "variable", None)
            if isinstance(leaf, nn.Parameter) and id(leaf) not in known:
                return leaf
            pending += [before for before, _ in node.next_functions]
        return None


def check_leaves(owner: str, term: Term, value: Tensor, trained: Trained) -> None:
    """Checks that a value of a term depends on trained parameters only.

    Raises:
        ValueError: If it depends on a parameter that is not trained.
    """
    leaf = trained.untrained_leaf(value)
    if leaf is not None:
        raise ValueError(
            f"{owner}: expected {term.title} to depend on trained parameters only, got a parameter "
            f"of shape {tuple(leaf.shape)} that is not trained. Pass it by name: "
            "Residual(lambda u, x, k: ..., k=k)."
        )


def first_not_finite(
    values: dict[str, float], terms: Sequence[Term], trained: Trained
) -> str | None:
    """Name of the first term, or else parameter, whose loss or gradient is not finite."""
    for term in terms:
        if not math.isfinite(values[term.name]):
            return f"the loss of {term.title}"
    gradients = [_values(p.grad) for p in trained.flat if p.grad is not None]
    if torch.nn.utils.get_total_norm(gradients).isfinite():
        return None
    for name, parameter in trained.named_parameters():
        if parameter.grad is not None and not _values(parameter.grad).isfinite().all():
            return f"the gradient of {trained.display_name(name)}"
    return "the norm of the gradient"


def _values(gradient: Tensor) -> Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient
