"""`neurafield`: parse, dispatch, and turn every failure into one sentence and an exit code."""

import argparse
import difflib
import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import NoReturn

from ..errors import NeurafieldError
from . import blend, combine, doctor, info, mesh
from .analyze import options as analyze
from .compare import options as compare
from .evaluate import options as evaluate
from .fit import options as fit
from .render import options as render
from .shared.command import BAD_INPUT, DONE, INTERRUPTED, UNEXPECTED, Command
from .shared.interruption import sigterm_as_ctrl_c
from .shared.output import notice
from .solve import options as solve

COMMANDS: tuple[Command, ...] = (
    fit.COMMAND,
    render.COMMAND,
    mesh.COMMAND,
    evaluate.COMMAND,
    info.COMMAND,
    compare.COMMAND,
    analyze.COMMAND,
    solve.COMMAND,
    blend.COMMAND,
    combine.COMMAND,
    doctor.COMMAND,
)
"""All commands, in the order in which the help lists them."""

_EPILOG = """\
exit codes:
  0    done
  1    unexpected error; please report it
  2    bad usage or bad input
  3    numerical failure: a fit or a solver diverged
  130  interrupted by Ctrl-C or SIGTERM. fit saves its state for --resume; compare, blend and
       solve poisson-image, mean-curvature, transport and morph write the result so far

examples:
  neurafield fit photo.jpg                                    fit a field, photo.field
  neurafield render photo.field --out big.png --scale 4       draw it four times as large
  neurafield fit song.wav --time 60 --out song.field          fit for 60 seconds
  neurafield compare photo.jpg --archs siren fourier relu     compare architectures
  neurafield fit statue.ply                                   fit a mesh, statue.field
  neurafield mesh statue.field --out clean.ply                extract its surface
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
    (command,) = (command for command in COMMANDS if command.name == arguments.command)
    try:
        with sigterm_as_ctrl_c():
            code = importlib.import_module(command.module).run(arguments)
            sys.stdout.flush()
    except KeyboardInterrupt as error:
        code = _fail(arguments, str(error) or "interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader of the output (head, a pager) has ended, which is no failure.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DONE
    except OSError as error:
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        code = _fail(arguments, text, BAD_INPUT)
    except NeurafieldError as error:
        code = _fail(arguments, str(error), BAD_INPUT)
    except Exception as error:
        text = f"unexpected {type(error).__name__}: {error}; please report it; --debug shows more"
        code = _fail(arguments, text, UNEXPECTED)
    sys.exit(code)


def _refuse_unknown(
    parser: argparse.ArgumentParser, names: list[str], unknown: list[str]
) -> NoReturn:
    """Report unknown options as the (sub)command to which they were given, with a guess."""
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
    notice(" ".join(text.split()))
    return code


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    notice(str(message))


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = _Parser(
        prog="neurafield",
        description="Fit neural fields to pictures, sound, video, volumes and shapes; write them "
        "as files of any size.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version)
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        summary = command.summary[0].upper() + command.summary[1:]
        own = parsers.add_parser(
            command.name, help=command.summary, description=f"{summary}. {command.details}"
        )
        own.add_argument("--debug", action="store_true", help="show a traceback on failure")
        command.add_options(own)
    return parser


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from .. import __version__

        print(f"neurafield {__version__}")
        parser.exit(DONE)
