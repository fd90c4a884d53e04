"""An encoding from outside the package, as docs/extending.md shows it, keeps every promise."""

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

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"


def python_blocks() -> list[str]:
    module, usage = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [module, usage]


@pytest.fixture
def rings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    """The page's class, from a module in a folder of its own."""
    (tmp_path / "rings.py").write_text(python_blocks()[0])
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("rings").Rings
    del sys.modules["rings"]


def cases_of(rings: type) -> list[Case]:
    return [
        Case("rings", lambda g: rings(3, 5), 3, 5),
        Case("rings in a composite", lambda g: Composite([Identity(1), rings(2, 5)]), 3, 6),
    ]


def test_it_keeps_the_promises_of_the_librarys_own(rings: type, device: str) -> None:
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


def test_its_jet_by_rule_is_autodiff(rings: type) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DerivativeNotice)
        for case in cases_of(rings):
            for at_root in (True, False):
                jets.check_jet(case, at_root=at_root)


def test_its_jet_by_fallback_is_the_same(rings: type) -> None:
    ruleless = type("Ruleless", (rings,), {"jet": AbstractEncoding.jet})
    autodiff._told.clear()
    with pytest.warns(DerivativeNotice, match="Ruleless"):
        got = ruleless(2, 5).double().jet(Jet.root(torch.ones(3, 2).double()))
    expected = rings(2, 5).double().jet(Jet.root(torch.ones(3, 2).double()))
    torch.testing.assert_close(got.streams, expected.streams)


def test_it_is_fitted_saved_and_loaded(
    rings: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    names: dict[str, Any] = {}
    exec(compile(python_blocks()[1], str(PAGE), "exec"), names)
    field, target = names["field"], names["target"]
    error = (field(target.coords) - target.targets).square().mean()
    assert error < 0.2 * target.targets.var()
    with pytest.raises(FieldFileError, match=r"got 'Rings'.*components="):
        names["neurafield"].load("bump.field")
