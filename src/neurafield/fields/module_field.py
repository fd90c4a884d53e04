"""Fields made of any torch module."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count, check_last_axis
from ..networks import AbstractNetwork
from ._base import AbstractField
from .field import Field


class ModuleField(AbstractField):
    """A field made of any module; its derivatives come from autodiff.

    It can be trained, drawn, placed in scenes and composed like any field. It cannot be saved,
    since a file holds names and parameters but no code. To save it, derive a class from
    `AbstractField` or `networks.AbstractNetwork`.

    Args:
        module: Module from `(*batch, in_dim)` to `(*batch, out_dim)`, point by point.
        in_dim: Number of coordinates.
        out_dim: Number of values.

    Raises:
        ValueError: If a size is out of range; when called, if the module returns another shape.

    Example:
        >>> import torch
        >>> module = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Tanh())
        >>> ModuleField(module, in_dim=2, out_dim=1)(torch.zeros(7, 2)).shape
        torch.Size([7, 1])
    """

    def __init__(self, module: nn.Module, *, in_dim: int, out_dim: int) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, out_dim=out_dim)
        self.module = module
        self.in_dim, self.out_dim = in_dim, out_dim

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        values: Tensor = self.module(x)
        if values.shape != (*x.shape[:-1], self.out_dim):
            raise ValueError(
                f"ModuleField: expected values of shape {(*x.shape[:-1], self.out_dim)} from "
                f"{type(self.module).__name__}, got {tuple(values.shape)}."
            )
        return values

    def hyperparams(self) -> dict[str, Any]:
        raise TypeError(
            f"ModuleField: expected a field that a file can describe, got a module of the class "
            f"{type(self.module).__name__}. Derive it from "
            "neurafield.fields.AbstractField to save it."
        )


def as_field(
    module: nn.Module, *, in_dim: int | None = None, out_dim: int | None = None
) -> AbstractField:
    """Returns the module itself if it is a field, or else a field made of it.

    Args:
        module: Field; network of `neurafield.networks`, which becomes a `Field` without an
            encoding; or any other module from `(*batch, in_dim)` to `(*batch, out_dim)`.
        in_dim: Number of coordinates; needed for modules without an attribute `in_dim`.
        out_dim: Number of values; needed for modules without an attribute `out_dim`.

    Raises:
        TypeError: If `module` is not a module, or its sizes are neither given nor known.
        ValueError: If a size is out of range, or not that of the field or network.

    Example:
        >>> import torch
        >>> as_field(torch.nn.Linear(2, 1), in_dim=2, out_dim=1).num_parameters
        3
    """
    given = {"in_dim": in_dim, "out_dim": out_dim}
    if isinstance(module, AbstractField | AbstractNetwork):
        for name, size in given.items():
            if size not in (None, getattr(module, name)):
                raise ValueError(
                    f"as_field: expected {name} to be {getattr(module, name)}, as "
                    f"{type(module).__name__} has it, got {size}."
                )
        return Field(module) if isinstance(module, AbstractNetwork) else module
    if not isinstance(module, nn.Module):
        raise TypeError(f"as_field: expected a field or a module, got {type(module).__name__}.")
    sizes: dict[str, int] = {}
    for name, size in given.items():
        known = getattr(module, name, None) if size is None else size
        if not isinstance(known, int):
            raise TypeError(
                f"as_field: expected a field or a module of known sizes, got "
                f"{type(module).__name__} without {name}. Pass it: as_field(module, in_dim=..., "
                "out_dim=...)."
            )
        sizes[name] = known
    return ModuleField(module, **sizes)
