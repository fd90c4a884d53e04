"""Distances measured at few points, for tests that fit shapes."""

from typing import Any

import pytest

from neurafield.signals import distances
from neurafield.tasks import shape_distance


def measure_few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    true = distances.DistanceSamples.__init__

    def with_few(self: object, *arguments: Any, num_points: int = 4000) -> None:
        true(self, *arguments, num_points=num_points)

    # A new function: defaults of the present one would not reach through the hook's wrapper.
    monkeypatch.setattr(distances.DistanceSamples, "__init__", with_few)
    monkeypatch.setattr(shape_distance, "_MEASURED", 500)
    monkeypatch.setattr(shape_distance, "_MEASURED_INSIDE", 2**14)
