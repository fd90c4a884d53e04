"""Reconstruction of a picture from its gradients or from its Laplacian."""

import math
import time as clock
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .. import architectures
from ..encodings import multilevel
from ..errors import ArgumentError
from ..fields.field import Field
from ..fit import Callback, Constraint, Result, fit, least_squares, metrics
from ..maps import AbstractMap, Jacobian, Laplacian
from ..signals import Image, Samples, render
from . import _pictures
from ._solution import Panel, Solution, diverged

SOURCES = ("gradient", "laplacian")
DERIVATIVES = ("spline", "filter")
NETWORKS = ("siren", "fourier", "positional")
ARCHS = ("spline", *NETWORKS)

_ORDERS = {"gradient": 1, "laplacian": 2}
# The smallest even degree whose derivative is continuous.
_DEGREES = {"gradient": 2, "laplacian": 4}
_TOLERANCES = {"gradient": 1e-4, "laplacian": 1e-5}
_LEARNING_RATE = 5e-4


def poisson_image(
    picture: Image,
    *,
    source: str = "gradient",
    derivatives: str = "spline",
    arch: str = "spline",
    steps: int | None = None,
    time: float | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] | None = None,
) -> Solution:
    r"""Find a field whose gradient or Laplacian at the pixels is that of a picture.

    $\min_\Phi \sum_i \|\nabla\Phi(x_i) - g_i\|^2$ or $\sum_i (\Delta\Phi(x_i) - l_i)^2$. The
    derivatives leave a constant per channel open. It is fixed by least squares on the picture,
    together with one scale for all channels, which is 1 for an exact solution.

    The default field is a `SplineGrid` with a B-spline at each pixel. Its coefficients are found by
    `least_squares` in a `multilevel` basis, because small errors of a gradient add up over long
    distances, and these steps correct all distances at once. Its borders are mirrored, as both
    kinds of derivatives below assume. The only functions with Laplacian zero are then constants;
    with free borders, a picture's harmonic part could not be found from its Laplacian. Networks
    have free borders.

    Args:
        picture: Grey or RGB.
        source: "gradient" or "laplacian".
        derivatives: Definition of a picture's derivatives: "spline" for the exact ones of the
            spline through its pixels (quadratic for the gradient, quartic for the Laplacian, so
            that each is continuous); "filter" for those of the SIREN paper, Sobel's filter and the
            five-point stencil. Filters blur: no field can have both the picture's values and the
            filtered derivatives.
        arch: "spline", or a network that is trained step by step: "siren", "fourier" or
            "positional". The latter two have ReLU layers, whose slopes jump where the Laplacian at
            a pixel does not show it.
        steps: Largest number of steps; None for convergence (splines) or the architecture's own.
        time: Limit in seconds.
        seed: Seed of the network's parameters and batches.
        callbacks: Functions called with a `Progress` after each step.
        should_stop: Function called after each step; the fit ends when it returns True.

    Returns:
        The field, with values as the picture's. Figures: `psnr` and `ssim` of the picture as
        written to a file of its kind; `gradient_psnr` or `laplacian_psnr`, relative to the range of
        the given derivatives and before the scale is fixed.

    Raises:
        ValueError: If an argument is none of those above.
        SignalError: If the picture has transparency, or is too large or too small.

    Example:
        >>> ramp = np.add.outer(np.arange(12), np.arange(10)).astype(np.uint8)
        >>> found = poisson_image(Image.from_array(ramp), source="laplacian")
        >>> found.figures["laplacian_psnr"] > 60
        True

    Reference:
        Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions,
        NeurIPS 2020, section 4.1 and supplement 3. They take a SIREN and 10,000 steps of Adam on
        all pixels; their pixels reach the ends of the domain, ours lie at centres of cells. Their
        code does not define the error of derivatives; we divide by the range of the target.
    """
    for name, value, known in (
        ("source", source, SOURCES),
        ("derivatives", derivatives, DERIVATIVES),
        ("arch", arch, ARCHS),
    ):
        if value not in known:
            raise ArgumentError(f"poisson_image: expected {name} to be {known}, got {value!r}.")
    _pictures.check_picture("poisson_image", picture)
    started = clock.perf_counter()
    map: AbstractMap = Jacobian() if source == "gradient" else Laplacian()
    given = targets(picture, source=source, derivatives=derivatives)
    coords = _pictures.pixel_coords(picture)
    observed = Samples(coords, given)
    bounds: dict[str, Any] = {"time": time, "callbacks": callbacks, "should_stop": should_stop}
    if arch == "spline":
        field, result = _solve(picture, observed, map, source, steps, bounds)
    else:
        field, result = _train(picture, observed, map, arch, steps, seed, bounds)
    if result.status == "diverged":
        return diverged(field, result, started)
    found = _pictures.predicted(map, field, coords.to(next(field.parameters()))).double()
    _pictures.level(field, picture)
    field = field.float().requires_grad_()
    quality = metrics.evaluate(field, picture)
    figures = {
        "psnr": quality.psnr if math.isfinite(quality.psnr) else None,
        "ssim": quality.ssim,
        f"{source}_psnr": _pictures.range_psnr(found, given),
        "source": source,
        "derivatives": derivatives,
        "arch": arch,
        "status": result.status,
        "steps": result.step,
        "seconds": round(clock.perf_counter() - started, 2),
    }
    return Solution(
        field=field,
        figures=figures,
        panels=_panels(picture, field, source, given, found, figures),
        signal=picture.layout.spec(),
        settings={"seed": seed, "input_sha256": picture.fingerprint()},
    )


def targets(picture: Image, *, source: str, derivatives: str) -> Tensor:
    """A picture's derivatives at its pixels, per unit of coordinate.

    Returns:
        Gradients `(n, channels, 2)`, along rows and columns, or Laplacians `(n, channels)`.
    """
    if derivatives == "filter":
        values, spacing = _pictures.pixel_values(picture), picture.layout.grid.spacing
        filtered = _pictures.sobel if source == "gradient" else _pictures.five_points
        return filtered(values, spacing).flatten(0, 1)
    exact = _pictures.interpolated(picture, _DEGREES[source])
    map: AbstractMap = Jacobian() if source == "gradient" else Laplacian()
    return _pictures.predicted(map, exact, _pictures.pixel_coords(picture))


def _solve(
    picture: Image,
    observed: Samples,
    map: AbstractMap,
    source: str,
    steps: int | None,
    bounds: dict[str, Any],
) -> tuple[Field, Result]:
    field = _pictures.spline_field(picture, _DEGREES[source])
    with multilevel(_pictures.spline_grid(field), order=_ORDERS[source]):
        result = least_squares(
            field,
            Constraint(signal=observed, map=map, name=source),
            steps=1000 if steps is None else steps,
            tolerance=_TOLERANCES[source],
            **bounds,
        )
    return field, result


def _train(
    picture: Image,
    observed: Samples,
    map: AbstractMap,
    arch: str,
    steps: int | None,
    seed: int,
    bounds: dict[str, Any],
) -> tuple[Field, Result]:
    plan = architectures.plan(picture.layout.extent, arch, seed=seed)
    if steps is None and bounds["time"] is None:
        steps = plan.steps
    result = fit(
        plan.field,
        Constraint(
            signal=Samples(observed.coords.float(), observed.targets.float()),
            map=map,
            batch_size=min(8192, len(observed.coords)),
            name="derivatives",
        ),
        steps=steps,
        lr=_LEARNING_RATE,
        seed=seed,
        **bounds,
    )
    return plan.field, result


def _panels(
    picture: Image,
    field: Field,
    source: str,
    given: Tensor,
    found: Tensor,
    figures: dict[str, Any],
) -> list[Panel]:
    shape = picture.layout.shape
    solution = torch.cat(list(render(field, picture.layout)))
    error = (solution.double() - _pictures.pixel_values(picture)).abs().mean(-1)

    def derivative(values: Tensor) -> Any:
        # The length of a gradient, and the mean over channels.
        plain = values.norm(dim=-1) if source == "gradient" else values
        return plain.mean(-1).reshape(shape).numpy()

    signed = source == "laplacian"
    quality = "exact" if figures["psnr"] is None else f"{figures['psnr']:.1f} dB"
    return [
        Panel(f"the {source} given", derivative(given), scale=source, signed=signed),
        Panel(f"the field's {source}", derivative(found), scale=source, signed=signed),
        Panel(f"the field, {quality}", _pictures.shown(solution)),
        Panel("the picture", _pictures.shown(_pictures.pixel_values(picture))),
        Panel("error", error.numpy(), scale="error"),
    ]
