"""Task for shapes: meshes, and points on a surface."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import architectures
from ..errors import ArgumentError
from ..fit import Problem
from ..geometry import Frame
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
from . import shape_distance
from ._base import AbstractTask, Advance
from .levels import at_every_level
from .settings import Settings

GOOD_IOU = 0.9
"""IoU below which a mesh of the field visibly differs from the shape."""


class ShapeTask(AbstractTask):
    """Fits a field to a mesh or to points on a surface.

    Normals of points are estimated where the file has none.

    Args:
        path: Mesh or points.

    Raises:
        SignalError: If the file cannot be read.
    """

    figures = ("surface_error", "iou")

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.shape = read_shape(path)
        shape = self.shape
        self.frame = Frame.around(shape.vertices if isinstance(shape, Mesh) else shape.points)

    def fingerprint(self) -> str:
        return shape_fingerprint(self.shape)

    def with_defaults(self, settings: Settings) -> Settings:
        if settings.target_psnr is not None:
            raise ArgumentError(
                f"{self.path}: expected no target PSNR for a shape, which has no PSNR. Stop by "
                "steps or time."
            )
        quantity = "sdf" if settings.quantity is None else settings.quantity
        kind = implicit_kind(quantity)
        if settings.truncation is not None and not isinstance(kind, TruncatedDistance):
            raise ArgumentError(
                f"{self.path}: expected quantity tsdf for a truncation, got {quantity}. Leave "
                "one of them out."
            )
        return dataclasses.replace(settings, quantity=quantity)

    def notices(self, settings: Settings) -> list[str]:
        if not self.layout(settings).quantity.has_inside or not self._is_open:
            return []
        return [
            f"{self.path}: the mesh is open. {settings.quantity} needs an inside, so the field "
            "closes the mesh. Use quantity udf for an open sheet (--quantity udf)."
        ]

    @functools.cached_property
    def _is_open(self) -> bool:
        """True for a mesh with more than small holes."""
        generator = torch.Generator().manual_seed(0)
        return isinstance(self.shape, Mesh) and not has_inside(self.shape, generator=generator)

    def layout(self, settings: Settings) -> ShapeLayout:
        """The meaning of the field's coordinates and value, for the field file."""
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
            seed=0 if settings.seed is None else settings.seed,
        )

    def problem(self, plan: architectures.Plan, settings: Settings) -> Problem:
        whole = shape_distance.distance_constraint(
            self._oriented(settings), self.layout(settings), batch_size=plan.batch_size
        )
        return at_every_level(whole, plan) if settings.levels else whole

    def measure(
        self, field: nn.Module, settings: Settings, advance: Advance | None
    ) -> dict[str, Any]:
        shape, layout = self._oriented(settings), self.layout(settings)
        return dict(shape_distance.accuracy(field, shape, layout))

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
        if figures.get("surface_error") is not None:
            parts.append(f"error near the surface {figures['surface_error']:.2g}")
        if figures.get("iou") is not None:
            parts.append(f"IoU {figures['iou']:.4f}")
        return parts or ["not measured"]

    def warning(self, figures: dict[str, Any]) -> str:
        iou = figures.get("iou")
        if iou is None or iou >= GOOD_IOU:
            return ""
        return (
            f"the IoU of field and shape is only {iou:.1%}: parts may be missing or float beside "
            "the shape, or the shape is thin. More steps, time or parameters help."
        )
