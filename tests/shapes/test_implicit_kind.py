"""Every kind of implicit representation, against a ball whose distance is known."""

import inspect
import json
import math
import re
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from neurafield import shapes
from neurafield.cli.main import main
from neurafield.fit import losses
from neurafield.shapes import (
    ImplicitKind,
    Occupancy,
    ShapeLayout,
    SignedDistance,
    TruncatedDistance,
    UnsignedDistance,
    implicit_kind,
)
from neurafield.shapes.implicit_kind import KINDS, Function

PUBLIC = [
    kind
    for kind in vars(shapes).values()
    if inspect.isclass(kind) and issubclass(kind, ImplicitKind) and not inspect.isabstract(kind)
]
every_kind = pytest.mark.parametrize("kind", [kind() for kind in PUBLIC], ids=lambda k: k.name)


class Ball:
    """Distance to a ball around 0 of radius 0.5."""

    def signed(self, x: Tensor) -> Tensor:
        return x.norm(dim=-1) - 0.5

    def unsigned(self, x: Tensor) -> Tensor:
        return self.signed(x).abs()


def points() -> Tensor:
    """Points on a ray, no two at equal distances from the surface."""
    x = torch.zeros(101, 3, dtype=torch.float64)
    x[:, 0] = torch.linspace(0, 0.99, 101)
    return x


def ideal_field(kind: ImplicitKind) -> Function:
    """A field without error; for a probability its logit."""

    def field(x: Tensor) -> Tensor:
        value = kind.target(kind.distance(Ball(), x))[:, None]
        return (value - 0.5) * 40 if kind.scale is None else value

    return field


def check_kind(kind: ImplicitKind) -> None:
    """What a kind says of itself agrees with its targets."""
    x, distance = points(), Ball().signed(points())
    field, implicit = ideal_field(kind), kind.implicit(ideal_field(kind))
    value = implicit(x)[:, 0]
    assert torch.equal(kind.sign * field(x)[:, 0], value)
    if kind.has_inside:
        assert torch.equal(value < 0, distance < 0)
    else:
        assert (value >= 0).all()
        assert torch.equal(kind.target(distance), kind.target(-distance))
    assert (value[distance >= 0].diff() >= 0).all(), "grows outward"
    if kind.scale is None:
        assert kind.slope is None
    else:
        near = distance.abs() < kind.reach
        beyond = value[~near].abs()
        torch.testing.assert_close(value[near].abs() * kind.scale, distance[near].abs())
        torch.testing.assert_close(beyond, torch.full_like(beyond, kind.reach / kind.scale))
        assert kind.slope == pytest.approx(1 / kind.scale)
    assert kind.needs_normals == kind.has_inside
    target = kind.target(kind.distance(Ball(), x))[:, None]
    loss = kind.loss(losses)
    assert loss(field(x), target) < 1e-6
    assert loss(0.3 - field(x), target) > 0.1


@every_kind
def test_a_kind_says_the_truth_of_itself(kind: ImplicitKind) -> None:
    check_kind(kind)


@dataclass(frozen=True)
class Broken(ImplicitKind):
    """Twice the signed distance, which claims one thing or another."""

    name = "broken"
    has_inside = True
    sign = 1
    sampled_on_surface = True
    reach = math.inf
    scale = 0.5

    def distance(self, shape: Ball, x: Tensor) -> Tensor:
        return shape.signed(x)

    def target(self, distance: Tensor) -> Tensor:
        return 2 * distance

    def loss(self, losses: object) -> object:
        return losses.relative_l1


def test_check_kind_can_fail() -> None:
    check_kind(Broken())
    for name, wrong in [("scale", 1.0), ("has_inside", False), ("sign", -1), ("reach", 0.1)]:
        claims = type("Claims", (Broken,), {name: wrong})
        with pytest.raises(AssertionError):
            check_kind(claims())


def test_every_public_kind_is_known_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert {kind.name: kind for kind in PUBLIC} == KINDS
    assert len(PUBLIC) == len(KINDS) >= 4
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    listed = re.search(r"--quantity \{([^}]*)\}", capsys.readouterr().out)
    assert listed
    assert set(listed[1].split(",")) == set(KINDS)


@every_kind
def test_a_kind_comes_back_from_a_file(kind: ImplicitKind) -> None:
    layout = ShapeLayout(quantity=kind)
    spec = json.loads(json.dumps(layout.spec()))
    assert spec["quantity"] == kind.name
    assert ShapeLayout.from_spec(spec) == layout
    assert implicit_kind(kind.name) == kind


@every_kind
def test_a_kind_is_final(kind: ImplicitKind) -> None:
    own, base = vars(type(kind)), vars(ImplicitKind)
    implemented = {n for n in base if n not in ImplicitKind.__abstractmethods__}
    replaced = {n for n in own.keys() & implemented if not n.startswith("_")}
    assert not replaced, "no implemented method is overridden"
    assert type(kind).__bases__ == (ImplicitKind,)


def test_values_by_hand() -> None:
    distance = torch.tensor([-0.3, -0.05, 0.0, 0.05, 0.3])
    assert torch.equal(SignedDistance().target(distance), distance)
    assert torch.equal(UnsignedDistance().target(distance), distance.abs())
    assert Occupancy().target(distance).tolist() == [1, 1, 1, 0, 0]
    found = TruncatedDistance(0.1).target(distance)
    torch.testing.assert_close(found, torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0]))


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="expected sdf, tsdf, udf, occupancy, got 'depth'"):
        implicit_kind("depth")
    with pytest.raises(ValueError, match="no truncation for sdf"):
        implicit_kind("sdf", 0.1)
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="truncation"):
            TruncatedDistance(wrong)
