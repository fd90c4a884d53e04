"""The package installs and works without a compiler, with a broken one, and with one."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from .kernels.levels import needs_native

ROOT = Path(__file__).parents[1]

PROBE = """
import sys
sys.path[:0] = [{target!r}, {packages!r}]
from pathlib import Path
import numpy as np, neurafield
from PIL import Image
from neurafield.cli.main import main
assert Path(neurafield.__file__).is_relative_to({target!r}), neurafield.__file__
Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save("in.png")
assert main(["doctor"]) == 0
assert main(["fit", "in.png", "--steps", "3", "--arch", "siren"]) == 0
assert main(["render", "in.field", "--out", "out.png"]) == 0
"""


def install(target: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    command += ["--no-deps", "--target", str(target), str(ROOT)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def probe(target: Path, folder: Path) -> str:
    """Runs the probe with the package in `target` and all other packages of this environment."""
    packages = sysconfig.get_path("purelib")
    # -S: `site` would read the file that points to the editable installation.
    command = [sys.executable, "-S", "-c", PROBE.format(target=str(target), packages=packages)]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["none", "broken"])
def test_without_a_working_compiler(compiler: str, tmp_path: Path) -> None:
    environment = dict(os.environ)
    for name in ("CC", "CXX", "CMAKE_ARGS", "SKBUILD_CMAKE_ARGS", "NEURAFIELD_REQUIRE_KERNELS"):
        environment.pop(name, None)
    if compiler == "none":
        (tmp_path / "empty").mkdir()
        environment["PATH"] = str(tmp_path / "empty")
    else:
        fake = tmp_path / "c++"
        fake.write_text("#!/bin/sh\nexit 1\n")
        fake.chmod(0o755)
        environment["CXX"] = str(fake)
    install(tmp_path / "target", environment)
    assert not list((tmp_path / "target").rglob("_native*"))
    shown = probe(tmp_path / "target", tmp_path)
    assert "reference (torch), because this installation was made without a C++ compiler" in shown


@needs_native
@pytest.mark.slow
def test_with_a_compiler(tmp_path: Path) -> None:
    install(tmp_path / "target", dict(os.environ))
    assert list((tmp_path / "target").rglob("_native*"))
    assert "kernels:      native" in probe(tmp_path / "target", tmp_path)
