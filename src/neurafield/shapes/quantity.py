"""What a field's value says of a shape."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from .._checks import check_positive

Name = Literal["sdf", "tsdf", "occupancy", "udf"]
Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Quantity:
    """What a field's one value means, in coordinates in which the shape is within [-1, 1].

    - `sdf`: signed distance, negative inside.
    - `tsdf`: max(-1, min(1, sdf / truncation)).
    - `occupancy`: the logit of the chance to be inside, so positive inside.
    - `udf`: distance without a sign, for open surfaces.

    Args:
        name: One of these.
        truncation: The distance at which `tsdf` ends; of no meaning for the others.

    Raises:
        ValueError: If the name is another, or the truncation not positive.

    Example:
        >>> import torch
        >>> Quantity("occupancy").implicit(lambda x: x.sum(-1, keepdim=True))(torch.ones(2, 3))
        tensor([[-3.],
                [-3.]])
    """

    name: Name = "sdf"
    truncation: float = 0.1

    def __post_init__(self) -> None:
        if self.name not in ("sdf", "tsdf", "occupancy", "udf"):
            raise ValueError(f"Quantity: expected sdf, tsdf, occupancy or udf, got {self.name!r}.")
        check_positive(self, truncation=self.truncation)

    def of_distance(self, distance: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """What a field of this quantity is to give, for signed distances (`udf`: for any).

        Occupancy is 1 inside and on the surface, else 0: the target of a cross-entropy.
        """
        if self.name == "tsdf":
            return (distance / self.truncation).clamp(-1, 1)
        if self.name == "occupancy":
            return (distance <= 0).to(distance)
        return distance.abs() if self.name == "udf" else distance

    def implicit(self, field: Function) -> Function:
        """The field, so that it is negative inside and zero on the surface; for `udf` as it is."""
        return (lambda x: -field(x)) if self.name == "occupancy" else field
