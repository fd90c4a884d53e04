"""`neurafield`: parse, dispatch, and turn every failure into one sentence and an exit code."""

import argparse
import difflib
import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from . import combine_options, draw_options, evaluate_options, mesh_options, solve_options
from .values import count, fraction, level, positive, seed, threads

DONE, UNEXPECTED, BAD_INPUT, NUMERICAL_FAILURE, INTERRUPTED = 0, 1, 2, 3, 130

_EPILOG = """\
exit codes: 0 done; 2 bad usage or bad input; 3 numerical failure; 130 interrupted: fit saves a run
that had begun, solve poisson-image and blend write what they had found.

examples:
  neurafield fit photo.jpg                        a field in photo.field
  neurafield render photo.field --out big.png --scale 4
  neurafield fit song.wav --time 60 --out song.field
  neurafield compare photo.jpg --archs siren fourier relu --out comparison
  neurafield fit statue.ply                       a mesh or points, in statue.field
  neurafield mesh statue.field --out clean.ply
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message}. See {self.prog} --help.\n")


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    parser = build_parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        names = [arguments.command, *(getattr(arguments, n, None) for n in ("problem", "analysis"))]
        _refuse_unknown(parser, [name for name in names if name], unknown)
    warnings.showwarning = _show_warning
    try:
        command = importlib.import_module(f".{arguments.command}", __package__)
        code = command.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt as error:
        code = _fail(arguments, str(error) or "interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output (head, a pager) has gone; that is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DONE
    except OSError as error:
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        code = _fail(arguments, text, BAD_INPUT)
    except ValueError as error:
        code = _fail(arguments, str(error), BAD_INPUT)
    except Exception as error:
        text = f"unexpected {type(error).__name__}: {error}; run again with --debug and report it"
        code = _fail(arguments, text, UNEXPECTED)
    sys.exit(code)


def _refuse_unknown(
    parser: argparse.ArgumentParser, names: list[str], unknown: list[str]
) -> NoReturn:
    """Complain as the command, whose options these should have been, and guess what was meant."""
    chosen = parser
    for name in names:
        (commands,) = (a for a in chosen._actions if isinstance(a, argparse._SubParsersAction))
        chosen = commands.choices[name]
    meant = difflib.get_close_matches(unknown[0], chosen._option_string_actions, 1)
    guess = f" (did you mean {meant[0]}?)" if meant else ""
    chosen.error(f"unrecognized arguments: {' '.join(unknown)}{guess}")


def _fail(arguments: argparse.Namespace, text: str, code: int) -> int:
    if arguments.debug:
        traceback.print_exc()
    print(f"neurafield: {' '.join(text.split())}", file=sys.stderr)
    return code


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"neurafield: {message}", file=sys.stderr)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; the README and a test hold it to what it promises."""
    parser = _Parser(
        prog="neurafield",
        description="Fit neural fields to pictures, sound, video, volumes and shapes; draw them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_fit(commands)
    _add_render(commands)
    _add_mesh(commands)
    _add_evaluate(commands)
    _add_info(commands)
    _add_compare(commands)
    _add_analyze(commands)
    _add_solve(commands)
    _add_blend(commands)
    _add_combine(commands)
    _add_doctor(commands)
    return parser


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from .. import __version__

        print(f"neurafield {__version__}")
        parser.exit(DONE)


_ARCHS = "hash, siren, fourier, wire, tri-plane, ...; neurafield compare --list shows all"


def _add_command(
    commands: "argparse._SubParsersAction[_Parser]", name: str, summary: str, details: str = ""
) -> _Parser:
    parser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}. {details}"
    )
    parser.add_argument("--debug", action="store_true", help="show a traceback when it fails")
    return parser


def _add_fit(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = _add_command(
        commands,
        "fit",
        "fit a field to a signal",
        "Pictures (PNG, JPEG, TIFF), sound (WAV, FLAC, OGG), video (MP4, MKV, MOV), volumes (NPY, "
        "NPZ, NIfTI, TIFF stacks), meshes (OBJ, PLY, STL, OFF, GLB), points (PLY, XYZ). It stops "
        "at --steps, --time or --target-psnr, whichever comes first. Ctrl-C saves the run; "
        "--resume goes on.",
    )
    add = parser.add_argument
    add("input", type=Path, metavar="INPUT", help="the file to fit")
    add("--out", type=Path, metavar="F.field", help="the field file (default: INPUT's name, here)")
    add(
        "--arch",
        metavar="NAME",
        help=f"default: hash; siren for sound ({_ARCHS})",
    )
    add("--params", type=count, metavar="N", help="size of the field (default: by the signal)")
    add(
        "--levels",
        action="store_true",
        default=None,
        help="train every level of detail, for render --lod; takes several times as long (default "
        "for bacon and nglod)",
    )
    add(
        "--steps",
        type=count,
        metavar="N",
        help="stop after N steps (default: 1000 or 2000, by the signal)",
    )
    add(
        "--time",
        type=positive,
        metavar="S",
        help="stop after S seconds of fitting in all",
    )
    add("--target-psnr", type=positive, metavar="DB", help="stop once this PSNR is measured")
    add("--seed", type=seed, metavar="K", help="of parameters and sampling (default 0)")
    add("--lr", type=positive, metavar="LR", help="learning rate (default: by the architecture)")
    add(
        "--quantity",
        choices=("sdf", "tsdf", "occupancy", "udf"),
        help="what a shape's field gives: signed distance (default), the same cut off, a logit of "
        "being inside, unsigned distance",
    )
    add(
        "--truncation",
        type=positive,
        metavar="T",
        help="where tsdf is cut off, the longest edge of the shape's box being 1.8 (default 0.1)",
    )
    add("--threads", type=threads, metavar="T", help="processor threads (default: all cores)")
    add("--resume", action="store_true", help="go on with a run that was stopped or killed")
    add("--force", action="store_true", help="overwrite an existing output, or start anew")
    add("--json", action="store_true", help="print one JSON object as the last line of output")
    add("--log", type=Path, metavar="FILE", help="append progress to FILE, a JSON object a line")
    add("--tensorboard", type=Path, metavar="DIR", help="write curves for TensorBoard into DIR")


def _add_render(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = _add_command(
        commands,
        "render",
        "write a field as a file again, at any size",
        "The suffix of FILE chooses the format. A video keeps its frames and changes its rows and "
        "columns; sound changes its sample rate. Of a shape a picture of its surface is drawn, or "
        "a film of a turn around it.",
    )
    add = parser.add_argument
    add("field", type=Path, metavar="F.field", help="the field file")
    add("--out", type=Path, metavar="FILE", help="the picture, sound, ... to write")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--scale", type=positive, metavar="X", help="factor on the size; not for shapes"
    )
    size.add_argument(
        "--size",
        type=count,
        nargs="+",
        metavar="N",
        help="H W; for volumes D H W; for sound the samples (default: as the original; for shapes "
        "512 512)",
    )
    add(
        "--region",
        type=float,
        nargs="+",
        metavar="R",
        help="only a part, in samples of the original: R0 R1 C0 C1; sound: S0 S1; not for shapes",
    )
    add(
        "--lod",
        type=level,
        metavar="L",
        help="read the field at level of detail L, 0 the coarsest (default: all of it); info tells "
        "how many there are",
    )
    add("--force", action="store_true", help="overwrite an existing output")
    draw_options.add(parser)


def _add_mesh(commands: "argparse._SubParsersAction[_Parser]") -> None:
    mesh_options.add(_add_command(commands, "mesh", mesh_options.SUMMARY, mesh_options.DETAILS))


def _add_evaluate(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = _add_command(commands, "evaluate", evaluate_options.SUMMARY, evaluate_options.DETAILS)
    evaluate_options.add(parser)


def _add_info(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = _add_command(commands, "info", "show what a field file holds")
    parser.add_argument("field", type=Path, metavar="F.field", help="the field file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_compare(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = _add_command(
        commands,
        "compare",
        "fit several architectures of one size to a signal, side by side",
        "Leaves a page (HTML, to open in a browser), tables (Markdown, JSON), pictures, curves of "
        "PSNR over steps and time, and the fields. Each run stops at --steps or --time, whichever "
        "comes first. Ctrl-C keeps what has finished.",
    )
    add = parser.add_argument
    add("--list", action=_Architectures, help="show all architectures and exit")
    add("input", type=Path, metavar="INPUT", help="the file to fit")
    add(
        "--archs",
        nargs="+",
        required=True,
        metavar="NAME",
        help=f"all, or some of: {_ARCHS}",
    )
    add("--params", type=count, metavar="N", help="size of each (default: the first one's own)")
    add("--steps", type=count, metavar="N", help="steps of each (default 1000, or by --time)")
    add("--time", type=positive, metavar="S", help="stop each after S seconds of fitting")
    add(
        "--seeds",
        type=seed,
        nargs="+",
        default=[0],
        metavar="K",
        help="of parameters and sampling, a run each (default 0)",
    )
    add("--lr", type=positive, metavar="LR", help="learning rate (default: by the architecture)")
    add(
        "--tune",
        action="store_true",
        help="first try the learning rate x 1/3, 1 and 3, a quarter of a run each",
    )
    add("--threads", type=threads, metavar="T", help="processor threads (default: all cores)")
    add("--out", type=Path, metavar="DIR", help="where to (default: INPUT's name + -compare, here)")
    add("--force", action="store_true", help="write into a folder that has files in it")


class _Architectures(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from .compare import print_architectures

        print_architectures()
        parser.exit(DONE)


def _add_analyze(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = _add_command(commands, "analyze", "see what architectures learn first, and why")
    analyses = parser.add_subparsers(dest="analysis", required=True, metavar="ANALYSIS")
    own = analyses.add_parser(
        "spectrum",
        help="which frequencies are learnt first",
        description="Fit architectures of one size, and follow the error in each band of "
        "frequencies; take the spectrum of their neural tangent kernels. Leaves two figures, and "
        "the numbers as JSON.",
    )
    add = own.add_argument
    add(
        "input",
        type=Path,
        nargs="?",
        metavar="INPUT",
        help="the file to fit (default: a sum of ten sines, 5 to 50 cycles across the box)",
    )
    add("--archs", nargs="+", required=True, metavar="NAME", help=f"among {_ARCHS}")
    add("--rising", action="store_true", help="sines whose amplitudes rise with their frequency")
    add("--params", type=count, metavar="N", help="size of each (default: the first one's own)")
    add("--steps", type=count, default=2000, metavar="N", help="steps for each (default 2000)")
    add(
        "--seeds",
        type=seed,
        nargs="+",
        default=[0, 1, 2],
        metavar="K",
        help="of parameters and sampling, a run each (default 0 1 2)",
    )
    add("--lr", type=positive, metavar="LR", help="learning rate (default: by the architecture)")
    add("--threads", type=threads, metavar="T", help="processor threads (default: all cores)")
    add(
        "--out", type=Path, metavar="DIR", help="where to (default: INPUT's name + -spectrum, here)"
    )
    add("--force", action="store_true", help="write into a folder that has files in it")
    add("--json", action="store_true", help="print the numbers as the last line of output")


def _add_solve(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = _add_command(
        commands,
        "solve",
        "solve a problem in derivatives: pictures from gradients, waves, shapes that move",
        "Leaves the field, a figure (solution, reference, error) and the errors as JSON.",
    )
    problems = parser.add_subparsers(dest="problem", required=True, metavar="PROBLEM")
    for name, problem in solve_options.PROBLEMS.items():
        summary = f"{problem.summary[0].upper()}{problem.summary[1:]}. {problem.details}"
        own = problems.add_parser(name, help=problem.summary, description=summary)
        problem.add(own)
        solve_options.add_common(own)


def _add_blend(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = _add_command(
        commands,
        "blend",
        "set a part of one picture into another without a seam, or mix two",
        "All are of one size. With --mask, the gradients of SOURCE where it is bright and the "
        "values of BACKGROUND where it is dark; without, the gradients of both, mixed.",
    )
    add = parser.add_argument
    add("background", type=Path, metavar="BACKGROUND", help="a picture")
    add("source", type=Path, metavar="SOURCE", help="another, in place already")
    add("--out", type=Path, required=True, metavar="PICTURE", help="the picture to write")
    add("--mask", type=Path, metavar="MASK", help="a picture, bright where SOURCE is taken")
    add(
        "--mix",
        type=fraction,
        metavar="A",
        help="BACKGROUND's share without a mask, 0 to 1 (default 0.5)",
    )
    add("--time", type=positive, metavar="S", help="stop after S seconds")
    add("--threads", type=threads, metavar="T", help="processor threads (default: all cores)")
    add("--force", action="store_true", help="overwrite an existing output")


def _add_combine(commands: "argparse._SubParsersAction[_Parser]") -> None:
    combine_options.add(
        _add_command(commands, "combine", combine_options.SUMMARY, combine_options.DETAILS)
    )


def _add_doctor(commands: "argparse._SubParsersAction[_Parser]") -> None:
    _add_command(commands, "doctor", "show what this machine and this installation can do")
