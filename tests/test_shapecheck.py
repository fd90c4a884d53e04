"""The import hook refuses wrong types and shapes, in functions with shapes and without."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import ForwardRef

import jaxtyping
import pytest
import torch

from .shapecheck import may_have_shapes

MODULE = """
from dataclasses import dataclass
from jaxtyping import Float
from torch import Tensor

def half(x: float) -> float:
    return x / 2

def name(x: int) -> str:
    return x

def shaped(x: Float[Tensor, "n 2"], y: Float[Tensor, "n"] | None = None) -> Float[Tensor, "n"]:
    return x[:, 0] if y is None else y

@dataclass
class Pair:
    first: int
    second: tuple[int, ...] = ()

    @property
    def third(self) -> str:
        return self.first

    @classmethod
    def of(cls, first: int) -> "Pair":
        return cls(first)

    @staticmethod
    def twice(x: int) -> int:
        return 2 * x
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "checked_by_hook.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    with jaxtyping.install_import_hook("checked_by_hook", "tests.shapecheck.check"):
        yield importlib.import_module("checked_by_hook")
    del sys.modules["checked_by_hook"]


def test_what_is_right_passes(module: ModuleType) -> None:
    assert module.half(3) == 1.5
    assert module.shaped(torch.zeros(3, 2), torch.ones(3)).sum() == 3
    pair = module.Pair.of(3)
    assert (pair.second, pair.twice(2)) == ((), 4)


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.half("3"),
        lambda m: m.name(3),
        lambda m: m.shaped(torch.zeros(3)),
        lambda m: m.shaped(torch.zeros(3, 2), torch.ones(4)),
        lambda m: m.Pair("3"),
        lambda m: m.Pair(3, ("4",)),
        lambda m: m.Pair(3).third,
        lambda m: m.Pair.of("3"),
        lambda m: m.Pair.twice("3"),
    ],
    ids=range(9),
)
def test_what_is_wrong_is_refused(module: ModuleType, call) -> None:
    with pytest.raises(TypeError, match=r"^Type-check error"):
        call(module)


def test_plain_functions_are_checked_once(module: ModuleType) -> None:
    """No wrapper of jaxtyping's around them, which is what takes the time."""
    wrappers = {name: getattr(module, name).__code__.co_filename for name in ("half", "shaped")}
    assert wrappers["shaped"].endswith("_decorator.py")
    assert "beartype" in wrappers["half"]


def test_shapes_are_found_at_any_depth() -> None:
    shape = jaxtyping.Float[torch.Tensor, "n"]
    for found in (shape, shape | None, list[tuple[shape, ...]], "Field", list[ForwardRef("Field")]):
        assert may_have_shapes(found), found
    for plain in (int, float | None, dict[str, torch.Tensor], torch.Tensor, None):
        assert not may_have_shapes(plain), plain
