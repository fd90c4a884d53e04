"""The types of a signal, and the evaluation of a field on a layout's grid."""

import dataclasses
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from .._blocks import BLOCK, in_blocks
from ..errors import SignalError
from ..geometry import Grid
from ._layout import AbstractLayout
from .sampling import draw_indices

LayoutT = TypeVar("LayoutT", bound=AbstractLayout)


class AbstractSignal(ABC):
    """Observations, from which batches of queries and targets are drawn."""

    in_dim: int
    out_dim: int

    @abstractmethod
    def batch(self, size: int | None, *, seed: int, step: int, stream: int = 0) -> tuple[Any, Any]:
        """Draw a batch that depends on seed, step and stream alone.

        Args:
            size: Number of samples; None for all of them, in order.
            seed: Seed of the run.
            step: Number of the batch.
            stream: Index of the constraint in the problem.

        Returns:
            The query that a map takes, and the target of its prediction. Both are cut along their
            first axis into micro-batches.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of all observations: signals with equal fingerprints give equal fits."""


class AbstractGridSignal(AbstractSignal, Generic[LayoutT]):
    """Samples on a regular grid, stored as in the file and normalised when drawn.

    Args:
        data: File values of shape `(*layout.shape, layout.channels)`.
        layout: Grid and meaning of the values.

    Raises:
        SignalError: If the data has another shape.
    """

    def __init__(self, data: Shaped[np.ndarray, "..."], layout: LayoutT) -> None:
        expected = (*layout.shape, layout.channels)
        if data.shape != expected:
            raise SignalError(
                f"{type(self).__name__}: expected data of shape {expected}, got {data.shape}."
            )
        # Batches are drawn from a flat view; for a strided array each view would be a copy.
        self.data = data if data.flags.c_contiguous else np.ascontiguousarray(data)
        self.layout = layout
        self.in_dim = layout.in_dim
        self.out_dim = layout.channels

    @property
    def num_samples(self) -> int:
        """Number of samples in the whole signal."""
        return self.layout.grid.num_samples

    def batch(
        self, size: int | None, *, seed: int, step: int, stream: int = 0
    ) -> tuple[Float[Tensor, "n in_dim"], Float[Tensor, "n out_dim"]]:
        if size is None:
            indices = np.arange(self.num_samples)
        else:
            indices = draw_indices(self.num_samples, size, seed=seed, step=step, stream=stream)
        values = self.data.reshape(-1, self.out_dim)[indices]
        return self.layout.grid.coords(indices), self.layout.normalise(values)

    def save(
        self, values: Float[Tensor, "..."] | Iterable[Float[Tensor, "..."]], path: str | Path
    ) -> None:
        """Write normalised values as a file of this kind, with this signal's metadata.

        Args:
            values: Values of shape `(*shape, out_dim)`, or parts of them along the first axis in
                order. Another size along the resizable axes is a rendering of the whole signal;
                for a part, use `signal.layout.resized` and its `write`.
            path: Output file; the suffix chooses the format.

        Raises:
            SignalError: If the format cannot hold this signal, or the shape does not fit.
            OSError: If the file cannot be written.
        """
        path = Path(path)
        layout: AbstractLayout = self.layout
        layout.check_writable(path)
        if isinstance(values, Tensor):
            expected = (*layout.shape, layout.channels)
            resizable = all(
                n == m or axis in layout.resizable_axes
                for axis, (n, m) in enumerate(zip(values.shape, expected, strict=False))
            )
            if values.ndim != len(expected) or not resizable:
                raise SignalError(
                    f"{path}: expected values of shape {expected}, got {tuple(values.shape)}."
                )
            size = [values.shape[axis] for axis in layout.resizable_axes]
            layout = layout.resized(size=size)
            values = [values]
        layout.write(path, (layout.denormalise(slab) for slab in values))

    def slabs(self, max_samples: int = 2**20) -> Iterator[Float[Tensor, "..."]]:
        """Normalised values in parts of at most `max_samples` samples along the first axis."""
        for start, stop in slab_ranges(self.layout, max_samples):
            yield self.layout.normalise(self.data[start:stop])

    def slices(self, rows: range) -> "AbstractGridSignal[Any]":
        """A signal with some of the slices along the first axis: frames, or slices of a volume.

        It serves measures and pictures; metadata of the first axis stays that of the whole.
        """
        grid = self.layout.grid
        first = grid.first[0] + rows.start * grid.spacing[0]
        part = Grid(
            (len(rows), *grid.shape[1:]),
            (first, *grid.first[1:]),
            (rows.step * grid.spacing[0], *grid.spacing[1:]),
        )
        data = self.data[rows.start : rows.stop : rows.step]
        return type(self)(data, dataclasses.replace(self.layout, grid=part))

    def fingerprint(self) -> str:
        digest = hashlib.sha256(json.dumps(self.layout.spec(), sort_keys=True).encode())
        for start, stop in slab_ranges(self.layout, 2**22):
            digest.update(np.ascontiguousarray(self.data[start:stop]).data)
        return digest.hexdigest()


def slab_ranges(layout: AbstractLayout, max_samples: int) -> Iterator[tuple[int, int]]:
    """Cut the first axis into parts of at most `max_samples` samples, but at least one row."""
    rows = layout.shape[0]
    step = max(1, max_samples * rows // layout.grid.num_samples)
    for start in range(0, rows, step):
        yield start, min(start + step, rows)


def render(
    field: torch.nn.Module,
    layout: AbstractLayout,
    *,
    max_samples: int = 2**18,
    block: int = BLOCK,
) -> Iterator[Float[Tensor, "..."]]:
    """Evaluate a field on a layout's grid, part by part along the first axis.

    Args:
        field: Field from coordinates to normalised values.
        layout: Layout of the rendering.
        max_samples: Samples per part, but at least one row.
        block: Points per call of the field. 8,192 keeps the activations of a network of width
            256 in the cache, which is twice as fast as a million points at once.

    Yields:
        Values of shape `(n, *layout.shape[1:], channels)`.
    """
    row_size = layout.grid.num_samples // layout.shape[0]
    reference = next(field.parameters(), None)

    def at_samples(block: range) -> Tensor:
        coords = layout.grid.coords(np.arange(block.start, block.stop))
        return field(coords if reference is None else coords.to(reference))

    for start, stop in slab_ranges(layout, max_samples):
        samples = range(start * row_size, stop * row_size)
        values = in_blocks(at_samples, samples, size=block)
        yield values.reshape(stop - start, *layout.shape[1:], layout.channels)
