"""The compiled library for tests: each instruction set that this machine has, in turn."""

from collections.abc import Iterator

import pytest

from neurafield.kernels import dispatch

if dispatch.describe().startswith("native"):
    from neurafield import _native

    LEVELS = _native.levels()
else:
    LEVELS = []

needs_native = pytest.mark.skipif(not LEVELS, reason="installed without a compiler")


@pytest.fixture(params=LEVELS or [pytest.param("none", marks=needs_native)])
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the test on one instruction set, with the compiled kernels or not at all."""
    monkeypatch.setenv(dispatch.VARIABLE, "native")
    before = _native.level()
    _native.use_level(request.param)
    yield request.param
    _native.use_level(before)
