"""What a field file says of its shape: brought back as it was, or refused in one sentence."""

import json
import math
from typing import Any

import pytest

from neurafield import SignalError
from neurafield.geometry import Frame
from neurafield.shapes import ShapeLayout, TruncatedDistance

LAYOUT = ShapeLayout(
    frame=Frame((1.0, -2.0, 3e6), 7.0), quantity=TruncatedDistance(0.2), times=(3.0, 1.0)
)


def test_it_comes_back() -> None:
    for layout in (LAYOUT, ShapeLayout()):
        assert ShapeLayout.from_spec(json.loads(json.dumps(layout.spec()))) == layout


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "image"},
        {"frame": None},
        {"frame": {"centre": [0, 0, 0], "scale": 0}},
        {"frame": {"centre": [0, 0, 0], "scale": 10**400}},
        {"frame": {"centre": [0, 0, math.nan], "scale": 1}},
        {"frame": {"centre": [0, 0], "scale": 1}},
        {"quantity": "density"},
        {"quantity": ["sdf"]},
        {"truncation": -1},
        {"truncation": 10**400},
        {"truncation": "wide"},
        {"quantity": "sdf"},
        {"times": []},
        {"times": [1]},
        {"times": [1, 2, 3]},
        {"times": [math.nan, 1]},
        {"times": [0, math.inf]},
        {"times": [0, 10**400]},
        {"colour": "red"},
    ],
    ids=lambda change: f"{change}"[:40],
)
def test_nonsense_is_one_error(change: dict[str, Any]) -> None:
    with pytest.raises(SignalError, match="cannot be understood"):
        ShapeLayout.from_spec({**LAYOUT.spec(), **change})


@pytest.mark.parametrize("missing", LAYOUT.spec())
def test_nothing_may_be_missing(missing: str) -> None:
    spec = LAYOUT.spec()
    del spec[missing]
    with pytest.raises(SignalError, match="cannot be understood"):
        ShapeLayout.from_spec(spec)
