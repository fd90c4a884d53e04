"""The examples of docs/extending.md run, and its encoding passes the conformance tests."""

import importlib
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from neurafield.derivatives import Jet, autodiff
from neurafield.encodings import AbstractEncoding, Composite, Identity
from neurafield.errors import DerivativeNotice, FieldFileError

from . import test_components as battery
from .cases import Case
from .derivatives import test_components as jets
from .fields.test_fields import check_jet

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def run_block(number: int) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(python_blocks()[number], str(PAGE), "exec"), names)
    return names


@pytest.fixture
def rings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    """The encoding of the page, imported from a module in a temporary folder."""
    (tmp_path / "rings.py").write_text(python_blocks()[0])
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("rings").Rings
    del sys.modules["rings"]


def cases_of(rings: type) -> list[Case]:
    return [
        Case("rings", lambda g: rings(3, 5), 3, 5),
        Case("rings in a composite", lambda g: Composite([Identity(1), rings(2, 5)]), 3, 6),
    ]


def test_the_encoding_passes_the_conformance_tests(rings: type, device: str) -> None:
    for case in cases_of(rings):
        battery.check_shape(case, device)
        battery.check_samples_are_independent(case, device)
        battery.check_gradients(case)
        battery.check_gradient_is_finite_at_awkward_points(case, device)
        battery.check_generator_is_the_only_source(case)
        battery.check_stacked_parameters(case, device)
        battery.check_wrong_axis(case)
    battery.check_rebuilds(cases_of(rings)[0])


@pytest.mark.compiled
def test_compilers_accept_it(rings: type) -> None:
    for case in cases_of(rings):
        battery.test_torch_compile_accepts_it(case)
        battery.test_torch_export_accepts_it(case)
        jets.test_torch_compile_accepts_jets(case)


def test_the_jet_by_rule_equals_autodiff(rings: type) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DerivativeNotice)
        for case in cases_of(rings):
            for at_root in (True, False):
                jets.check_jet(case, at_root=at_root)


def test_the_jet_by_fallback_is_the_same(rings: type) -> None:
    ruleless = type("Ruleless", (rings,), {"jet": AbstractEncoding.jet})
    autodiff._told.clear()
    with pytest.warns(DerivativeNotice, match="Ruleless"):
        got = ruleless(2, 5).double().jet(Jet.root(torch.ones(3, 2).double()))
    expected = rings(2, 5).double().jet(Jet.root(torch.ones(3, 2).double()))
    torch.testing.assert_close(got.streams, expected.streams)


def test_the_encoding_is_fitted_saved_and_loaded(
    rings: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    names = run_block(1)
    field, target = names["field"], names["target"]
    error = (field(target.coords) - target.targets).square().mean()
    assert error < 0.2 * target.targets.var()
    with pytest.raises(FieldFileError, match=r"got 'Rings'.*components="):
        names["neurafield"].load("bump.field")


# ---- the other blocks of the page


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)


@pytest.mark.usefixtures("in_folder")
def test_the_custom_field_has_exact_derivatives() -> None:
    tiles = run_block(2)["tiles"].double()
    check_jet(tiles, torch.rand(7, 2, dtype=torch.float64))


@pytest.mark.usefixtures("in_folder")
def test_the_custom_query_is_fitted() -> None:
    names = run_block(3)
    x = torch.rand(50, 2) - 0.5
    assert (names["field"](x) - x[:, :1] * x[:, 1:]).abs().max() < 0.2


@pytest.mark.usefixtures("in_folder")
def test_the_custom_map_finds_its_unknown() -> None:
    names = run_block(4)
    assert names["result"].unknowns["camera.factor"].item() == pytest.approx(1.8, rel=0.02)


@pytest.mark.usefixtures("in_folder")
def test_the_penalty_makes_a_field_smoother() -> None:
    names = run_block(5)
    rough = names["Field"](names["networks"].MLP(1, 1, width=16, depth=1, activation="Tanh"))
    names["fit"](rough, names["data"], steps=100, lr=1e-2)
    variation = names["total_variation"]
    assert variation(names["field"]) < variation(rough)


def test_every_block_of_the_page_is_run() -> None:
    assert len(python_blocks()) == 6
