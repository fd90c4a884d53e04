"""Named architectures: every one builds, and matches a budget."""

import dataclasses

import numpy as np
import pytest
import torch

from neurafield.architectures import ARCHITECTURES, DEFAULTS, plan
from neurafield.architectures.hash_size import default_size
from neurafield.architectures.names import default_width
from neurafield.cli.main import build_parser
from neurafield.geometry import Grid
from neurafield.signals import AbstractLayout, Audio, Image, Video, Volume

LAYOUTS = {
    "image": Image.from_array(np.zeros((64, 53, 3), np.uint8)).layout,
    "audio": Audio.from_array(np.zeros((9000, 2), np.float32), sample_rate=8000).layout,
    "video": Video.from_array(np.zeros((5, 16, 24, 3), np.uint8), frame_rate=5).layout,
    "volume": Volume.from_array(np.zeros((9, 11, 13))).layout,
}


@pytest.mark.parametrize("kind", LAYOUTS)
@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("budget", [10_000, 200_000])
def test_budget_is_met_within_five_percent(arch: str, kind: str, budget: int) -> None:
    layout: AbstractLayout = LAYOUTS[kind]
    field = plan(layout, arch, num_parameters=budget).field
    assert abs(field.num_parameters / budget - 1) < 0.05
    assert (field.in_dim, field.out_dim) == (layout.in_dim, layout.channels)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_kind_has_a_default(kind: str) -> None:
    assert plan(LAYOUTS[kind]).arch == DEFAULTS[kind]


def test_width_grows_with_the_signal() -> None:
    small, large = (Image.from_array(np.zeros((n, n), np.uint8)).layout for n in (32, 2048))
    assert default_width(small) < default_width(large)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_the_grid_tells_samples_apart_and_stays_within_its_table(kind: str) -> None:
    layout: AbstractLayout = LAYOUTS[kind]
    size = default_size(layout)
    assert all(f > n for f, n in zip(size.finest_resolution, layout.shape, strict=True))
    assert max(size.base_resolution) <= 32
    assert size.num_parameters <= 16 * 2 * 2**size.log2_table_size
    field = plan(layout, "hash").field
    assert field.encoding.table.numel() == size.num_parameters


def test_the_table_grows_with_the_signal_up_to_a_limit() -> None:
    sizes = [Grid.centres((n, n)) for n in (16, 256, 1024, 8192, 16384)]
    rows = [
        default_size(dataclasses.replace(LAYOUTS["image"], grid=grid)).log2_table_size
        for grid in sizes
    ]
    assert rows == [8, 12, 16, 19, 19]


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (2, 3)])
def test_odd_pictures_have_a_plan(shape: tuple[int, int]) -> None:
    picture = Image.from_array(np.zeros(shape, np.uint8))
    field = plan(picture.layout).field
    assert field(torch.zeros(3, 2)).shape == (3, 1)


def test_the_seed_decides_the_parameters() -> None:
    first, second, other = (plan(LAYOUTS["image"], seed=s).field.state_dict() for s in (0, 0, 1))
    for name in ("network.layers.0.weight", "encoding.table"):
        assert (first[name] == second[name]).all()
        assert (first[name] != other[name]).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arch": "resnet50"}, "hash, siren, fourier, positional, relu, got 'resnet50'"),
        ({"num_parameters": 3}, "3 are too few for a hash grid .* such as siren"),
        ({"arch": "siren", "num_parameters": 3}, "expected .* for this architecture, got 3"),
        ({"num_parameters": 10**12}, "are too many for a hash grid"),
    ],
)
def test_out_of_reach_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan(LAYOUTS["image"], **arguments)


def test_help_names_every_architecture() -> None:
    # The parser does not import torch, so it cannot ask; this keeps it honest.
    text = " ".join(
        build_parser()._subparsers._group_actions[0].choices["fit"].format_help().split()
    )
    assert "hash, siren, fourier, positional or relu" in text
    assert list(ARCHITECTURES) == ["hash", "siren", "fourier", "positional", "relu"]
