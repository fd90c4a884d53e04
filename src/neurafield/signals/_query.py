"""The protocol of queries: what a signal draws and a map takes."""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Query(Protocol):
    """A batch of queries, one per target: coordinates, rays, members of a set.

    A tensor of coordinates meets this protocol as it is, and so does `geometry.Rays`. A query of
    your own needs these three methods, and has to agree with the map that reads it.

    Example:
        >>> isinstance(torch.zeros(7, 2), Query)
        True
    """

    def __len__(self) -> int:
        """Number of queries."""

    def __getitem__(self, part: slice | Tensor) -> "Query":
        """Some of the queries: a slice (a micro-batch), or the indices of those to keep."""

    def to(self, like: Tensor) -> "Query":
        """The same queries with the device of `like`; coordinates also take its type."""
