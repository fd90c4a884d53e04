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
import torch
from PIL import Image

import neurafield as nf

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
    Image.fromarray(rng.integers(0, 256, (120, 120), dtype=np.uint8)).save(path)
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


@pytest.mark.skipif(sys.platform != "linux", reason="reads the handled signals from /proc")
@pytest.mark.parametrize("delay", [0, 0.1])
def test_sigterm_while_importing_exits_130(tmp_path: Path, photo: Path, delay: float) -> None:
    process = start(tmp_path, "evaluate", photo, "--against", photo)
    while not handles_sigterm(process.pid):
        assert process.poll() is None, process.communicate()
    time.sleep(delay)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "neurafield: interrupted\n")


def handles_sigterm(pid: int) -> bool:
    """True if the process has its own handler of SIGTERM."""
    (caught,) = (
        line.split()[1]
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("SigCgt")
    )
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def test_without_a_handler_sigterm_is_not_handled() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        time.sleep(0.1)
        assert not handles_sigterm(process.pid)


@pytest.mark.slow
def test_sigterm_while_measuring_exits_130(tmp_path: Path) -> None:
    # Measuring so many pixels takes seconds.
    array = np.random.default_rng(0).integers(0, 256, (3000, 3000), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "large.png", compress_level=1)
    options = ("--arch", "siren", "--steps", 10, "--log", "log.jsonl")
    process = start(tmp_path, "fit", "large.png", *options)
    wait_for(tmp_path / "log.jsonl", process)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted while measuring" in err
    assert "Traceback" not in err
    assert not (tmp_path / "large.field").exists()


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not (path.exists() and path.stat().st_size):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


STEPS = {"siren": 400, "hash": 150}


def start_fit(folder: Path, photo: Path, arch: str) -> subprocess.Popen[str]:
    options = ("--arch", arch, "--steps", STEPS[arch], "--params", 9000)
    log = folder.with_suffix(".jsonl")
    if arch == "hash":
        options = (*options, "--threads", 2)
    return start(folder, "fit", photo, "--out", "f.field", "--resume", "--log", log, *options)


def finish(folder: Path, photo: Path, arch: str) -> str:
    """Run to the end; return the hash of the field. Nothing else may be left behind."""
    process = start_fit(folder, photo, arch)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert [path.name for path in folder.iterdir()] == ["f.field"]
    return hashlib.sha256((folder / "f.field").read_bytes()).hexdigest()


def kill(folder: Path, photo: Path, arch: str, step: int, delay: float) -> bool:
    """Start, and kill some time after the log has come to a step. Return whether it still ran."""
    process = start_fit(folder, photo, arch)
    log = folder.with_suffix(".jsonl")
    while step and process.poll() is None:
        if log.exists() and len(log.read_text().splitlines()) >= step // 10:
            break
        time.sleep(0.005)
    time.sleep(delay)
    running = process.poll() is None
    process.kill()
    process.communicate()
    return running


@pytest.mark.slow
@pytest.mark.parametrize(("arch", "times"), [("hash", 20), ("siren", 5)])
def test_killed_many_times_and_resumed_ends_in_the_same_bytes(
    tmp_path: Path, photo: Path, arch: str, times: int
) -> None:
    rng = random.Random(0)
    whole = tmp_path / "whole"
    whole.mkdir()
    digests, kills, midway = set(), 0, 0
    expected = finish(whole, photo, arch)
    for index in range(40):
        folder = tmp_path / str(index)
        folder.mkdir()
        # Anywhere from the start of the process to the moment of the last writes.
        killed = kill(
            folder, photo, arch, rng.randrange(0, STEPS[arch] + 10, 10), rng.uniform(0, 0.1)
        )
        kills += killed
        midway += killed and (folder / "f.field.checkpoint").exists()
        digests.add(finish(folder, photo, arch))
        if kills == times:
            break
    assert digests == {expected}
    assert kills == times
    assert midway >= 0.7 * times


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
    arguments = ["fit", "large.png", "--steps", "5", "--json"]
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


RENDER = """
import resource, sys
from neurafield.cli.main import main

def peak_after(out, side):
    try:
        main(["render", "f.field", "--out", out, "--size", side, side])
    except SystemExit as end:
        assert end.code == 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

small = peak_after("small" + sys.argv[1], "64")
print(1024 * (peak_after("large" + sys.argv[1], sys.argv[2]) - small))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in kilobytes on Linux")
@pytest.mark.parametrize(
    ("channels", "suffix", "side"), [(1, ".png", 12_288), (3, ".png", 8192), (3, ".tif", 8192)]
)
def test_a_rendering_takes_no_more_memory_when_larger(
    tmp_path: Path, channels: int, suffix: str, side: int
) -> None:
    # The picture itself, 151 MB of grey or 201 MB of colour, would not fit.
    net = nf.networks.Siren(
        2, channels, width=1, depth=1, generator=torch.Generator().manual_seed(0)
    )
    signal = nf.signals.Image.from_array(np.zeros((8, 8, channels), np.uint8))
    nf.save(tmp_path / "f.field", nf.Field(net), signal=signal.layout.spec())
    done = subprocess.run(
        [sys.executable, "-c", RENDER, suffix, str(side)],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (tmp_path / f"large{suffix}").stat().st_size > 10_000
    assert int(done.stdout.splitlines()[-1]) < 60e6
