r"""Full-waveform inversion: a medium from waves that were recorded around it.

Notation: that of `_media`; d the recorded values.

The loop is Gauss-Newton with variable projection, and not `fit`: for each trial medium the waves
follow exactly from one factorisation, so the unknowns are the 300 weights of the medium alone, and
the residual is the recording, not a mean over points that a signal draws.
"""

import time as clock
import warnings
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from .._checks import check_count, check_positive
from ..encodings import Enrichment
from ..errors import ArgumentError, KernelNotice
from ..fields.field import Field
from ..fit.last_layer import set_last_layer
from ..fit.progress import Callback, Progress
from ..maps import HelmholtzEquation
from ..maps.helmholtz import LAYER
from ..networks import Siren
from ..signals import Recording
from . import _waves
from ._media import MODEL_UNITS, ContrastModel, WaveSolver
from ._solution import Panel, Solution

_SIZE = 101


def inversion(
    recording: Recording,
    *,
    wavenumber: float = 20.0,
    pml: float = 5.0,
    region: float = 0.38,
    roughness: float = 1e-3,
    steps: int = 8,
    time: float | None = None,
    width: int | None = None,
    num_points: int | None = None,
    reference: Callable[[Float[Tensor, "n 2"]], Float[Tensor, " n"]] | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
) -> Solution:
    r"""Find the squared slowness inside a ring of receivers, starting from a uniform medium.

    The field has two channels per source for its wave, and a last channel for the squared slowness.
    For any medium, the last layer's weights of all waves follow exactly from one factorisation;
    only the medium is searched for. A Gauss-Newton step takes the derivative of the recorded values
    with respect to the contrast, $-k^2 P A^+ (u_s\, \cdot)$, and minimises

    $$\frac{|P z(c) - d|^2}{|d|^2} + \mu \int |\nabla c|^2.$$

    A step that does not lower this is tried again with a larger $\mu$ for that step alone.

    Args:
        recording: Recorded values, with the positions of sources and receivers.
        wavenumber: Wave number k where the squared slowness is 1, from 1e-3 to 1e3.
        pml: Strength $a_0$ of the absorbing layer, see `helmholtz`.
        region: Half-side of the square in which the medium is unknown; it is 1 outside.
        roughness: Weight $\mu$ of the smoothness of the medium. For a recording with relative
            noise p, about p squared is best.
        steps: Largest number of Gauss-Newton steps.
        time: Limit in seconds.
        width: Number of hidden units of the waves; None as in `helmholtz`.
        num_points: Number of points at which the equation holds; None for 4 per hidden unit.
        reference: The true squared slowness, to measure the error of the medium.
        seed: Seed of hidden units and points.
        callbacks: Functions called after each step.

    Returns:
        Figures: the relative misfit of the recorded values at the start and at the end; the centre
        of the contrast; with a reference, the error of the medium relative to its contrast, which
        is 1 at the start. A figure is None where there is no contrast to divide by.

    Raises:
        ValueError: If an argument is out of range.

    Warns:
        SamplingNotice: If a setting is poor, as in `helmholtz`.

    Reference:
        Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions,
        NeurIPS 2020, section 4.3 and supplement 6: a SIREN trained for waves and slowness
        together. Solving for the waves at each step and differentiating through it: Golub and
        Pereyra, The Differentiation of Pseudo-Inverses and Nonlinear Least Squares Problems Whose
        Variables Separate, SIAM J. Numer. Anal. 1973; we leave out the term in the residual.
    """
    started = clock.perf_counter()
    _waves.check_waves("inversion", wavenumber, pml)
    check_positive("inversion", roughness=roughness, region=region)
    check_count("inversion", steps=steps)
    if region >= LAYER:
        raise ArgumentError(f"inversion: expected a region below {LAYER}, got {region}.")
    width = _waves.needed_width(wavenumber) if width is None else width
    num_points = 4 * width if num_points is None else num_points
    _waves.check_settings("inversion", wavenumber, pml, width, num_points)

    sources = recording.sources.tolist()
    generator = torch.Generator().manual_seed(seed)
    waves = _waves.wave_field(width, 2, wavenumber, generator, sources=sources)
    solver = WaveSolver(waves, recording, HelmholtzEquation(wavenumber, pml), num_points, seed)
    model = ContrastModel(2 * wavenumber, region, generator)
    observed = torch.from_numpy(recording.values).to(torch.complex128)
    size = observed.norm()

    units = model.units(solver.inner)
    weights = torch.zeros(MODEL_UNITS, dtype=torch.float64)
    found = solver.solve(units @ weights)
    left = (observed - found.recorded) / size
    misfits = [float(left.norm())]
    trials = 0
    for step in range(1, steps + 1):
        slope = (found.slope(units) / size).flatten(0, 1)
        rows = torch.cat([slope.real, slope.imag])
        right = torch.cat([left.flatten().real, left.flatten().imag])
        objective = misfits[-1] ** 2 + roughness * float(weights @ model.penalty @ weights)
        gradient = rows.mT @ right - roughness * (model.penalty @ weights)
        for trial in range(8):
            damping = roughness * (1 if trial == 0 else 1 + 2 * 8.0 ** (trial - 1))
            matrix = rows.mT @ rows + damping * model.penalty
            tried = weights + torch.linalg.solve(matrix, gradient)
            attempt = solver.solve(units @ tried)
            trials += 1
            rest = (observed - attempt.recorded) / size
            value = float(rest.norm() ** 2 + roughness * (tried @ model.penalty @ tried))
            if value < objective:
                break
        else:
            break
        weights, found, left = tried, attempt, rest
        misfits.append(float(left.norm()))
        seconds = clock.perf_counter() - started
        fraction = max(step / steps, seconds / time if time else 0.0)
        for callback in callbacks:
            callback(
                Progress(
                    step,
                    min(1.0, fraction),
                    seconds,
                    value,
                    {"misfit": misfits[-1]},
                    None,
                    1.0,
                    0,
                    0,
                )
            )
        if (time and seconds >= time) or objective - value < 1e-4 * objective:
            break

    field = assemble(waves, found.coefficients, model, weights)
    axis = torch.linspace(-region, region, _SIZE, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    contrast = model.units(x) @ weights
    figures: dict[str, object] = {}
    panels = [Panel("squared slowness", _picture(1 + contrast), scale="medium")]
    if reference is not None:
        truth = reference(x) - 1
        known = bool(truth.any())
        figures["model_error"] = float((contrast - truth).norm() / truth.norm()) if known else None
        panels += [
            Panel("reference", _picture(1 + truth), scale="medium"),
            Panel("error", _picture(contrast - truth), scale="error", signed=True),
        ]
    figures |= {
        "misfit": misfits[-1],
        "misfit_at_start": misfits[0],
        "centre": centre(x, contrast),
        "extreme_contrast": float(contrast[contrast.abs().argmax()]),
        "steps": len(misfits) - 1,
        "solves": trials + 1,
        "seconds": clock.perf_counter() - started,
    }
    panels.append(
        Panel("first wave, real part", _picture(_wave(field, x)), scale="wave", signed=True)
    )
    settings = {
        "wavenumber": wavenumber,
        "pml": pml,
        "region": region,
        "roughness": roughness,
        "width": width,
        "num_points": num_points,
        "seed": seed,
    }
    return Solution(field, figures, panels, settings=settings)


def assemble(
    waves: Field, coefficients: Complex[Tensor, "w s"], model: ContrastModel, weights: Tensor
) -> Field:
    """One field: two channels per source for its wave, then the squared slowness."""
    old = waves.network
    assert isinstance(old, Siren)
    assert isinstance(waves.encoding, Enrichment)
    width, num_sources = old.width, coefficients.shape[1]
    network = Siren(
        old.in_dim, 2 * num_sources + 1, width=width + MODEL_UNITS, depth=1, omega_0=1.0
    )
    first, drawn = cast(nn.Linear, network.layers[0]), cast(nn.Linear, old.layers[0])
    last = torch.zeros(2 * num_sources + 1, width + MODEL_UNITS + 1, dtype=torch.float64)
    last[:-1, :width] = torch.view_as_real(coefficients[:-1].mT).movedim(2, 1).flatten(0, 1)
    last[:-1, -1] = torch.view_as_real(coefficients[-1]).flatten()
    last[-1, width:-1], last[-1, -1] = weights, 1.0
    with torch.no_grad():
        first.weight.zero_()
        first.weight[:width], first.bias[:width] = drawn.weight, drawn.bias
        first.weight[width:, :2], first.bias[width:] = model.frequencies, model.phases
    field = Field(network, encoding=waves.encoding)
    set_last_layer(field, last)
    return field


def centre(x: Float[Tensor, "n 2"], contrast: Float[Tensor, " n"]) -> list[float] | None:
    """Centre of mass of the contrast where it is at least half of its extreme value.

    It is None if there is no contrast.
    """
    extreme = contrast[contrast.abs().argmax()]
    if not extreme:
        return None
    mass = torch.where(contrast / extreme > 0.5, contrast / extreme, 0.0)
    return ((mass[:, None] * x).sum(0) / mass.sum()).tolist()


def _wave(field: Field, x: Tensor) -> Tensor:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", KernelNotice)
        return field(x.float())[:, 0]


def _picture(values: Tensor) -> np.ndarray:
    return values.reshape(_SIZE, _SIZE).numpy()
