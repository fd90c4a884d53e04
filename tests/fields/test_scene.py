"""Scenes against fields evaluated by hand; the tree of boxes by counts of visits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import neurafield
from neurafield import Field, Placed, Scene, encodings, networks
from neurafield.container import write_sealed
from neurafield.derivatives import Jet
from neurafield.field_file import field_spec
from neurafield.fields import AbstractField
from neurafield.fields.overlap import AbstractOverlap, Mean, Minimum, Sum
from neurafield.geometry._box_tree import Node, tree


class Ball(AbstractField):
    """Signed distance to a ball, with a count of the points that it was evaluated at."""

    in_dim, out_dim = 3, 1

    def __init__(self, radius: float = 0.5) -> None:
        super().__init__()
        self.radius = radius
        self.evaluated = 0

    def hyperparams(self) -> dict[str, Any]:
        raise TypeError("Ball: cannot be described.")

    def forward(self, x: Tensor) -> Tensor:
        self.evaluated += x[..., 0].numel()
        return x.norm(dim=-1, keepdim=True) - self.radius


def quaternions(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 4))


def rotate(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Rotates by the product q v q*, independently of the matrix."""

    def times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        w = a[..., 0] * b[..., 0] - (a[..., 1:] * b[..., 1:]).sum(-1)
        rest = a[..., :1] * b[..., 1:] + b[..., :1] * a[..., 1:] + np.cross(a[..., 1:], b[..., 1:])
        return np.concatenate([w[..., None], rest], axis=-1)

    q = q / np.linalg.norm(q)
    pure = np.concatenate([np.zeros_like(v[..., :1]), v], axis=-1)
    return times(times(q, pure), q * [1, -1, -1, -1])[..., 1:]


def random_parts(count: int, out_dim: int) -> list[Placed]:
    g = torch.Generator().manual_seed(0)
    rng = np.random.default_rng(1)
    fields = [Field(networks.Siren(3, out_dim, width=7, depth=1, generator=g)) for _ in range(2)]
    return [
        Placed(fields[k % 2].double(), rng.uniform(-1, 1, 3).tolist(), q.tolist(), 0.3 + 0.05 * k)
        for k, q in enumerate(quaternions(count))
    ]


def by_hand(parts: list[Placed], x: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of all fields at all points, masks of their boxes, and distances to the boxes."""
    values, held, away = [], [], []
    for part in parts:
        back = np.array(part.rotation) * [1, -1, -1, -1]
        own = rotate(back, x.numpy() - np.array(part.translation)) / part.scale
        values.append(part.field(torch.from_numpy(own)).detach().numpy())
        held.append((np.abs(own) <= 1).all(-1))
        away.append(part.scale * np.linalg.norm(np.clip(np.abs(own) - 1, 0, None), axis=-1))
    return np.stack(values), np.stack(held), np.stack(away)


def points(count: int = 301) -> Tensor:
    g = torch.Generator().manual_seed(5)
    return 3 * torch.rand(count, 3, generator=g, dtype=torch.float64) - 1.5


def check_mean(scene: Scene, parts: list[Placed]) -> None:
    values, held, _ = by_hand(parts, points())
    number = held.sum(0)
    assert {0, 1, 2} <= set(number.tolist())
    total = (values * held[..., None]).sum(0)
    expected = np.where(number[:, None] > 0, total / np.maximum(number, 1)[:, None], 0.25)
    assert_close(scene(points()).detach(), torch.from_numpy(expected))


def test_mean_and_sum_are_over_the_fields_whose_box_contains_the_point() -> None:
    parts = random_parts(7, 2)
    check_mean(Scene(parts, Mean(outside=0.25)), parts)
    values, held, _ = by_hand(parts, points())
    expected = np.where(held.any(0)[:, None], (values * held[..., None]).sum(0), -3.0)
    assert_close(Scene(parts, Sum(outside=-3.0))(points()).detach(), torch.from_numpy(expected))


def test_check_mean_can_fail() -> None:
    parts = random_parts(7, 2)
    turned = [*parts[:-1], Placed(parts[-1].field, parts[-1].translation, None, parts[-1].scale)]
    with pytest.raises(AssertionError):
        check_mean(Scene(turned, Mean(outside=0.25)), parts)


def test_the_minimum_is_over_fields_and_distances_to_boxes() -> None:
    parts = random_parts(7, 1)
    values, held, away = by_hand(parts, points())
    scale = np.array([part.scale for part in parts])[:, None]
    expected = np.where(held, scale * values[..., 0], away).min(0)
    assert (expected < 0).any()
    assert (expected > 0.1).any()
    got = Scene(parts, Minimum())(points()).detach()[:, 0]
    assert_close(got, torch.from_numpy(expected))


def test_the_minimum_over_balls_is_a_lower_bound_of_the_distance() -> None:
    centres = [(-0.6, 0.0, 0.1), (0.5, 0.3, 0.0), (0.4, -0.6, -0.5)]
    scales = [0.4, 0.3, 0.5]
    parts = [Placed(Ball(0.8), c, scale=s) for c, s in zip(centres, scales, strict=True)]
    x = points()
    distances = [
        (x - x.new_tensor(c)).norm(dim=-1) - 0.8 * s for c, s in zip(centres, scales, strict=True)
    ]
    exact = torch.stack(distances).amin(0)
    got = Scene(parts, Minimum())(x)[:, 0]
    assert float((got - exact).max()) < 1e-12
    assert_close(got[exact < 0], exact[exact < 0])
    # A sphere tracer along an axis finds the surface of the first ball.
    at, scene = -1.5, Scene(parts, Minimum())
    for _ in range(60):
        at += float(scene(torch.tensor([at, 0.0, 0.1], dtype=torch.float64)))
    assert abs(at - (-0.6 - 0.32)) < 1e-6


def test_derivatives_outside_are_those_of_a_distance() -> None:
    scene = Scene([Placed(Ball(), (0.0, 0.0, 0.0), (0.9, 0.1, 0.2, 0.3), 0.3)], Minimum())
    x = 2 * torch.nn.functional.normalize(points(), dim=-1)
    found = scene.jet(Jet.root(x))
    assert_close(found.jacobian.norm(dim=-1), torch.ones(len(x), 1, dtype=torch.float64))
    assert float(found.laplacian.min()) > -1e-12


# ---- the tree


def crowd(count: int) -> list[Placed]:
    rng = np.random.default_rng(2)
    centres = rng.uniform(-1, 1, (count, 3))
    turns = quaternions(count)
    return [
        Placed(Ball(), c.tolist(), q.tolist(), 0.05) for c, q in zip(centres, turns, strict=True)
    ]


def counted(monkeypatch: pytest.MonkeyPatch, scene: Scene, x: Tensor) -> int:
    """Number of boxes visited, over all points."""
    looked = []
    whole = Node.distance

    def distance(self: Node, x: Tensor) -> Tensor:
        looked.append(len(x))
        return whole(self, x)

    monkeypatch.setattr(Node, "distance", distance)
    scene(x)
    return sum(looked)


def test_a_query_visits_only_the_fields_whose_box_contains_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts, x = crowd(200), points(1000) / 1.5
    _, held, _ = by_hand(parts, x)
    for part in parts:
        part.field.evaluated = 0
    looked = counted(monkeypatch, Scene(parts, Sum()), x)
    assert [part.field.evaluated for part in parts] == held.sum(1).tolist()
    assert held.sum() > 20
    assert looked < 0.25 * len(parts) * len(x)


def test_distances_skip_far_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, x = crowd(200), points(1000) / 1.5
    looked = counted(monkeypatch, Scene(parts, Minimum()), x)
    assert looked < 0.6 * len(parts) * len(x)


def test_a_tree_holds_every_box_once() -> None:
    rng = np.random.default_rng(0)
    lows = rng.uniform(-1, 1, (37, 2))
    highs = lows + rng.uniform(0, 1, (37, 2))
    found = []

    def walk(node: Node, depth: int) -> None:
        assert depth <= 6
        for child in node.children:
            assert (np.array(child.low) >= node.low).all()
            assert (np.array(child.high) <= node.high).all()
            walk(child, depth + 1)
        if node.item is not None:
            assert (lows[node.item] >= node.low).all()
            assert (highs[node.item] <= node.high).all()
            found.append(node.item)

    walk(tree(lows, highs), 0)
    assert sorted(found) == list(range(37))


# ---- in a file


def test_a_scene_in_a_scene_comes_back_from_its_file(tmp_path: Path) -> None:
    parts = random_parts(5, 1)
    inner = Scene(parts[:3], Minimum())
    scene = Scene([*parts[3:], Placed(inner, (0.2, 0, 0), (1, 2, 3, 4.5), 0.8)], Minimum())
    neurafield.save(tmp_path / "a.field", scene)
    again = neurafield.load(tmp_path / "a.field").field
    assert isinstance(again, Scene)
    assert torch.equal(again(points()), scene(points()))
    # A field of both the outer and the inner scene is loaded as two fields.
    assert again.num_parameters == 2 * scene.num_parameters
    neurafield.save(tmp_path / "b.field", again)
    assert (tmp_path / "a.field").read_bytes() == (tmp_path / "b.field").read_bytes()


def test_scenes_that_cannot_be_saved_are_refused(tmp_path: Path) -> None:
    with pytest.raises(neurafield.FieldFileError, match=r"a\.field: Ball: cannot"):
        neurafield.save(tmp_path / "a.field", Scene([Placed(Ball(), (0, 0, 0))], Minimum()))


@pytest.mark.parametrize(
    "change",
    [
        {"places": [{"field": 7, "translation": [0, 0, 0]}]},
        {"places": [{"field": 0}]},
        {"places": [{"field": 0, "translation": [0, 0, 0], "scale": "wide"}]},
        {"places": 3},
        {"places": []},
        {"parts": [[]]},
        {"parts": {}},
        {"overlap": {"type": "Placed", "hyperparams": {}}},
        {"overlap": None},
    ],
    ids=str,
)
def test_a_damaged_header_is_one_error(tmp_path: Path, change: dict[str, Any]) -> None:
    scene = Scene(random_parts(3, 2), Mean())
    spec = field_spec(scene)
    if "parts" in change:
        spec |= change
    else:
        spec["hyperparams"] |= change
    whole = {"format": 2, "kind": "field", "field": spec, "signal": None, "fit": {}}
    tensors = {f"field.{name}": tensor for name, tensor in scene.state_dict().items()}
    write_sealed(tmp_path / "a.field", tensors, whole)
    with pytest.raises(neurafield.FieldFileError, match=r"a\.field"):
        neurafield.load(tmp_path / "a.field")


def test_info_shows_a_scene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from neurafield.cli.main import main

    neurafield.save(tmp_path / "a.field", Scene(random_parts(3, 2), Mean()))
    with pytest.raises(SystemExit, match="0"):
        main(["info", str(tmp_path / "a.field")])
    shown = capsys.readouterr().out
    assert "Mean" in shown
    assert "Siren" in shown
    assert "places" in shown


def test_each_field_is_evaluated_at_its_level_of_detail() -> None:
    g = torch.Generator().manual_seed(0)
    grid = neurafield.encodings.HashGrid(3, num_levels=3, finest_resolution=32, generator=g)
    detailed = Field(networks.MLP(6, 2, width=5, depth=1, generator=g), encoding=grid)
    torch.nn.init.normal_(grid.table, generator=g)
    plain = random_parts(1, 2)[0].field.float()
    scene = Scene([Placed(detailed, (0, 0, 0)), Placed(plain, (0, 0, 0))], Sum())
    assert scene.num_lods == 3
    x = points().float() / 1.5
    assert_close(scene.at_lod(1)(x), detailed.at_lod(1)(x) + plain(x))
    with pytest.raises(ValueError, match="lod"):
        scene.at_lod(3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Placed(Ball(), (0, 0)), "translation of 3"),
        (lambda: Placed(Ball(), (0, 0, float("nan"))), "finite numbers"),
        (lambda: Placed(Ball(), (0, 0, 0), (0, 0, 0, 0)), "rotation in 3"),
        (lambda: Placed(Ball(), (0, 0, 0), np.diag([1, 1, -1.0]).tolist()), "rotation in 3"),
        (lambda: Placed(Ball(), (0, 0, 0), [[1.0, 0.0], [0.0, 1.0]]), "rotation in 3"),
        (lambda: Placed(Ball(), (0, 0, 0), scale=0.0), "scale to be positive"),
        (lambda: Scene([], Sum()), "got none"),
        (lambda: Scene(random_parts(1, 2), Minimum()), "one value, a distance, got 2"),
        (lambda: Scene([Placed(Ball(), (0, 0, 0)), *random_parts(1, 2)], Sum()), "equal numbers"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scene([Ball()], Sum()), r"parts that are Placed, got Ball\. Wrap it: Placed\("),
        (lambda: Scene(random_parts(1, 2), Mean), "an overlap such as"),
        (lambda: Placed(torch.nn.ReLU(), (0, 0)), "a field, got ReLU"),
    ],
)
def test_errors_name_arguments_of_other_types(make: Any, message: str) -> None:
    # With run-time checks of annotations, these refuse some of them first.
    with pytest.raises(TypeError, match=f"{message}|^Type-check error"):
        make()


class Total(AbstractOverlap):
    """The sum of values times a factor."""

    def __init__(self, *, factor: float = 1.0) -> None:
        self.factor = factor

    def join(self, values: Tensor, rows: Tensor, inside: Tensor, count: int) -> Tensor:
        zeros = values.new_zeros(values.shape[0], count, values.shape[2])
        return self.factor * zeros.index_add(1, rows, values)

    def hyperparams(self) -> dict[str, Any]:
        return {"factor": self.factor}


def test_an_overlap_of_ones_own_is_saved_and_kept_at_all_levels(tmp_path: Path) -> None:
    grid = encodings.HashGrid(3, num_levels=3, finest_resolution=16)
    field = Field(networks.Siren(grid.out_dim, 1, width=7, depth=1), encoding=grid)
    scene = Scene([Placed(field, (0.1, 0.0, 0.0), scale=0.5)], Total(factor=2.0))
    x = torch.rand(9, 3) - 0.5
    neurafield.save(tmp_path / "x.field", scene)
    again = neurafield.load(tmp_path / "x.field", components=[Total]).field
    assert_close(again(x), scene(x), rtol=0, atol=0)
    assert again.overlap.factor == 2
    with pytest.raises(neurafield.FieldFileError, match=r"'Total'.*components="):
        neurafield.load(tmp_path / "x.field")
    coarse = scene.at_lod(0)
    assert coarse.overlap is scene.overlap
    expected = Scene([Placed(field.at_lod(0), (0.1, 0.0, 0.0), scale=0.5)], scene.overlap)
    assert_close(coarse(x), expected(x), rtol=0, atol=0)
    assert not torch.equal(coarse(x), scene(x))


def test_an_overlap_with_a_name_of_the_library_is_refused(tmp_path: Path) -> None:
    scene = Scene(random_parts(1, 1), type("Mean", (Total,), {})())
    with pytest.raises(neurafield.FieldFileError, match=r"got another Mean\. Rename the class"):
        neurafield.save(tmp_path / "x.field", scene)


def test_a_pose_has_64_coordinates_at_most() -> None:
    Placed(Field(networks.Siren(64, 1, width=3, depth=1)), [0.0] * 64)
    field = Field(networks.Siren(65, 1, width=3, depth=1))
    with pytest.raises(neurafield.NeurafieldError, match="in_dim between 1 and 64, got 65"):
        Placed(field, [0.0] * 65)


class Unknown(AbstractField):
    in_dim, out_dim = 3, 1

    def hyperparams(self) -> dict[str, Any]:
        return {}

    def forward(self, x: Tensor) -> Tensor:
        return x[..., :1] * torch.nan


def test_nan_of_a_field_is_not_empty_space() -> None:
    for parts in ([Unknown(), Ball()], [Ball(), Unknown()]):
        scene = Scene([Placed(part, (0, 0, 0), scale=0.5) for part in parts], Minimum())
        x = torch.tensor([[0.1, 0.2, 0.3], [0.9, 0.0, 0.0]])
        for found in (scene(x), torch.func.vmap(scene)(x)):
            assert found.isnan().tolist() == [[True], [False]]
