"""Named architectures: every one builds, and matches a budget."""

import pytest
import torch

from neurafield.architectures import ARCHITECTURES, DEFAULTS, plan, plan_for_shape, serving
from neurafield.architectures.hash_size import default_size
from neurafield.architectures.networks import default_width
from neurafield.geometry import Extent
from neurafield.shapes import ShapeLayout

EXTENTS = {
    extent.kind: extent
    for extent in (
        Extent((64, 53), 3, "image"),
        Extent((9000,), 2, "audio"),
        Extent((5, 16, 24), 3, "video"),
        Extent((23, 23, 23), 1, "volume"),
        ShapeLayout().extent,
    )
}
SERVED = [(name, kind) for kind, extent in EXTENTS.items() for name in serving(extent)]
COARSE = [("fourier", "audio"), ("hash", "volume"), ("hash", "video"), ("nglod", "volume")]
"""What a step in size is more than 10 % of, at 3,000 parameters."""


def check_budget(extent: Extent, arch: str, budget: int, within: float = 0.05) -> None:
    field = plan(extent, arch, num_parameters=budget).field
    assert abs(field.num_parameters / budget - 1) < within
    assert (field.in_dim, field.out_dim) == (extent.in_dim, extent.out_dim)


@pytest.mark.parametrize(("arch", "kind"), SERVED[::7])
def test_budget_is_met(arch: str, kind: str) -> None:
    check_budget(EXTENTS[kind], arch, 10_000)


@pytest.mark.slow
@pytest.mark.parametrize(("arch", "kind"), SERVED)
@pytest.mark.parametrize("budget", [3_000, 10_000, 100_000])
def test_every_budget_is_met(arch: str, kind: str, budget: int) -> None:
    if budget == 3_000 and (arch, kind) in COARSE:
        pytest.skip("too small for it")
    check_budget(EXTENTS[kind], arch, budget)


def test_check_budget_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_budget(EXTENTS["image"], "siren", 10_000, within=0.001)


@pytest.mark.parametrize(("arch", "kind"), SERVED)
def test_every_default_can_be_drawn(arch: str, kind: str) -> None:
    field = plan(EXTENTS[kind], arch).field
    drawn = field(torch.linspace(-1, 1, 7)[:, None].expand(7, field.in_dim))
    assert drawn.shape == (7, field.out_dim)
    assert drawn.isfinite().all()


@pytest.mark.parametrize("kind", EXTENTS)
def test_every_kind_has_a_default(kind: str) -> None:
    assert plan(EXTENTS[kind]).arch == DEFAULTS[kind]


def test_width_grows_with_the_signal() -> None:
    small, large = (Extent((n, n), 1, "image") for n in (32, 2048))
    assert default_width(small) < default_width(large)


@pytest.mark.parametrize("kind", EXTENTS)
def test_the_grid_tells_samples_apart_and_stays_within_its_table(kind: str) -> None:
    extent: Extent = EXTENTS[kind]
    size = default_size(extent)
    assert all(f > n for f, n in zip(size.finest_resolution, extent.shape, strict=True))
    assert max(size.base_resolution) <= 32
    assert size.num_parameters <= 16 * 2 * 2**size.log2_table_size
    field = plan(extent, "hash").field
    assert field.encoding.table.numel() == size.num_parameters


def test_the_table_grows_with_the_signal_up_to_a_limit() -> None:
    sizes = [Extent((n, n), 3, "image") for n in (16, 256, 1024, 8192, 16384)]
    rows = [default_size(extent).log2_table_size for extent in sizes]
    assert rows == [8, 12, 16, 19, 19]


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (2, 3)])
def test_odd_pictures_have_a_plan(shape: tuple[int, int]) -> None:
    field = plan(Extent(shape, 1, "image")).field
    assert field(torch.zeros(3, 2)).shape == (3, 1)


def test_the_seed_decides_the_parameters() -> None:
    first, second, other = (plan(EXTENTS["image"], seed=s).field.state_dict() for s in (0, 0, 1))
    for name in ("network.layers.0.weight", "encoding.table"):
        assert (first[name] == second[name]).all()
        assert (first[name] != other[name]).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arch": "resnet50"}, "one of .*names.*, got 'resnet50'.*siren"),
        ({"num_parameters": 3}, "3 are too few for a hash grid .* such as siren"),
        ({"arch": "siren", "num_parameters": 3}, "expected .* for this architecture, got 3"),
        ({"num_parameters": 10**12}, "are too many for a hash grid"),
    ],
)
def test_out_of_reach_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan(EXTENTS["image"], **arguments)


def test_names_and_the_signals_they_serve() -> None:
    assert set(serving(EXTENTS["image"])) == set(ARCHITECTURES)
    assert set(ARCHITECTURES) - set(serving(EXTENTS["audio"])) == {
        "k-planes",
        "mesh",
        "tri-plane",
        "vm",
    }
    with pytest.raises(ValueError, match=r"supports 1 coord.*audio.*'tri-plane'.* 2 or 3"):
        plan(EXTENTS["audio"], "tri-plane")


def test_another_seed_has_the_same_size() -> None:
    first = plan(EXTENTS["image"], "siren", num_parameters=5000)
    second = first.with_seed(1)
    assert repr(second) == repr(first.field)
    weights = [field.network.layers[0].weight for field in (first.field, second)]
    assert not torch.equal(*weights)
    assert torch.equal(first.with_seed(0).network.layers[0].weight, weights[0])


def test_a_kind_of_ones_own_needs_a_name() -> None:
    spectrum = Extent((100, 4), 1, "spectrum")
    assert plan(spectrum, "dense").field.in_dim == 2
    with pytest.raises(ValueError, match=r"one of .*names.*, got ''"):
        plan(spectrum)


def test_a_shape_is_sized_like_a_volume() -> None:
    shape = ShapeLayout()
    volume = Extent((128,) * 3, 1, "volume")
    for name in ("hash", "siren", "fourier", "dense"):
        field = plan_for_shape(shape, name, num_parameters=20_000).field
        assert (
            field.num_parameters == plan(volume, name, num_parameters=20_000).field.num_parameters
        )
    assert plan_for_shape(shape).arch == DEFAULTS["shape"]
    with pytest.raises(ValueError, match=r"supports 4 coordinates .shape."):
        plan_for_shape(ShapeLayout(times=(0.0, 1.0)))
