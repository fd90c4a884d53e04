"""Maps applied to one level of detail of a field."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from .._checks import check_count
from .._component import AbstractComponent
from ..fields import AbstractField
from ._base import AbstractMap
from .identity import Identity


class LevelOfDetail(AbstractMap, nn.Module):
    """A map of a field at one level of detail, for example to train that level.

    One constraint per level trains all of them, so that each can be rendered by itself.

    Args:
        lod: Level; 0 is the coarsest, and the last one is the whole field.
        of: Map to apply at that level; by default `Identity`.

    Raises:
        ValueError: If `lod` is negative; when called, if the field has no such level.
        TypeError: When called, if the field is a function without levels.

    Example:
        >>> from neurafield import Field, encodings, networks
        >>> grid = encodings.HashGrid(2, num_levels=4, finest_resolution=64)
        >>> field = Field(networks.Linear(grid.out_dim, 1), encoding=grid)
        >>> levels = [LevelOfDetail(lod) for lod in range(field.num_lods)]
        >>> torch.equal(levels[3](field, torch.zeros(2, 2)), field(torch.zeros(2, 2)))
        True
    """

    def __init__(self, lod: int, *, of: AbstractMap | None = None) -> None:
        super().__init__()
        check_count(self, low=0, lod=lod)
        self.lod = lod
        self.of = of or Identity()

    @property
    def cuts(self) -> bool:  # type: ignore[override]
        """True if the map at this level can be cut."""
        return self.of.cuts

    def __call__(self, field: Callable[[Tensor], Tensor], query: Any) -> Any:
        if not isinstance(field, AbstractField | AbstractComponent):
            raise TypeError(
                f"LevelOfDetail: expected a field with levels of detail, got "
                f"{type(field).__name__}."
            )
        return self.of(field.at_lod(self.lod), query)

    def fingerprint(self) -> str:
        return f"{type(self).__name__} {self.lod} {self.of.fingerprint()}"
