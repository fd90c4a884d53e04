"""Versions of the kernels for tests: those of `dispatch.VERSIONS` that are installed here.

A version that enters the table gets every test that is parametrised by `VERSIONS`, or has the
fixture `level`.
"""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from neurafield.kernels import dispatch, library

INSTALLED = [version.name for version in dispatch.VERSIONS if not version.missing]

VERSIONS = [dispatch.REFERENCE, *INSTALLED]

LEVELS = library.native().levels() if "native" in INSTALLED else []

needs_native = pytest.mark.skipif(not LEVELS, reason="installed without a compiler")

OTHERS = [name for name in INSTALLED if name != "native"]


@pytest.fixture(params=[*LEVELS, *OTHERS] or [pytest.param("none", marks=needs_native)])
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the test with native kernels on each instruction set, then with each other version."""
    if request.param in OTHERS:
        monkeypatch.setenv(dispatch.VARIABLE, request.param)
        yield request.param
        return
    monkeypatch.setenv(dispatch.VARIABLE, "native")
    before = library.native().level()
    library.native().use_level(request.param)
    yield request.param
    library.native().use_level(before)


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with each version, the reference among them."""
    monkeypatch.setenv(dispatch.VARIABLE, request.param)
    return request.param


def implementation(operation: ModuleType) -> Any:
    """The module of an operation for the version that the environment requests, or "native"."""
    return getattr(operation, "IMPLEMENTATIONS")[dispatch.requested() or "native"]  # noqa: B009
