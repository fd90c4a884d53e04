"""Options of `neurafield fit`."""

import argparse
from pathlib import Path

from ..shared import options
from ..shared.command import Command
from ..shared.values import count, positive


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", type=Path, metavar="INPUT", help="file to fit")
    add(
        "--out",
        type=Path,
        metavar="F.field",
        help="field file to write (default: the name of INPUT, in the current folder)",
    )
    add(
        "--arch",
        metavar="NAME",
        help=f"architecture, {options.ARCHS} (default: hash; for sound siren)",
    )
    options.add_params(parser, "by the input")
    add(
        "--levels",
        action="store_true",
        default=None,
        help="train every level of detail, for render --lod; takes several times as long (always "
        "on for bacon and nglod)",
    )
    add(
        "--steps",
        type=count,
        metavar="N",
        help="stop after N steps (default, without --time: 1000 or 2000, by the input)",
    )
    options.add_time(parser, of=" of fitting, resumed parts included")
    add("--target-psnr", type=positive, metavar="DB", help="stop when the PSNR reaches DB")
    options.add_seed(parser)
    options.add_lr(parser)
    add(
        "--quantity",
        choices=("sdf", "tsdf", "occupancy", "udf"),
        help="for shapes, the value of the field: signed distance (default), truncated signed "
        "distance, logit of being inside, or unsigned distance",
    )
    add(
        "--truncation",
        type=positive,
        metavar="T",
        help="distance at which tsdf is cut off (default: 0.1; the longest edge of the shape's box "
        "is 1.8)",
    )
    options.add_threads(parser)
    add("--resume", action="store_true", help="resume an interrupted run")
    add(
        "--force",
        action="store_true",
        help="overwrite an existing output, or discard an interrupted run",
    )
    options.add_json(parser)
    add(
        "--log", type=Path, metavar="FILE", help="append progress to FILE, one JSON object per line"
    )
    add("--tensorboard", type=Path, metavar="DIR", help="write TensorBoard curves into DIR")


COMMAND = Command(
    name="fit",
    summary="fit a field to a file",
    details="Takes pictures (PNG, JPEG, TIFF), sound (WAV, FLAC, OGG), video (MP4, MKV, MOV), "
    "volumes (NPY, NPZ, NIfTI, TIFF stacks), meshes (OBJ, PLY, STL, OFF, GLB) and points (PLY, "
    "XYZ). Fitting stops at --steps, --time or --target-psnr, whichever comes first. After Ctrl-C, "
    "--resume continues the run.",
    add_options=_add_options,
    module=f"{__package__}.run",
)
