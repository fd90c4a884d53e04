"""The command line's contract, in process: options, exit codes, one sentence a failure."""

import inspect
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.metrics
import soundfile
import torch
from PIL import Image

from neurafield import load, problems, save
from neurafield.cli.info import lines as info_lines
from neurafield.cli.main import build_parser, main
from neurafield.cli.render.run import file_slabs
from neurafield.cli.shared.inputs import file_layout
from neurafield.cli.solve.options import PROBLEMS
from neurafield.fit import fit

Run = Callable[..., "Outcome"]


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> dict:
        return json.loads(self.out.splitlines()[-1])


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(ended.value.code, captured.out, captured.err)

    return call


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rows, columns = np.mgrid[0:23, 0:31]
    grey = 127 + 60 * np.sin(rows / 5) + 60 * np.cos(columns / 7)
    array = np.stack([grey, 255 - grey, grey / 2], -1).astype(np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(array).save(path)
    return path


def check_refused(outcome: Outcome, *words: str, code: int = 2) -> None:
    """One sentence on standard error that holds the words, and nothing on standard output."""
    assert outcome.code == code
    assert outcome.out == ""
    progress = ("fitting", "measuring", "rendering")
    lines = [line for line in outcome.err.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(progress)]
    assert len(lines) == 1, lines
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err, outcome.err


@pytest.mark.parametrize(
    ("options", "kernels"),
    [
        (("--arch", "nope"), None),
        (("--params", 1), None),
        (("--levels", "--arch", "siren"), None),
        ((), "nope"),
    ],
)
def test_no_bar_is_drawn_before_an_error(
    run: Run,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[object, ...],
    kernels: str | None,
) -> None:
    if kernels is not None:
        monkeypatch.setenv("NEURAFIELD_KERNELS", kernels)
    found = run("fit", photo, *options)
    check_refused(found)
    assert found.err.startswith("neurafield: ")
    assert found.err.count("\n") == 1


def test_a_fit_draws_a_bar(run: Run, photo: Path) -> None:
    assert "fitting" in run("fit", photo, "--steps", 2, "--arch", "relu").err


def test_the_help_names_the_problems_that_write_when_interrupted() -> None:
    (line,) = (
        line for line in build_parser().format_help().splitlines() if "result so far" in line
    )
    for name in PROBLEMS:
        function = getattr(problems, name.replace("-", "_"))
        assert (name in line) is ("should_stop" in inspect.signature(function).parameters), name


def test_check_refused_can_fail() -> None:
    for bad in (
        Outcome(0, "", "neurafield: x.png: no"),
        Outcome(2, "{}", "neurafield: x.png: no"),
        Outcome(2, "", "one\ntwo"),
        Outcome(2, "", "neurafield: y"),
    ):
        with pytest.raises(AssertionError):
            check_refused(bad, "x.png")


# ---- fit


def test_fit_json_is_the_truth(run: Run, photo: Path, tmp_path: Path) -> None:
    outcome = run("fit", photo, "--steps", 60, "--json")
    figures = outcome.json
    assert outcome.code == 0
    keys = {"psnr", "ssim", "mse", "steps", "seconds", "params", "bytes", "file"}
    assert figures.keys() == keys
    assert figures["steps"] == 60
    assert figures["file"] == "photo.field"
    assert figures["bytes"] == (tmp_path / "photo.field").stat().st_size
    assert figures["params"] == load("photo.field").field.num_parameters
    # The figures are those that anyone can measure on the rendering.
    assert run("render", "photo.field", "--out", "again.png").code == 0
    a, b = (np.asarray(Image.open(name)) for name in ("photo.png", "again.png"))
    psnr = skimage.metrics.peak_signal_noise_ratio(a, b)
    ssim = skimage.metrics.structural_similarity(
        a, b, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert figures["psnr"] == pytest.approx(psnr, abs=1e-3)
    assert figures["ssim"] == pytest.approx(ssim, abs=1e-4)
    assert {path.name for path in tmp_path.iterdir()} == {"photo.png", "photo.field", "again.png"}


def test_fit_without_json_prints_one_line(run: Run, photo: Path) -> None:
    outcome = run("fit", photo, "--steps", 3)
    assert len(outcome.out.splitlines()) == 1
    for word in ("photo.field", "PSNR", "SSIM", "parameters", "bytes", "steps"):
        assert word in outcome.out


@pytest.mark.parametrize("arch", ["siren", "fourier", "positional", "relu"])
def test_every_architecture_by_name(run: Run, photo: Path, arch: str) -> None:
    assert run("fit", photo, "--arch", arch, "--steps", 2, "--params", 9000).code == 0
    assert load("photo.field").fit["arch"] == arch
    assert abs(load("photo.field").field.num_parameters / 9000 - 1) < 0.05


def test_same_seed_same_file(run: Run, photo: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert run("fit", photo, "--steps", 5, "--seed", seed, "--out", f"{name}.field").code == 0
    a, b, c = ((tmp_path / f"{name}.field").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_an_existing_output_needs_force(run: Run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.field").write_text("precious")
    check_refused(run("fit", photo, "--steps", 2), "photo.field", "--force")
    assert (tmp_path / "photo.field").read_text() == "precious"
    assert run("fit", photo, "--steps", 2, "--force").code == 0


def test_time_and_target_stop_it(run: Run, photo: Path) -> None:
    figures = run("fit", photo, "--time", 0.5, "--json").json
    assert 0.5 <= figures["seconds"] < 10
    outcome = run("fit", photo, "--target-psnr", 20, "--out", "t.field", "--json")
    assert outcome.json["psnr"] >= 20
    outcome = run("fit", photo, "--target-psnr", 80, "--steps", 3, "--out", "u.field", "--json")
    assert outcome.code == 0
    assert "before 80 dB" in outcome.err


def test_log_and_threads_and_learning_rate(run: Run, photo: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    try:
        outcome = run(
            "fit", photo, "--steps", 20, "--threads", 1, "--lr", 2e-4, "--log", "log.jsonl"
        )
    finally:
        torch.set_num_threads(threads)
    assert outcome.code == 0
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20]
    assert load("photo.field").fit["lr"] == 2e-4


# ---- resume


@pytest.fixture
def interrupted(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of 60 steps that was stopped by Ctrl-C at step 25."""
    from neurafield.tasks import training as command

    def stop_early(*arguments, callbacks, should_stop, **options):
        import os
        import signal

        def press(progress) -> None:
            if progress.step == 25:
                os.kill(os.getpid(), signal.SIGINT)

        return fit(*arguments, callbacks=[*callbacks, press], should_stop=should_stop, **options)

    with monkeypatch.context() as patch:
        patch.setattr(command, "fit", stop_early)
        outcome = run("fit", photo, "--steps", 60, "--seed", 2)
    assert outcome.code == 130
    assert "step 25" in outcome.err
    assert "--resume" in outcome.err
    assert not Path("photo.field").exists()
    return Path("photo.field.checkpoint")


def test_ctrl_c_saves_and_resume_ends_in_the_same_bytes(
    run: Run, photo: Path, interrupted: Path
) -> None:
    outcome = run("fit", photo, "--resume", "--json")
    assert outcome.code == 0
    assert outcome.json["steps"] == 60, "the settings it was started with"
    assert not interrupted.exists()
    assert run("fit", photo, "--steps", 60, "--seed", 2, "--out", "whole.field").code == 0
    assert Path("photo.field").read_bytes() == Path("whole.field").read_bytes()


def test_a_forced_run_that_is_killed_early_resumes_itself(
    run: Run, photo: Path, interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurafield.fit.objective import Objective

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Objective, "add_gradients", crash)
        assert run("fit", photo, "--force", "--steps", 7, "--seed", 4).code == 130
    assert run("fit", photo, "--resume").code == 0
    about = load("photo.field").fit
    assert (about["steps"], about["seed"]) == (7, 4)


def test_an_unfinished_run_is_not_overwritten(run: Run, photo: Path, interrupted: Path) -> None:
    check_refused(run("fit", photo), "photo.field.checkpoint", "--resume", "--force")
    assert run("fit", photo, "--steps", 2, "--force").code == 0
    assert load("photo.field").fit["steps"] == 2


def test_resuming_with_another_input_is_refused(run: Run, photo: Path, interrupted: Path) -> None:
    before = interrupted.read_bytes()
    turn(photo, "photo.png")
    check_refused(run("fit", photo, "--resume"), "another input", "checkpoint")
    assert interrupted.read_bytes() == before


@pytest.mark.parametrize("option", [("--seed", 3), ("--arch", "relu"), ("--params", 9000)])
def test_resuming_with_other_settings_is_refused(
    run: Run, photo: Path, interrupted: Path, option: tuple[str, object]
) -> None:
    check_refused(run("fit", photo, "--resume", *option), f"expected {option[0][2:]} ")
    assert interrupted.exists()


def test_resuming_a_finished_run_has_nothing_to_do(run: Run, photo: Path) -> None:
    assert run("fit", photo, "--steps", 3).code == 0
    before = Path("photo.field").read_bytes()
    outcome = run("fit", photo, "--resume", "--json")
    assert outcome.code == 0
    assert outcome.json["steps"] == 3
    assert Path("photo.field").read_bytes() == before
    turn(photo, "other.png")
    check_refused(run("fit", "other.png", "--resume", "--out", "photo.field"), "another input")


def test_resume_without_anything_to_resume_starts(run: Run, photo: Path) -> None:
    assert run("fit", photo, "--steps", 3, "--resume").code == 0


def test_a_run_that_diverges_exits_3_and_names_the_term(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurafield.signals import Image as Signal

    real = Signal.batch

    def poisoned(self, size, *, seed, step, stream=0):
        query, target = real(self, size, seed=seed, step=step, stream=stream)
        return query, target * math.nan if step >= 50 else target

    with monkeypatch.context() as patch:
        patch.setattr(Signal, "batch", poisoned)
        check_refused(run("fit", photo, "--steps", 90), "photo.png", "'data'", "--lr", code=3)
    assert not Path("photo.field").exists()
    assert run("fit", photo, "--resume", "--lr", 1e-4).code == 0
    assert load("photo.field").fit["steps"] == 90


# ---- bad input: each kind of failure, once, through the command line


def test_bad_files_are_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "what.xyz").write_text("hello")
    np.save(tmp_path / "nan.npy", np.full((3, 3, 3), math.nan))
    soundfile.write(tmp_path / "silent.wav", np.zeros(0), 8000)
    for name in ("empty.png", "text.png", "what.xyz", "nan.npy", "silent.wav", "missing.png", "."):
        before = sorted(tmp_path.iterdir())
        check_refused(run("fit", name, "--steps", 2, "--out", "out.field"), name)
        assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("value", [0, 255])
def test_one_pixel_and_a_constant_picture_work(run: Run, value: int) -> None:
    for name, size in (("one.png", (1, 1)), ("flat.png", (20, 20))):
        Image.new("L", size, value).save(name)
        outcome = run("fit", name, "--steps", 40, "--json")
        assert outcome.code == 0
        assert "NaN" not in outcome.out
        field = Path(name).with_suffix(".field")
        assert run("render", field, "--out", f"again-{name}", "--force").code == 0
        assert run("info", field).code == 0


def test_an_output_folder_that_does_not_exist(run: Run, photo: Path) -> None:
    check_refused(run("fit", photo, "--out", "no/where/x.field"), "no/where", "mkdir")


def test_an_output_that_is_no_field_file_is_refused(run: Run, photo: Path) -> None:
    before = photo.read_bytes()
    check_refused(run("fit", photo, "--out", photo, "--force"), "photo.png", ".field")
    assert photo.read_bytes() == before


def test_the_default_output_is_named_after_the_input(run: Run) -> None:
    import nibabel

    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.uint8), np.eye(4)), "scan.v2.nii.gz")
    assert run("fit", "scan.v2.nii.gz", "--steps", 1).code == 0
    assert Path("scan.v2.field").exists()


def test_an_output_that_cannot_be_written(run: Run, photo: Path) -> None:
    # A file where a folder should be: this holds for root too, whom no permission stops.
    Path("file").touch()
    check_refused(run("fit", photo, "--out", "file/x.field"), "file/x.field")
    Path("folder.field").mkdir()
    check_refused(run("fit", photo, "--out", "folder.field"), "folder.field", "folder")


def test_a_full_disk_at_the_end_loses_nothing(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurafield.tasks import result as command

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "photo.field")

    with monkeypatch.context() as patch:
        patch.setattr(command, "save", full)
        check_refused(run("fit", photo, "--steps", 8), "photo.field", "No space left")
    assert Path("photo.field.checkpoint").exists()
    assert run("fit", photo, "--resume").code == 0
    assert run("fit", photo, "--steps", 8, "--out", "whole.field").code == 0
    assert Path("photo.field").read_bytes() == Path("whole.field").read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["fit"],
        ["fit", "a.png", "--steps", "0"],
        ["fit", "a.png", "--steps", "many"],
        ["fit", "a.png", "--time", "-1"],
        ["fit", "a.png", "--lr", "nan"],
        ["fit", "a.png", "--seed", "-1"],
        ["fit", "a.png", "--wings"],
        ["render", "a.field"],
        ["render", "a.field", "--out", "b.png", "--scale", "2", "--size", "3", "3"],
        ["compare", "a.png"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_one_sentence(run: Run, arguments: list[str]) -> None:
    check_refused(run(*arguments), "neurafield", "--help")


def test_an_unknown_architecture_says_where_the_known_are(run: Run, photo: Path) -> None:
    check_refused(run("fit", photo, "--arch", "vgg"), "compare --list", "vgg", "hash")
    check_refused(run("fit", photo, "--arch", "SIRENS"), "Did you mean siren?")


def test_typing_errors_get_a_guess(run: Run, photo: Path) -> None:
    check_refused(run("fit", photo, "--stpes", 5), "--steps?", "neurafield fit --help")
    check_refused(run("fit", photo, "--arch", "sirn"), "Did you mean siren?")


def test_a_field_as_input_is_explained(run: Run) -> None:
    Path("photo.field").write_text("x")
    check_refused(run("fit", "photo.field", "--force"), "photo.field", "render")
    assert Path("photo.field").read_text() == "x"


def test_the_input_is_looked_at_before_the_output(run: Run) -> None:
    Path("photo.field").touch()
    check_refused(run("fit", "photo.pgn"), "photo.pgn", "no such file")


def test_a_finished_run_is_not_taken_for_another(run: Run, photo: Path) -> None:
    assert run("fit", photo, "--steps", 3).code == 0
    check_refused(run("fit", photo, "--resume", "--steps", 50), "photo.field", "steps 3")
    check_refused(run("fit", photo, "--resume", "--arch", "relu"), "photo.field", "hash")


def test_a_limit_can_be_lifted_when_resuming(run: Run, photo: Path, interrupted: Path) -> None:
    assert run("fit", photo, "--resume", "--steps", 30).code == 0
    assert load("photo.field").fit["steps"] == 30


def test_a_long_clip_is_measured_on_some_of_its_frames(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurafield.tasks import signal as command

    rng = np.random.default_rng(0)
    np.save("v.npy", rng.uniform(0, 1, (10, 4, 5)))
    monkeypatch.setattr(command, "MEASURED_SAMPLES", 60)
    outcome = run("fit", "v.npy", "--steps", 2, "--json")
    assert outcome.json["measured"] == 0.3
    assert "on 30.0% of it" in outcome.err
    # Slices 0, 4 and 8, by hand.
    field, volume = load("v.field").field, np.load("v.npy")
    low, high = volume.min(), volume.max()
    truth = 2 * (volume - low) / (high - low) - 1
    axes = [(2 * np.arange(n) + 1) / n - 1 for n in volume.shape]
    x = torch.from_numpy(np.stack(np.meshgrid(*axes, indexing="ij"), -1)).float()
    with torch.no_grad():
        error = (field(x)[..., 0].numpy() - truth)[::4] ** 2
    assert outcome.json["mse"] == pytest.approx(error.mean(), rel=1e-4)


def test_ctrl_c_while_measuring_says_where_the_run_is(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurafield.fit import metrics

    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(metrics, "evaluate", press)
        outcome = run("fit", photo, "--steps", 5)
    check_refused(outcome, "photo.field.checkpoint", "--resume", code=130)
    assert run("fit", photo, "--resume").code == 0


@pytest.mark.parametrize("error", [ValueError, TypeError, RuntimeError, LookupError])
def test_an_error_that_is_not_the_librarys_is_a_bug(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    from neurafield.fit import metrics

    def broken(*_: object, **__: object) -> None:
        raise error("axes differ")

    monkeypatch.setattr(metrics, "evaluate", broken)
    outcome = run("fit", photo, "--steps", 1)
    text = f"unexpected {error.__name__}: "
    check_refused(outcome, text, "axes differ", "; please report it; --debug shows more", code=1)
    assert "Traceback" in run("fit", photo, "--force", "--steps", 1, "--debug").err


def test_debug_shows_the_traceback(run: Run) -> None:
    outcome = run("fit", "missing.png", "--debug")
    assert outcome.code == 2
    assert "Traceback" in outcome.err


# ---- render, info, doctor


@pytest.fixture(scope="session")
def kept() -> dict[str, bytes]:
    """Files that one test has made and others begin with."""
    return {}


@pytest.fixture
def fitted(run: Run, photo: Path, kept: dict[str, bytes]) -> Path:
    path = Path("photo.field")
    if path.name not in kept:
        assert run("fit", photo, "--steps", 30).code == 0
        kept[path.name] = path.read_bytes()
    path.write_bytes(kept[path.name])
    return path


def turn(source: Path, target: str) -> None:
    with Image.open(source) as picture:
        turned = picture.rotate(180)
    turned.save(target)


def size_of(path: str) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.height, picture.width


def test_render_sizes(run: Run, fitted: Path) -> None:
    assert run("render", fitted, "--out", "1.png").code == 0
    assert run("render", fitted, "--out", "2.png", "--scale", 2.5).code == 0
    assert run("render", fitted, "--out", "3.jpg", "--size", 7, 50).code == 0
    assert run("render", fitted, "--out", "4.tif", "--region", 2, 12, 0, 31, "--scale", 3).code == 0
    sizes = [size_of(name) for name in ("1.png", "2.png", "3.jpg", "4.tif")]
    assert sizes == [(23, 31), (58, 78), (7, 50), (30, 93)]


def test_a_rendered_region_is_that_part_of_the_whole(run: Run, fitted: Path) -> None:
    run("render", fitted, "--out", "whole.png", "--scale", 3)
    run("render", fitted, "--out", "part.png", "--scale", 3, "--region", 2, 12, 5, 9)
    whole, part = (np.asarray(Image.open(n)).astype(int) for n in ("whole.png", "part.png"))
    assert abs(whole[6:36, 15:27] - part).max() <= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "x.png", "--region", "0", "24", "0", "3"], ["region", "24"]),
        (["--out", "x.png", "--region", "-1", "2", "0", "3"], ["region", "-1"]),
        (["--out", "x.png", "--region", "5", "5", "0", "3"], ["region"]),
        (["--out", "x.png", "--region", "nan", "5", "0", "3"], ["region"]),
        (["--out", "x.png", "--region", "0", "3"], ["region", "4 values"]),
        (["--out", "x.png", "--size", "3"], ["size"]),
        (["--out", "x.png", "--scale", "1e9"], ["size"]),
        (["--out", "x.jpg", "--size", "65501", "2"], ["x.jpg", "65,500"]),
        (["--out", "x.wav"], ["x.wav", ".png"]),
        (["--out", "x"], ["x", ".png"]),
        (["--out", "no/x.png"], ["no/x.png"]),
        (["--out", "photo.png"], ["photo.png", "--force"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_render_refuses(run: Run, fitted: Path, arguments: list[str], words: list[str]) -> None:
    before = sorted(Path().iterdir())
    check_refused(run("render", fitted, *arguments), *words)
    assert sorted(Path().iterdir()) == before


def test_the_bar_of_a_huge_rendering_moves_at_once(run: Run, fitted: Path) -> None:
    file = load(fitted)
    layout = file_layout(fitted, file).resized(size=(16384, 16384))
    parts: list[float] = []
    slabs = file_slabs(file, layout, parts.append)
    for _ in range(3):
        next(slabs)
    assert 0 < parts[0] < parts[1] < 0.005


def test_render_of_something_else_is_refused(run: Run, photo: Path, fitted: Path) -> None:
    check_refused(run("render", photo, "--out", "x.png"), "photo.png")
    save("bare.field", load(fitted).field)
    check_refused(run("render", "bare.field", "--out", "x.png"), "bare.field", "signal")
    save("odd.field", load(fitted).field, signal={"kind": "smell"})
    check_refused(run("render", "odd.field", "--out", "x.png"), "odd.field", "smell")


def test_what_takes_pictures_and_sound_tells_of_shapes(run: Run, photo: Path) -> None:
    Path("a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    check_refused(run("compare", "a.obj", "--archs", "relu"), "a.obj", "got a shape", "fit")
    photo.rename("a.foo")
    check_refused(run("fit", "a.foo"), "a.foo", ".png", "Shapes", ".obj")


def test_sound_comes_back_as_sound(run: Run) -> None:
    t = np.arange(4001) / 8000
    soundfile.write("tone.wav", 0.5 * np.sin(2 * np.pi * 220 * t), 8000, subtype="PCM_16")
    assert run("fit", "tone.wav", "--steps", 20, "--json").json.keys() >= {"psnr", "file"}
    assert run("render", "tone.field", "--out", "again.wav").code == 0
    assert run("render", "tone.field", "--out", "fine.flac", "--scale", 2).code == 0
    again, fine = soundfile.info("again.wav"), soundfile.info("fine.flac")
    assert (again.samplerate, again.frames, again.subtype) == (8000, 4001, "PCM_16")
    assert (fine.samplerate, fine.frames) == (16000, 8002)


def test_info(run: Run, fitted: Path) -> None:
    facts = run("info", fitted, "--json").json
    parts = facts["field"]["hyperparams"]
    assert (parts["encoding"]["type"], parts["network"]["type"]) == ("HashGrid", "MLP")
    assert facts["signal"]["kind"] == "image"
    assert facts["fit"]["steps"] == 30
    text = run("info", fitted).out
    assert "HashGrid" in text
    assert "psnr" in text
    assert "  sparse: no\n" in text


def test_info_prints_unknowns(run: Run, fitted: Path) -> None:
    unknowns = {"equation.k": torch.tensor(0.1003), "equation.centre": torch.tensor([0.5, -2.0])}
    save("u.field", load(fitted).field, unknowns=unknowns)
    facts = run("info", "u.field", "--json").json
    assert facts["unknowns"] == {
        "equation.k": pytest.approx(0.1003),
        "equation.centre": [0.5, -2.0],
    }
    out = run("info", "u.field").out
    assert "unknowns:\n  equation.centre: 0.5, -2\n  equation.k: 0.1003\n" in out
    assert "unknowns" not in run("info", fitted).out
    assert run("info", fitted, "--json").json["unknowns"] == {}


def test_info_prints_no_control_characters() -> None:
    evil = "\x1b[31m\n\u202e" + "a" * 1000
    nested = {"type": evil, "hyperparams": {evil: 1}}
    facts = {evil: evil, "fit": {evil: [evil, evil]}, "field": nested, "parts": [{evil: 2}]}
    found = info_lines(facts)
    assert all(line.isprintable() for line in found)
    assert max(map(len, found)) < 200
    assert "\\x1b[31m" in found[0]


def test_info_writes_values_as_people_do() -> None:
    many = {"scale": [[0.5, 1], [2, True]], "rows": [10_000] * 99, "seed": 12_345, "none": []}
    parts = [{"type": "Identity", "hyperparams": {"in_dim": 2}}] * 6
    assert info_lines({"network": {"type": "MLP", "hyperparams": {"parts": parts}}, **many}) == [
        "network: MLP",
        *(line for i in range(4) for line in (f"  parts {i}: Identity", "    in_dim: 2")),
        "  parts: 6 in all; --json prints all of them",
        "scale: (0.5, 1), (2, yes)",
        f"rows: {'10,000, ' * 7}... (99 in all)",
        "seed: 12345",
    ]


def test_doctor(run: Run) -> None:
    outcome = run("doctor")
    assert outcome.code == 0
    for word in ("torch", "cores", "kernels", "video", "mesh", "ready"):
        assert word in outcome.out


def test_the_list_of_options_is_frozen() -> None:
    commands = build_parser()._subparsers._group_actions[0].choices
    options = {
        name: sorted(o for a in p._actions for o in a.option_strings if o.startswith("--"))
        for name, p in commands.items()
    }
    common = ["--debug", "--help"]
    assert options == {
        "fit": sorted(
            [
                *("--out", "--arch", "--params", "--steps", "--time", "--target-psnr", "--seed"),
                *("--lr", "--threads", "--resume", "--force", "--json", "--log", "--tensorboard"),
                *("--levels", "--quantity", "--truncation", *common),
            ]
        ),
        "render": sorted(
            [
                *("--out", "--scale", "--size", "--region", "--lod", "--force", "--azimuth"),
                *("--elevation", "--distance", "--fov", "--up", "--samples", "--background"),
                *("--level", "--at", "--turntable", "--frames", *common),
            ]
        ),
        "mesh": sorted(
            [
                *("--out", "--resolution", "--level", "--lod", "--threads", "--force", "--json"),
                *("--at", "--closed", *common),
            ]
        ),
        "evaluate": sorted(
            [
                *("--against", "--resolution", "--points", "--distance", "--seed", "--threads"),
                *("--json", *common),
            ]
        ),
        "info": sorted(["--json", *common]),
        "compare": sorted(
            [
                *("--list", "--archs", "--params", "--steps", "--time", "--seeds", "--lr"),
                *("--tune", "--threads", "--out", "--force", *common),
            ]
        ),
        "combine": sorted(["--with", "--smooth", "--out", "--force", *common]),
        "blend": sorted(["--out", "--mask", "--mix", "--time", "--threads", "--force", *common]),
        "analyze": common,
        "solve": common,
        "doctor": common,
    }
