"""Two pictures in one: mixed gradients, or a part of one set into the other without a seam."""

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
# Of an error of the background's values against one of the difference between two pixels.
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
    the source $b$, everywhere; the mean of each channel is mixed alike. With a mask
    $\nabla\Phi = \nabla b$ inside and $\Phi = a$ outside: the source's detail, with the colours of
    the surroundings.

    Pictures are the quadratic splines through their pixels, and the field is a `SplineGrid` with a
    spline on each. Values are asked for at the pixels, gradients half-way between neighbours of
    which one is inside, where no pattern of alternating pixels escapes them.

    Args:
        background: $a$, grey or RGB.
        source: $b$, of the same size and channels, in place already.
        mask: What to take of the source: pixels brighter than the middle of the first channel's
            range. None mixes everywhere.
        mix: $\alpha$ in [0, 1], the background's share where there is no mask.
        steps: Stop after so many.
        time: Stop after so many seconds.
        callbacks: Called with a `Progress` after each step.
        should_stop: Requested after each step.

    Returns:
        The field. Figures: `gradient_psnr`, relative to the range of the wanted gradients, and with
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
        equations 3 and 10, for the mask. Theirs holds the background exactly, we with a weight of
        300 against the difference of neighbouring pixels.
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
    """Which pixels the mask chooses, row by row."""
    if mask.layout.shape != background.layout.shape:
        raise SignalError(
            f"blend: expected a mask of the pictures' size, {_size(background)}, got {_size(mask)}."
        )
    inside = torch.cat(list(mask.slabs()))[..., 0].flatten() > 0
    if not inside.any():
        raise SignalError(
            "blend: expected a mask with bright pixels, which choose what to take of the source, "
            "got none."
        )
    if inside.all():
        raise SignalError(
            "blend: expected a mask with dark pixels, which hold the background, got none. Leave "
            "the mask out to mix everywhere."
        )
    return inside


def _size(picture: Image) -> str:
    rows, columns = picture.layout.shape
    return f"{columns} x {rows}"


def _between(background: Image, inside: Tensor | None) -> Float[Tensor, "n 2"]:
    """Half-way between neighbours of which one is inside; everywhere if there is no mask."""
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
    """A constraint whose loss is a sum over samples, so that two of them weigh alike."""
    count = samples.targets.numel()
    return Constraint(signal=samples, map=map, name=name, weight=weight * count)


def _shift(field: Field, offset: Float[Tensor, " channels"]) -> None:
    with torch.no_grad():
        _pictures.spline_grid(field).table.add_(offset)
