"""Interpolation between two shapes by a network with a latent code, with and without a Lipschitz
bound.

The shapes are a rounded brick along x at code -0.2 and one along y at 0.2; nothing is prescribed in
between. Liu et al., Learning Smooth Neural Functions via Lipschitz Regularization, SIGGRAPH 2022,
section 5.1, do the same with larger networks, and show pictures. We measure, over 21 codes: the fit
at both ends, the volume, the largest change of the field per unit of the code, and the length and
evenness of its path.

    python -m recipes.lipschitz_shapes --picture between.png
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from neurafield import Field
from neurafield.composition import Box, FixedInputs, Offset
from neurafield.derivatives import operators
from neurafield.fit import Adam, Constraint, ProgressBar, Term, fit, lipschitz_penalty
from neurafield.networks import MLP, Lipschitz
from neurafield.signals import Coded, Samples

from .report import write_report

CODES = torch.linspace(-0.2, 0.2, 21).tolist()
"""At -1 and 1, the ends would be two separate shapes in four dimensions."""
WEIGHTS = {"mlp": None, "alpha 0": 0.0, "alpha 1e-6": 1e-6, "alpha 1e-5": 1e-5}
"""Weights of the penalty; None for a network without bounds."""
BOUNDS_FACTOR = 10.0
"""Factor on the learning rate of the bounds, which start at 3 to 12, far above their final values.
"""


def ends() -> tuple[nn.Module, nn.Module]:
    """The two shapes, as exact distances."""
    lying, standing = Box(reach=(0.55, 0.2, 0.3)), Box(reach=(0.2, 0.55, 0.3))
    return Offset(lying, distance=0.15), Offset(standing, distance=0.15)


def observed(shape: nn.Module, count: int, generator: torch.Generator) -> Samples:
    """Distance samples, half of them within a few hundredths of the surface, half anywhere."""
    x = 2 * torch.rand(count, 3, generator=generator) - 1
    distance, slope = operators.value_and_jacobian(shape, x[: count // 2], way="jet")
    noise = 0.03 * torch.randn(count // 2, 3, generator=generator)
    x[: count // 2] += noise - distance * slope[:, 0]
    return Samples(x, shape(x).detach())


def fitted(name: str, samples: list[Samples], *, width: int, steps: int, seed: int) -> Field:
    """One network for both shapes."""
    alpha = WEIGHTS[name]
    generator = torch.Generator().manual_seed(seed)
    sizes: dict[str, Any] = {"width": width, "depth": 3, "generator": generator}
    network = MLP(4, 1, activation="Tanh", **sizes) if alpha is None else Lipschitz(4, 1, **sizes)
    field = Field(network)
    problem: list[Term] = [
        Constraint(signal=Coded(each, (code,)), batch_size=1024, name=f"shape {index}")
        for index, (each, code) in enumerate(zip(samples, (CODES[0], CODES[-1]), strict=True))
    ]
    if alpha:
        problem.append(lipschitz_penalty(alpha))
    with ProgressBar(title=name) as bar:
        fit(
            field,
            problem,
            steps=steps,
            lr=1e-2,
            seed=seed,
            optimizer=_optimizer,
            callbacks=[bar],
        )
    return field


def _optimizer(field: nn.Module) -> Adam:
    weights = [tensor for name, tensor in field.named_parameters() if not name.endswith(".c")]
    bounds = [tensor for name, tensor in field.named_parameters() if name.endswith(".c")]
    groups: list[dict[str, Any]] = [{"params": weights}]
    if bounds:
        groups.append({"params": bounds, "lr_factor": BOUNDS_FACTOR})
    return Adam(groups)


def measured(field: Field, shapes: tuple[nn.Module, nn.Module]) -> dict[str, Any]:
    """Errors at the ends, and evenness of the interpolation between them."""
    axis = torch.linspace(-1, 1, 48)
    x = torch.cartesian_prod(axis, axis, axis)
    with torch.no_grad():
        values = torch.stack([FixedInputs(field, (code,))(x)[:, 0] for code in CODES])
        truth = torch.stack([shape(x)[:, 0] for shape in shapes])
    inside = values < 0
    volumes = 8 * inside.double().mean(1)
    near = truth.abs() < 0.05
    errors = (values[[0, -1]] - truth).abs()
    both, either = inside[[0, -1]] & (truth < 0), inside[[0, -1]] | (truth < 0)
    steps = values.diff(dim=0).square().mean(1).sqrt()
    return {
        "certified bound": field.lipschitz_bound(),
        "largest change with the code": steepest_in_code(field),
        "mean error near the surfaces": [
            float(e[n].mean()) for e, n in zip(errors, near, strict=True)
        ],
        "iou of the ends": (both.sum(1) / either.sum(1)).tolist(),
        "volumes": [round(float(volume), 4) for volume in volumes],
        "largest step of the field over the mean one": float(steps.max() / steps.mean()),
        "length of the way over its ends' distance": float(
            steps.sum() / (values[-1] - values[0]).square().mean().sqrt()
        ),
    }


def steepest_in_code(field: Field) -> float:
    """Largest |df/dcode| at 100,000 points and codes."""
    x = 2 * torch.rand(100_000, 4, generator=torch.Generator().manual_seed(9)) - 1
    x[:, 3] *= CODES[-1]
    with torch.no_grad():
        return float(operators.jacobian(field, x, way="jet")[:, 0, 3].abs().max())


def draw(fields: dict[str, Field], path: Path) -> None:
    """Central slices at seven codes, one row per network."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    axis = torch.linspace(-1, 1, 201)
    x = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
    x = torch.cat([x, torch.zeros(*x.shape[:-1], 1)], dim=-1)
    chosen = CODES[::3] if len(CODES) % 3 == 1 else CODES[:: len(CODES) // 6]
    figure, rows = pyplot.subplots(
        len(fields), len(chosen), figsize=(1.6 * len(chosen), 1.7 * len(fields)), squeeze=False
    )
    for (name, field), row in zip(fields.items(), rows, strict=True):
        for code, axes in zip(chosen, row, strict=True):
            with torch.no_grad():
                values: Tensor = FixedInputs(field, (code,))(x)[..., 0]
            axes.contourf(axis, axis, values, levels=[-9, 0, 9], colors=["#37648c", "#f4f1ea"])
            axes.set(xticks=[], yticks=[], aspect="equal")
            if row is rows[0]:
                axes.set_title(f"{code:.2f}", fontsize=9)
        row[0].set_ylabel(name, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run all weights of the penalty, at one size and number of steps."""
    parser = argparse.ArgumentParser(description="Interpolates between a brick and a rotated one.")
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--picture", type=Path, help="output picture of the slices")
    arguments = parser.parse_args()
    shapes = ends()
    generator = torch.Generator().manual_seed(0)
    samples = [observed(shape, 100_000, generator) for shape in shapes]
    figures: dict[str, Any] = {"steps": arguments.steps, "width": arguments.width}
    fields = {}
    for name in WEIGHTS:
        fields[name] = fitted(name, samples, width=arguments.width, steps=arguments.steps, seed=0)
        figures[name] = measured(fields[name], shapes)
    if arguments.picture:
        draw(fields, arguments.picture)
    write_report("lipschitz_shapes", figures)


if __name__ == "__main__":
    main()
