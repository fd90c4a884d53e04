"""Options that several commands have, with one wording each."""

import argparse
from pathlib import Path

from .values import count, finite, level, positive, seed, threads

ARCHS = "such as hash, siren, fourier, wire or tri-plane; neurafield compare --list prints all"
"""Names of some architectures, for help texts."""


def add_field(parser: argparse.ArgumentParser) -> None:
    """Add the argument for a field file that is read."""
    parser.add_argument("field", type=Path, metavar="F.field", help="field file")


def add_params(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the option for the size of a field."""
    parser.add_argument(
        "--params",
        type=count,
        metavar="N",
        help=f"number of parameters of the field (default: {default})",
    )


def add_lr(parser: argparse.ArgumentParser) -> None:
    """Add the option for the learning rate."""
    parser.add_argument(
        "--lr", type=positive, metavar="LR", help="learning rate (default: by the architecture)"
    )


def add_seed(parser: argparse.ArgumentParser, of: str = "initial parameters and sampling") -> None:
    """Add the option for the seed of what is drawn at random."""
    parser.add_argument("--seed", type=seed, metavar="K", help=f"seed of {of} (default: 0)")


def add_seeds(parser: argparse.ArgumentParser, default: list[int]) -> None:
    """Add the option for several seeds."""
    parser.add_argument(
        "--seeds",
        type=seed,
        nargs="+",
        default=default,
        metavar="K",
        help="seeds of initial parameters and sampling, one run per seed (default: "
        f"{' '.join(map(str, default))})",
    )


def add_time(parser: argparse.ArgumentParser, of: str = "") -> None:
    """Add the option for the time that a run may take."""
    parser.add_argument("--time", type=positive, metavar="S", help=f"stop after S seconds{of}")


def add_lod(parser: argparse.ArgumentParser) -> None:
    """Add the option for the level of detail."""
    parser.add_argument(
        "--lod",
        type=level,
        metavar="L",
        help="level of detail of the field, from 0, the coarsest (default: the finest); neurafield "
        "info prints how many there are",
    )


def add_surface(parser: argparse._ActionsContainer, of: str, unsigned: str) -> None:
    """Add the options for the surface of a shape: its level, and its time if it moves."""
    parser.add_argument(
        "--level",
        type=finite,
        metavar="V",
        help=f"value of the field on the {of} surface; distances are in coordinates in which the "
        f"longest edge of the shape's box is 1.8 (default: 0; for unsigned distance {unsigned})",
    )
    parser.add_argument("--at", type=finite, metavar="T", help="time, for a moving shape")


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add the option for the number of processor threads."""
    parser.add_argument(
        "--threads", type=threads, metavar="T", help="processor threads (default: all cores)"
    )


def add_force(parser: argparse.ArgumentParser) -> None:
    """Add the option that allows an output to be overwritten."""
    parser.add_argument("--force", action="store_true", help="overwrite an existing output")


def add_folder_force(parser: argparse.ArgumentParser) -> None:
    """Add the option that allows an output folder to hold files already."""
    parser.add_argument(
        "--force", action="store_true", help="write into a folder that already contains files"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option for results that programs read."""
    parser.add_argument(
        "--json", action="store_true", help="print the results as one JSON object, on the last line"
    )
