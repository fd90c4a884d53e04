"""`neurafield fit` of shapes: meshes, and points on a surface."""

import dataclasses
import functools
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import architectures
from ..fit import Problem
from ..geometry import Frame
from ..problems import shapes as problems
from ..shapes import (
    Mesh,
    PointCloud,
    ShapeLayout,
    TruncatedDistance,
    estimate_normals,
    has_inside,
    implicit_kind,
    read_shape,
)
from ..signals.distances import shape_fingerprint
from .fit_signal import at_every_level
from .fit_task import AbstractTask, Advance, Settings

GOOD_IOU = 0.9
"""Below it a mesh of the field is another shape to the eye."""


class ShapeTask(AbstractTask):
    """A mesh or points, read from a file."""

    figures = ("surface_error", "iou")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shape = read_shape(path)
        shape = self.shape
        self.frame = Frame.around(shape.vertices if isinstance(shape, Mesh) else shape.points)

    def fingerprint(self) -> str:
        return shape_fingerprint(self.shape)

    def completed(self, settings: Settings) -> Settings:
        if settings.target_psnr is not None:
            raise ValueError(
                f"{self.path}: expected no --target-psnr for a shape, which has no PSNR. Stop by "
                "--steps or --time."
            )
        quantity = settings.quantity or "sdf"
        kind = implicit_kind(quantity)
        if kind.has_inside and self._is_open():
            print(
                f"neurafield: {self.path}: is open; {quantity} needs an inside, and closes it. "
                "For a sheet ask for --quantity udf.",
                file=sys.stderr,
            )
        if settings.truncation is not None and not isinstance(kind, TruncatedDistance):
            raise ValueError(
                f"{self.path}: expected --quantity tsdf for --truncation, got {quantity}. Leave "
                "one of them out."
            )
        return dataclasses.replace(settings, quantity=quantity)

    def _is_open(self) -> bool:
        """More than by small holes."""
        generator = torch.Generator().manual_seed(0)
        return isinstance(self.shape, Mesh) and not has_inside(self.shape, generator=generator)

    def layout(self, settings: Settings) -> ShapeLayout:
        """What the field file will say of its coordinates and value."""
        assert settings.quantity is not None
        kind = implicit_kind(settings.quantity, settings.truncation)
        return ShapeLayout(frame=self.frame, quantity=kind)

    def spec(self, settings: Settings) -> dict[str, Any]:
        return self.layout(settings).spec()

    def plan(self, settings: Settings) -> architectures.Plan:
        return architectures.plan_for_shape(
            self.layout(settings),
            settings.arch,
            num_parameters=settings.params,
            seed=settings.seed,
        )

    def problem(self, plan: architectures.Plan, settings: Settings) -> Problem:
        whole = problems.distance_constraint(
            self._oriented(settings), self.layout(settings), batch_size=plan.batch_size
        )
        return at_every_level(whole, plan) if settings.levels else whole

    def measure(
        self, field: nn.Module, settings: Settings, advance: Advance | None
    ) -> dict[str, Any]:
        return dict(problems.accuracy(field, self._oriented(settings), self.layout(settings)))

    def _oriented(self, settings: Settings) -> Mesh | PointCloud:
        shape = self.shape
        if isinstance(shape, Mesh) or shape.normals is not None:
            return shape
        return self._estimated if self.layout(settings).quantity.needs_normals else shape

    @functools.cached_property
    def _estimated(self) -> PointCloud:
        assert isinstance(self.shape, PointCloud)
        return estimate_normals(self.shape)

    def summary(self, figures: dict[str, Any]) -> list[str]:
        parts = []
        if "surface_error" in figures:
            parts.append(f"error near the surface {figures['surface_error']:.2g}")
        if "iou" in figures:
            parts.append(f"IoU {figures['iou']:.4f}")
        return parts

    def doubt(self, figures: dict[str, Any]) -> str:
        if figures.get("iou", 1.0) >= GOOD_IOU:
            return ""
        return (
            f"the field and the shape share {figures['iou']:.1%} of the volume of both: parts may "
            "be missing or float beside it, or the shape is thin. More --steps, --time or --params "
            "help."
        )
