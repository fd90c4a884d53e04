"""What only a process of its own can show: start-up time, signals, kills, memory."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COMMAND = [sys.executable, "-m", "neurafield"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def start(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "photo.png"
    # More pixels than a batch, so that every step draws at random.
    Image.fromarray(rng.integers(0, 256, (80, 80), dtype=np.uint8)).save(path)
    return path


def test_help_answers_at_once() -> None:
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
        times.append(time.perf_counter() - begun)
    assert "exit codes" in done.stdout
    assert min(times) < 0.3


def test_help_does_not_import_torch() -> None:
    code = (
        "import sys, neurafield\n"
        "from neurafield.cli.main import build_parser\n"
        "build_parser().format_help()\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ctrl_c_saves_and_exits_130(tmp_path: Path, photo: Path) -> None:
    process = start(tmp_path, "fit", photo, "--steps", 10**9, "--log", "log.jsonl")
    wait_for(tmp_path / "log.jsonl", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "--resume" in err
    assert "Traceback" not in err
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"photo.png", "log.jsonl", "photo.field.checkpoint"}


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not (path.exists() and path.stat().st_size):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def fit_once(folder: Path, photo: Path, kill_after: float | None) -> bool:
    """Run a fit with --resume; kill it after so long. Return whether it finished."""
    process = start(
        *(folder, "fit", photo, "--out", "f.field", "--resume", "--steps", 400, "--params", 3000)
    )
    try:
        _, err = process.communicate(timeout=kill_after or 300)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    assert process.returncode == 0, err
    return True


@pytest.mark.slow
def test_killed_20_times_and_resumed_ends_20_times_in_the_same_bytes(
    tmp_path: Path, photo: Path
) -> None:
    def digest(folder: Path) -> str:
        # Nothing else is left behind, whenever the kill came.
        assert [path.name for path in folder.iterdir()] == ["f.field"]
        return hashlib.sha256((folder / "f.field").read_bytes()).hexdigest()

    whole = tmp_path / "whole"
    whole.mkdir()
    begun = time.perf_counter()
    assert fit_once(whole, photo, None)
    duration = time.perf_counter() - begun
    digests, kills, resumed = [], 0, 0
    rng = random.Random(0)
    for index in range(20):
        folder = tmp_path / str(index)
        folder.mkdir()
        # Anywhere from before the first step to the moment of the last write.
        moment = rng.uniform(0.3, 1.0) * duration
        if not fit_once(folder, photo, moment):
            kills += 1
            resumed += (folder / "f.field.checkpoint").exists()
            assert fit_once(folder, photo, None)
        digests.append(digest(folder))
    assert set(digests) == {digest(whole)}
    assert kills >= 15
    assert resumed >= 10


@pytest.mark.slow
def test_a_large_picture_fits_in_two_gigabytes(tmp_path: Path) -> None:
    # As large as the 14-megapixel portrait, of noise, which no codec shrinks.
    rng = np.random.default_rng(0)
    array = rng.integers(0, 256, (4333, 3250), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "large.png", compress_level=1)
    code = (
        "import resource, sys\n"
        "from neurafield.cli.main import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "finally:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    arguments = ["fit", "large.png", "--steps", "5", "--params", "2000", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    *_, figures, kilobytes = done.stdout.splitlines()
    assert json.loads(figures)["steps"] == 5
    assert int(kilobytes) * 1024 < 2e9
