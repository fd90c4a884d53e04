"""Compositions against NumPy, point by point, and against properties of distances."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.testing import assert_close

import neurafield
from neurafield import Field, Placed, Scene, composition, networks
from neurafield._component import registry
from neurafield.composition import (
    AbstractComposition,
    Box,
    Capsule,
    Complement,
    Difference,
    ExtendedBeyondBox,
    FixedInputs,
    HalfSpace,
    Interpolated,
    Intersection,
    Mirrored,
    Offset,
    Shell,
    Sphere,
    Torus,
    Transformed,
    Union,
)
from neurafield.container import write_sealed
from neurafield.field_file import field_spec
from neurafield.fields import AbstractField, overlap

from ..cases import COMPOSITION_CASES

Points = NDArray[np.float64]


def points(count: int = 997, dim: int = 3, reach: float = 1.5) -> Tensor:
    g = torch.Generator().manual_seed(5)
    return reach * (2 * torch.rand(count, dim, generator=g, dtype=torch.float64) - 1)


def network(seed: int = 0) -> Field:
    g = torch.Generator().manual_seed(seed)
    return Field(networks.Siren(3, 1, width=7, depth=1, generator=g)).double()


# ---- primitives


def to_sphere(x: Points) -> Points:
    return np.sqrt((x**2).sum(1)) - 0.4


def to_box(x: Points) -> Points:
    reach = np.array([0.3, 0.5, 0.7])
    outside = np.linalg.norm(x - np.clip(x, -reach, reach), axis=1)
    return np.where(outside > 0, outside, -(reach - np.abs(x)).min(1))


def to_torus(x: Points) -> Points:
    angle = np.arctan2(x[:, 1], x[:, 0])
    core = 0.6 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    return np.linalg.norm(x - core, axis=1) - 0.25


def to_capsule(x: Points) -> Points:
    share = np.linspace(0, 1, 2001)[:, None]
    rod = np.array([-0.2, 0.1, 0.3]) * (1 - share) + np.array([0.5, 0.4, -0.6]) * share
    return np.sqrt(((x[:, None] - rod) ** 2).sum(2)).min(1) - 0.15


def to_half_space(x: Points) -> Points:
    return (x @ [1.0, 2.0, 2.0]) / 3 - 0.2


SOLIDS: list[tuple[Callable[[], AbstractComposition], Callable[[Points], Points]]] = [
    (lambda: Sphere(radius=0.4), to_sphere),
    (lambda: Box(reach=(0.3, 0.5, 0.7)), to_box),
    (lambda: Torus(ring=0.6, tube=0.25), to_torus),
    (lambda: Capsule(start=(-0.2, 0.1, 0.3), end=(0.5, 0.4, -0.6), radius=0.15), to_capsule),
    (lambda: HalfSpace(normal=(1, 2, 2), offset=0.2), to_half_space),
]


def check_distance(field: nn.Module, expected: Callable[[Points], Points]) -> None:
    x = points()
    assert_close(field(x)[:, 0], torch.from_numpy(expected(x.numpy())), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("make", "expected"), SOLIDS)
def test_a_primitive_is_the_distance(make: Any, expected: Any) -> None:
    check_distance(make(), expected)
    found = make().jet(points())
    assert_close(found.jacobian.norm(dim=-1), torch.ones(997, 1, dtype=torch.float64))


def test_check_distance_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_distance(Offset(Sphere(radius=0.4), distance=1e-5), to_sphere)


def test_on_a_face_a_box_has_the_normal_of_the_face() -> None:
    x = torch.tensor([[0.5, 0.1, -0.1], [0.1, 0.2, -0.125]], requires_grad=True)
    box = Box(reach=(0.5, 0.25, 0.125))
    assert box.jet(x.detach()).jacobian[:, 0].tolist() == [[1, 0, 0], [0, 0, -1]]
    assert torch.autograd.grad(box(x).sum(), x)[0].tolist() == [[1, 0, 0], [0, 0, -1]]


# ---- booleans


def spheres() -> tuple[Transformed, Transformed]:
    return Transformed(Sphere(radius=0.5), (-0.3, 0, 0)), Transformed(
        Sphere(radius=0.4), (0.3, 0.1, 0)
    )


def by_hand(x: Tensor) -> tuple[Points, Points]:
    v = x.numpy()
    return (
        np.linalg.norm(v - [-0.3, 0, 0], axis=1) - 0.5,
        np.linalg.norm(v - [0.3, 0.1, 0], axis=1) - 0.4,
    )


def test_sharp_booleans_are_minima_and_maxima() -> None:
    x = points()
    a, b = by_hand(x)
    for field, expected in [
        (Union(*spheres()), np.minimum(a, b)),
        (Intersection(*spheres()), np.maximum(a, b)),
        (Difference(*spheres()), np.maximum(a, -b)),
        (Difference(*spheres(), Sphere(radius=0.2)), np.maximum.reduce([a, -b, 0.2 - r_of(x)])),
        (Complement(spheres()[0]), -a),
        (Offset(spheres()[0], distance=0.1), a - 0.1),
        (Shell(spheres()[0], thickness=0.1), np.abs(a) - 0.05),
        (Interpolated(*spheres(), share=0.3), 0.7 * a + 0.3 * b),
    ]:
        assert_close(field(x)[:, 0], torch.from_numpy(expected))


def r_of(x: Tensor) -> Points:
    return np.linalg.norm(x.numpy(), axis=1)


def check_bulge(field: nn.Module, width: float) -> None:
    """Checks the bulge over the sharp union: k/6 at the seam, nothing where the two differ by k."""
    x = points(40_001)
    a, b = by_hand(x)
    added = np.minimum(a, b) - field(x)[:, 0].numpy()
    gap = np.abs(a - b)
    assert added.min() > -1e-12
    assert added.max() <= width / 6 + 1e-12
    assert np.abs(added[gap >= width]).max() < 1e-12
    assert added[gap < width / 100].min() > 0.95 * width / 6


@pytest.mark.parametrize("width", [0.3, 0.05])
def test_a_smooth_union_bulges_by_the_formula(width: float) -> None:
    check_bulge(Union(*spheres(), smooth=width), width)


@pytest.mark.parametrize("width", [0.29, 0.31])
def test_check_bulge_can_fail(width: float) -> None:
    with pytest.raises(AssertionError):
        check_bulge(Union(*spheres(), smooth=width), 0.3)


def test_smooth_booleans_become_sharp_as_the_width_vanishes() -> None:
    x, (a, b) = points(), spheres()
    for cls in (Union, Intersection, Difference):
        sharp = cls(a, b)(x)
        off = [float((cls(a, b, smooth=k)(x) - sharp).abs().max()) for k in (0.3, 0.03, 0.003)]
        assert all(error <= k / 6 + 1e-12 for error, k in zip(off, (0.3, 0.03, 0.003), strict=True))
        assert_close(cls(a, b, smooth=1e-12)(x), sharp)
        # The square of this width underflows to 0 in float32.
        assert_close(cls(a, b, smooth=1e-25)(x.float()), cls(a, b)(x.float()))


@pytest.mark.parametrize("width", [0.0, 0.2])
def test_the_laws_of_de_morgan(width: float) -> None:
    x, (a, b) = points(), spheres()
    assert torch.equal(
        Complement(Union(a, b, smooth=width))(x),
        Intersection(Complement(a), Complement(b), smooth=width)(x),
    )
    assert torch.equal(
        Difference(a, b, smooth=width)(x), Intersection(a, Complement(b), smooth=width)(x)
    )
    assert not torch.equal(Union(a, b, smooth=width)(x), Intersection(a, b, smooth=width)(x))


def test_on_a_seam_a_smooth_slope_is_the_mean_of_both() -> None:
    pair = [Transformed(Sphere(radius=0.3), (side, 0, 0)) for side in (-0.4, 0.4)]
    x = torch.tensor([[0.0, 0.3, 0.1]], dtype=torch.float64, requires_grad=True)
    slopes = [solid.jet(x.detach()).jacobian for solid in pair]
    for solids in (pair, pair[::-1]):
        blended = Union(*solids, smooth=0.1)
        assert_close(blended.jet(x.detach()).jacobian, sum(slopes) / 2)
        assert_close(torch.autograd.grad(blended(x), x)[0], (sum(slopes) / 2)[:, 0])


# ---- transformations


def test_transformed_rotates_by_its_quaternion_and_scales() -> None:
    x = points()
    # A third of a turn around (1, 1, 1): x to y, y to z, z to x.
    field = Transformed(Box(reach=(0.3, 0.5, 0.7)), (0.1, -0.2, 0.3), (1, 1, 1, 1), 0.6)
    back = (x.numpy() - [0.1, -0.2, 0.3])[:, [1, 2, 0]] / 0.6
    assert_close(field(x)[:, 0], torch.from_numpy(0.6 * to_box(back)))


def test_mirrored_has_both_halves() -> None:
    x, solid = points(), Transformed(Sphere(radius=0.3), (0.5, 0, 0.1))
    folded = x.clone()
    folded[:, 0] = folded[:, 0].abs()
    assert torch.equal(Mirrored(solid, axis=0)(x), solid(folded))


def check_continuation(field: nn.Module) -> None:
    """Checks that an extension is below the true distance, and continuous at the box."""
    x = points(20_011, reach=4.0)
    a, b = (torch.from_numpy(found) for found in by_hand(x))
    above = field(x)[:, 0] - torch.minimum(a, b)
    assert float(above.max()) < 1e-12
    face = x.clamp(-1, 1)[(x.abs() > 1).any(-1)]
    assert_close(field(face * (1 + 1e-9)), field(face * (1 - 1e-9)), rtol=0, atol=1e-7)


def test_a_field_is_extended_beyond_its_box() -> None:
    solid = Union(*spheres())
    check_continuation(ExtendedBeyondBox(solid))
    inside = points(reach=1.0)
    assert torch.equal(ExtendedBeyondBox(solid)(inside), solid(inside))
    # Values outside depend only on those inside the box.
    assert torch.equal(
        ExtendedBeyondBox(solid)(points()), ExtendedBeyondBox(ExtendedBeyondBox(solid))(points())
    )


@pytest.mark.parametrize("wrong", ["held", "box"])
def test_check_continuation_can_fail(wrong: str) -> None:
    class Wrong(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            nearest = x.clamp(-1, 1)
            away = (x - nearest).norm(dim=-1, keepdim=True)
            within = Union(*spheres())(nearest)
            # Above the distance; or with a jump at the faces of the box.
            return within + away if wrong == "held" else torch.where(away > 0, away, within)

    with pytest.raises(AssertionError):
        check_continuation(Wrong())


def test_a_solid_beyond_its_box_is_cut_off() -> None:
    long = ExtendedBeyondBox(Capsule(start=(-3, 0, 0), end=(3, 0, 0), radius=0.2))
    x = torch.tensor([[0.9, 0, 0], [1.25, 0, 0]])
    assert_close(long(x)[:, 0], torch.tensor([-0.2, 0.25]))


def test_fixed_inputs_evaluate_one_shape() -> None:
    x, field = points(), Sphere(radius=0.5, in_dim=5)
    whole = torch.cat([x, x.new_tensor([[0.3, -0.4]]).expand(len(x), -1)], dim=1)
    assert torch.equal(FixedInputs(field, (0.3, -0.4))(x), field(whole))


# ---- slopes


def check_bound(field: nn.Module, bound: float) -> None:
    """Checks the bound on pairs of points, near and far."""
    g = torch.Generator().manual_seed(2)
    x = 3 * torch.rand(20_000, 3, generator=g, dtype=torch.float64) - 1.5
    apart = torch.randn(20_000, 3, generator=g, dtype=torch.float64)
    y = x + apart * torch.logspace(-6, 0, 20_000, dtype=torch.float64)[:, None]
    slope = (field(x) - field(y)).abs()[:, 0] / (x - y).norm(dim=1)
    assert float(slope.max()) <= bound * (1 + 1e-7)


SOLIDS = (
    Torus(ring=0.4, tube=0.2),
    Transformed(Box(reach=(0.2, 0.3, 0.4)), (0.3, 0.2, 0), (1, 2, 3, 4)),
)


@pytest.mark.parametrize(
    "field",
    [
        Union(*SOLIDS, smooth=0.3),
        Intersection(*SOLIDS, Sphere(radius=0.5), smooth=0.2),
        Difference(*SOLIDS, smooth=0.1),
        Interpolated(*SOLIDS, share=0.4),
        Shell(Offset(Complement(SOLIDS[0]), distance=0.1), thickness=0.1),
        ExtendedBeyondBox(Union(*SOLIDS)),
        Transformed(Mirrored(Union(*SOLIDS), axis=2), (0.1, 0.2, 0.3), (1, 0, 0, 1), 0.3),
        Union(HalfSpace(normal=(1, 1, 0)), Capsule(start=(0, 0, 0), end=(0, 1, 0), radius=0.1)),
    ],
    ids=lambda field: type(field).__name__,
)
def test_the_lipschitz_bound_holds(field: AbstractComposition) -> None:
    assert field.lipschitz_bound() == pytest.approx(1)
    check_bound(field, 1.0)


def test_check_bound_can_fail() -> None:
    class Wrong(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            # A blend whose slope is not a mean of the slopes of its parts.
            a, b = SOLIDS[0](x), SOLIDS[1](x)
            return torch.minimum(a, b) - 0.1 * (-30 * (a - b).abs()).exp()

    with pytest.raises(AssertionError):
        check_bound(Wrong(), 1.0)


def test_a_part_without_a_bound_leaves_none() -> None:
    assert Union(Sphere(radius=0.3), network()).lipschitz_bound() is None
    assert Offset(network(), distance=0.1).lipschitz_bound() is None


def test_nan_of_a_part_stays_nan() -> None:
    x = torch.tensor([[torch.nan, 0, 0], [0, 0, torch.nan]])
    for case in COMPOSITION_CASES:
        if case.in_dim == 3:
            assert case.build()(x).isnan().all(), case
    for parts in (SOLIDS, SOLIDS[::-1]):
        half_known = Union(
            Sphere(radius=0.1), Transformed(Unknown(), (0, 0, 0)), *parts, smooth=0.1
        )
        assert half_known(torch.zeros(1, 3)).isnan().all()


class Unknown(AbstractField):
    in_dim, out_dim = 3, 1

    def hyperparams(self) -> dict[str, Any]:
        return {}

    def forward(self, x: Tensor) -> Tensor:
        return x[..., :1] * torch.nan


# ---- in a file


def nested() -> AbstractComposition:
    """A composition of a network twice, a primitive, and a scene with a composition in it."""
    field = network()
    inner = Placed(Union(field, Box(reach=(0.2, 0.2, 0.2))), (0.1, 0, 0), scale=0.5)
    scene = Scene([inner, Placed(field, (0, 0.4, 0), scale=0.3)], overlap.Minimum())
    moved = Transformed(ExtendedBeyondBox(field), (0.1, 0.2, 0.3), (0.5, -0.5, 0.1, 0.7), 0.4)
    return Difference(Union(scene, moved, smooth=0.1), HalfSpace(normal=(1, 2, 3)), smooth=0.05)


def test_a_nested_composition_is_saved_and_loaded(tmp_path: Path) -> None:
    field, x = nested(), points()
    neurafield.save(tmp_path / "a.field", field)
    again = neurafield.load(tmp_path / "a.field").field
    assert isinstance(again, Difference)
    assert torch.equal(again(x), field(x))
    assert again.lipschitz_bound() == field.lipschitz_bound()
    neurafield.save(tmp_path / "b.field", again)
    assert (tmp_path / "a.field").read_bytes() == (tmp_path / "b.field").read_bytes()


@pytest.mark.parametrize("case", COMPOSITION_CASES, ids=str)
def test_each_composition_is_saved_and_loaded(case: Any, tmp_path: Path) -> None:
    field = case.build()
    neurafield.save(tmp_path / "a.field", field)
    again = neurafield.load(tmp_path / "a.field").field
    assert json.dumps(field_spec(again)) == json.dumps(field_spec(field))
    assert torch.equal(again(case.coords(7)), field(case.coords(7)))


def test_deeply_nested_compositions_are_saved_and_loaded(tmp_path: Path) -> None:
    field: nn.Module = network()
    for _ in range(30):
        field = Offset(field, distance=0.1)
    neurafield.save(tmp_path / "a.field", field)
    assert torch.equal(neurafield.load(tmp_path / "a.field").field(points()), field(points()))
    for _ in range(20):
        field = Offset(field, distance=0.1)
    with pytest.raises(neurafield.FieldFileError, match="levels of lists"):
        neurafield.save(tmp_path / "b.field", field)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "Sequential"},
        {"type": "AbstractComposition"},
        {"type": ["Union"]},
        {"type": None},
        {"parts": []},
        {"parts": [[]]},
        {"parts": {}},
        {"parts": None},
        {"hyperparams": {"smooth": -1.0}},
        {"hyperparams": {"smooth": "wide"}},
        {"hyperparams": {"width": 1.0}},
        {"hyperparams": None},
    ],
    ids=str,
)
def test_a_damaged_header_is_one_error(tmp_path: Path, change: dict[str, Any]) -> None:
    field = Union(network(), Sphere(radius=0.3))
    spec = field_spec(field) | change
    whole = {"format": 2, "kind": "field", "field": spec, "signal": None, "fit": {}}
    tensors = {f"field.{name}": tensor for name, tensor in field.state_dict().items()}
    write_sealed(tmp_path / "a.field", tensors, whole)
    with pytest.raises(neurafield.FieldFileError, match=r"a\.field"):
        neurafield.load(tmp_path / "a.field")


def test_info_shows_a_composition(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from neurafield.cli.main import main

    neurafield.save(tmp_path / "a.field", nested())
    with pytest.raises(SystemExit, match="0"):
        main(["info", str(tmp_path / "a.field")])
    shown = capsys.readouterr().out
    for name in ("Difference", "Siren", "HalfSpace", "smooth: 0.05"):
        assert name in shown


def test_each_field_is_evaluated_at_its_level_of_detail() -> None:
    g = torch.Generator().manual_seed(0)
    grid = neurafield.encodings.HashGrid(3, num_levels=3, finest_resolution=32, generator=g)
    detailed = Field(networks.MLP(6, 1, width=5, depth=1, generator=g), encoding=grid)
    torch.nn.init.normal_(grid.table, generator=g)
    both = Union(Transformed(detailed, (0.1, 0, 0)), network().float(), smooth=0.1)
    assert both.num_lods == 3
    x = points().float() / 1.5
    by_hand = Union(Transformed(detailed.at_lod(1), (0.1, 0, 0)), both.fields[1], smooth=0.1)
    assert torch.equal(both.at_lod(1)(x), by_hand(x))
    assert not torch.equal(both.at_lod(0)(x), both(x))
    with pytest.raises(ValueError, match="lod"):
        both.at_lod(3)


# ---- arguments


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Union(network()), "two fields or more, got 1"),
        (lambda: Union(), "expected"),
        (lambda: Union(network(), Sphere(radius=0.1, in_dim=2)), "equal numbers"),
        (lambda: Union(network(), network(), smooth=-0.1), "smooth to be positive"),
        (lambda: Offset(Field(networks.Siren(3, 2, width=4, depth=1)), distance=1.0), "one value"),
        (lambda: Offset(network(), distance=float("inf")), "finite distance"),
        (lambda: Shell(network(), thickness=0.0), "thickness to be positive"),
        (lambda: Interpolated(network(), network(), share=1.5), "share from 0 to 1"),
        (lambda: Transformed(network(), (0, 0)), "translation of 3"),
        (lambda: Transformed(network(), (0, 0, 0), scale=-1.0), "scale to be positive"),
        (lambda: Mirrored(network(), axis=3), "axis"),
        (lambda: FixedInputs(network(), ()), "1 to 2 finite numbers for a field of 3"),
        (lambda: FixedInputs(network(), (0.1, 0.2, 0.3)), "1 to 2 finite numbers"),
        (lambda: FixedInputs(network(), (float("nan"),)), "1 to 2 finite numbers"),
        (lambda: Sphere(radius=0.0), "radius to be positive"),
        (lambda: Box(reach=()), "size for each axis"),
        (lambda: Box(reach=(1.0, -1.0)), "reach to be positive"),
        (lambda: Torus(ring=0.5, tube=0.0), "tube to be positive"),
        (lambda: Capsule(start=(0.0,), end=(0.0,), radius=1.0), "two points"),
        (lambda: Capsule(start=(0.0,), end=(0.0, 1.0), radius=1.0), "two finite points"),
        (lambda: HalfSpace(normal=(0.0, 0.0)), "a normal with a direction"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_errors_name_arguments_of_other_types() -> None:
    with pytest.raises(TypeError, match=r"Union: expected fields.*got ReLU|^Type-check error"):
        Union(torch.nn.ReLU(), Sphere(radius=0.1))
    root = neurafield.derivatives.Jet.root(points())
    with pytest.raises(ValueError, match="no weights beside a jet"):
        Sphere(radius=0.1).jet(root, torch.eye(3))


# ---- completeness


def public() -> set[type]:
    return set(registry(composition, AbstractComposition).values())


def test_every_public_composition_has_a_case() -> None:
    assert public() == {type(case.build()) for case in COMPOSITION_CASES}
    assert public() != {type(case.build()) for case in COMPOSITION_CASES[1:]}


@pytest.mark.parametrize("cls", sorted(public(), key=lambda cls: cls.__name__))
def test_docstrings_are_complete(cls: type) -> None:
    text = inspect.getdoc(cls) or ""
    for part in ("Use when", "Fails when", "Args:", "Raises:", "Example:", "Reference:"):
        assert part in text, part
