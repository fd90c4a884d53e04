"""Gradient-domain blending: mix the gradients of two pictures, or insert a part seamlessly."""

import time as clock
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..encodings import multilevel
from ..errors import ArgumentError, SignalError
from ..fields.field import Field
from ..fit import Callback, Constraint, least_squares
from ..maps import Identity, Residual
from ..signals import Image, Samples, render
from . import _pictures
from ._solution import Panel, Solution

_DEGREE = 2
_TOLERANCE = 1e-4
_PROBES = 16
# Weight of an error of the background's values, relative to one of a difference of two pixels.
_HOLD = 300.0


def blend(
    background: Image,
    source: Image,
    *,
    mask: Image | None = None,
    mix: float = 0.5,
    steps: int = 1000,
    time: float | None = None,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] | None = None,
) -> Solution:
    r"""Find a field from the gradients of two pictures.

    Without a mask $\nabla\Phi = \alpha \nabla a + (1 - \alpha) \nabla b$ for the background $a$ and
    the source $b$, everywhere; the mean of each channel is mixed in the same way. With a mask
    $\nabla\Phi = \nabla b$ inside and $\Phi = a$ outside: the source's detail, with the colours of
    the surroundings.

    Pictures are the quadratic splines through their pixels, and the field is a `SplineGrid` with a
    B-spline at each. Values are compared at the pixels. Gradients are compared half-way between
    neighbours if one of them is inside; there they also see patterns of alternating pixels.

    Args:
        background: Background $a$, grey or RGB.
        source: Source $b$, aligned with the background, of the same size and channels.
        mask: Part of the source to insert: pixels brighter than the middle of the first channel's
            range. None mixes everywhere.
        mix: Share $\alpha$ of the background in [0, 1] if there is no mask.
        steps: Largest number of steps.
        time: Limit in seconds.
        callbacks: Functions called with a `Progress` after each step.
        should_stop: Function called after each step; the fit ends when it returns True.

    Returns:
        The field. Figures: `gradient_psnr`, relative to the range of the target gradients, and with
        a mask `background_psnr` of the values outside it.

    Raises:
        ValueError: If `mix` is out of range.
        SignalError: If pictures or mask differ in size, pictures in channels, or have transparency;
            if the mask is empty or covers everything.

    Example:
        >>> grey = Image.from_array(np.full((8, 9), 100, np.uint8))
        >>> ramp = Image.from_array(np.tile(np.arange(9, dtype=np.uint8), (8, 1)))
        >>> inside = np.zeros((8, 9), bool)
        >>> inside[2:6, 3:7] = True
        >>> found = blend(grey, ramp, mask=Image.from_array(255 * inside.astype(np.uint8)))
        >>> found.figures["status"], found.field(torch.zeros(1, 2)).shape
        ('tolerance', torch.Size([1, 1]))

    Reference:
        Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions,
        NeurIPS 2020, section 4.1, for mixing; Pérez et al., Poisson Image Editing, SIGGRAPH 2003,
        equations 3 and 10, for the mask. They keep the background exactly; we give it a weight of
        300 relative to the difference of neighbouring pixels.
    """
    if not 0 <= mix <= 1:
        raise ArgumentError(f"blend: expected mix between 0 and 1, got {mix}.")
    _check(background, source)
    inside = None if mask is None else _inside(mask, background)
    started = clock.perf_counter()
    a, b = (_pictures.interpolated(picture, _DEGREE) for picture in (background, source))
    coords = _pictures.pixel_coords(background)
    places = _between(background, inside)
    # Per pixel: both axes count alike, whatever the shape of the picture.
    pixels = torch.tensor(background.layout.grid.spacing, dtype=torch.float64)
    slopes = Residual(lambda u, x: (u.jacobian * pixels).flatten(1), name="gradient")
    wanted = _pictures.predicted(slopes, b, places)
    field = a
    if inside is None:
        wanted = mix * _pictures.predicted(slopes, a, places) + (1 - mix) * wanted
    problem = [_summed(Samples(places, wanted), slopes, "gradient", 1.0)]
    if inside is not None:
        outside = coords[~inside]
        values = _pictures.pixel_values(background).flatten(0, 1)[~inside]
        problem.append(_summed(Samples(outside, values), Identity(), "background", _HOLD))
    with multilevel(_pictures.spline_grid(field), order=1):
        result = least_squares(
            field,
            problem,
            steps=steps,
            tolerance=_TOLERANCE,
            probes=0 if inside is None else _PROBES,
            time=time,
            callbacks=callbacks,
            should_stop=should_stop,
        )
    found = _pictures.predicted(slopes, field, places)
    figures: dict[str, Any] = {"gradient_psnr": _pictures.range_psnr(found, wanted)}
    if inside is None:
        means = [_pictures.pixel_values(p).mean((0, 1)) for p in (background, source)]
        now = _pictures.predicted(Identity(), field, coords).mean(0)
        _shift(field, mix * means[0] + (1 - mix) * means[1] - now)
    else:
        held = _pictures.predicted(Identity(), field, outside)
        figures["background_psnr"] = _pictures.range_psnr(held, values)
    figures |= {
        "status": result.status,
        "steps": result.step,
        "seconds": round(clock.perf_counter() - started, 2),
    }
    field = field.float().requires_grad_()
    solution = torch.cat(list(render(field, background.layout)))
    panels = [
        Panel("background", _pictures.shown(_pictures.pixel_values(background))),
        Panel("source", _pictures.shown(_pictures.pixel_values(source))),
        Panel("blended", _pictures.shown(solution)),
    ]
    if inside is not None:
        shape = background.layout.shape
        panels.insert(2, Panel("mask", inside.reshape(shape).double().numpy(), scale="mask"))
    return Solution(
        field=field,
        figures=figures,
        panels=panels,
        signal=background.layout.spec(),
        settings={
            "mix": None if mask is not None else mix,
            "input_sha256": [p.fingerprint() for p in (background, source, mask) if p is not None],
        },
    )


def _check(background: Image, source: Image) -> None:
    for picture in (background, source):
        _pictures.check_picture("blend", picture)
    sizes = [p.layout.shape for p in (background, source)]
    if sizes[0] != sizes[1]:
        raise SignalError(
            f"blend: expected pictures of one size, got {_size(background)} and {_size(source)}. "
            "Scale or cut one first, or put the source on an empty canvas."
        )
    if background.layout.channels != source.layout.channels:
        raise SignalError(
            "blend: expected two grey or two RGB pictures, got "
            f"{background.layout.channels} and {source.layout.channels} channels."
        )


def _inside(mask: Image, background: Image) -> Bool[Tensor, " n"]:
    """Boolean value per pixel: True where the mask is bright, row by row."""
    if mask.layout.shape != background.layout.shape:
        raise SignalError(
            f"blend: expected a mask of the pictures' size, {_size(background)}, got {_size(mask)}."
        )
    inside = torch.cat(list(mask.slabs()))[..., 0].flatten() > 0
    if not inside.any():
        raise SignalError(
            "blend: expected a mask with bright pixels, which select the source, got none."
        )
    if inside.all():
        raise SignalError(
            "blend: expected a mask with dark pixels, which keep the background, got none. Leave "
            "the mask out to mix everywhere."
        )
    return inside


def _size(picture: Image) -> str:
    rows, columns = picture.layout.shape
    return f"{columns} x {rows}"


def _between(background: Image, inside: Tensor | None) -> Float[Tensor, "n 2"]:
    """Points half-way between neighbours if one of them is inside, or if there is no mask."""
    rows, columns = background.layout.shape
    grid = background.layout.grid
    chosen = torch.ones(rows, columns, dtype=torch.bool)
    if inside is not None:
        chosen = inside.reshape(rows, columns)
    parts = []
    for axis in (0, 1):
        pairs = chosen.narrow(axis, 0, chosen.shape[axis] - 1).clone()
        pairs |= chosen.narrow(axis, 1, chosen.shape[axis] - 1)
        index = np.argwhere(pairs.numpy()) + 0.5 * np.eye(2)[axis]
        parts.append(np.asarray(grid.first) + np.asarray(grid.spacing) * index)
    return torch.from_numpy(np.concatenate(parts))


def _summed(samples: Samples, map: Any, name: str, weight: float) -> Constraint:
    """A constraint whose loss is a sum over samples, so that samples of two have equal weights."""
    count = samples.targets.numel()
    return Constraint(signal=samples, map=map, name=name, weight=weight * count)


def _shift(field: Field, offset: Float[Tensor, " channels"]) -> None:
    with torch.no_grad():
        _pictures.spline_grid(field).table.add_(offset)
