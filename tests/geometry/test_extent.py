"""Extents: what every layout gives, and what is refused."""

import inspect

import numpy as np
import pytest

from neurafield import signals
from neurafield.geometry import Extent
from neurafield.shapes import ShapeLayout
from neurafield.signals import AbstractLayout, Audio, Image, Video, Volume

LAYOUTS = [
    Image.from_array(np.zeros((7, 5, 3), np.uint8)).layout,
    Audio.from_array(np.zeros((11, 2), np.float32), sample_rate=8).layout,
    Video.from_array(np.zeros((2, 5, 3, 3), np.uint8), frame_rate=5).layout,
    Volume.from_array(np.zeros((2, 3, 5))).layout,
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.kind)
def test_a_layout_gives_its_extent(layout: AbstractLayout) -> None:
    extent = layout.extent
    assert (extent.shape, extent.out_dim, extent.kind) == (
        layout.shape,
        layout.channels,
        layout.kind,
    )
    assert (extent.in_dim, extent.num_samples) == (layout.in_dim, layout.grid.num_samples)
    assert extent.num_values == layout.grid.num_samples * layout.channels


def test_every_kind_of_layout_is_tested() -> None:
    public = {
        kind
        for kind in vars(signals).values()
        if inspect.isclass(kind)
        and issubclass(kind, AbstractLayout)
        and not inspect.isabstract(kind)
    }
    assert public == {type(layout) for layout in LAYOUTS}


def test_a_shape_has_an_extent_over_space_and_time() -> None:
    assert ShapeLayout().extent == Extent((128,) * 3, 1, "shape")
    assert ShapeLayout(times=(0.0, 1.0)).extent.in_dim == 4


@pytest.mark.parametrize(("shape", "out_dim"), [((), 1), ((3, 0), 1), ((3,), 0), ((-1,), 2)])
def test_nothing_is_refused(shape: tuple[int, ...], out_dim: int) -> None:
    with pytest.raises(ValueError, match="Extent: expected positive"):
        Extent(shape, out_dim, "image")
