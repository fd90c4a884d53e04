"""One case for every public component: how to build it, and what it takes.

Sizes are different primes, so that swapped axes cannot pass.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from neurafield import Field, HardBoundary, Placed, Scene, activations, composition
from neurafield._component import registry
from neurafield.domains import Ball
from neurafield.encodings import (
    CodebookGrid,
    Composite,
    CPFactors,
    DenseGrid,
    Enrichment,
    GaussianEmbedding,
    HashGrid,
    Identity,
    KPlanes,
    LogPositional,
    MeshFeatures,
    Octree,
    OneBlob,
    PointFeatures,
    Positional,
    RandomFourier,
    SparseGrid,
    SphericalHarmonics,
    SplineGrid,
    SuperGaussianEmbedding,
    TriangleWave,
    TriPlane,
    VMFactors,
    triangulated_box,
)
from neurafield.fields.overlap import Mean, Minimum
from neurafield.networks import MLP, Bacon, Finer, Linear, Lipschitz, Siren, Wire


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[torch.Generator], nn.Module]
    in_dim: int
    out_dim: int
    smooth: bool = True

    def build(self, seed: int = 0) -> nn.Module:
        return self.make(torch.Generator().manual_seed(seed))

    def coords(self, *batch: int, seed: int = 1) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return 2 * torch.rand(*batch, self.in_dim, generator=generator) - 1

    def __str__(self) -> str:
        return self.name


def hash_grid(in_dim: int, **options: Any) -> HashGrid:
    """A small one whose coarse levels are dense and whose fine ones overflow."""
    return HashGrid(
        in_dim,
        num_levels=5,
        log2_table_size=7,
        base_resolution=[3, 2, 5][:in_dim],
        finest_resolution=[31, 37, 41][:in_dim],
        **options,
    )


def codebook_grid(in_dim: int, **options: Any) -> CodebookGrid:
    """A small one, whose indices do not fill bytes."""
    return CodebookGrid(
        in_dim,
        bits=3,
        num_levels=3,
        base_resolution=[3, 2, 5][:in_dim],
        finest_resolution=[5, 7, 11][:in_dim],
        **options,
    )


def sparse_grid(in_dim: int, g: torch.Generator, **options: Any) -> SparseGrid:
    """One whose points reach some of the corners that the battery asks at, and not others."""
    points = torch.tensor([[-1.0, -0.9, -0.8], [0.1, 0.3, -0.2], [0.4, 0.5, 0.6]])[:, :in_dim]
    tree = Octree.from_points(points, base_resolution=[2, 3, 1][:in_dim], num_levels=3)
    return SparseGrid.from_octree(tree, generator=g, **options)


def mesh_features(in_dim: int, g: torch.Generator) -> MeshFeatures:
    """The whole box in two dimensions; in three a tetrahedron's surface, away from its corners."""
    if in_dim == 2:
        return MeshFeatures.from_mesh(*triangulated_box([3, 5]), features=5, generator=g)
    vertices = torch.tensor([[0.1, 0.2, 0.7], [-0.6, 0.1, -0.3], [0.4, -0.7, -0.2], [0.3, 0.6, 0]])
    faces = torch.tensor([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]])
    return MeshFeatures.from_mesh(vertices, faces, features=7, generator=g)


def lipschitz(in_dim: int, out_dim: int, g: torch.Generator, **options: Any) -> Lipschitz:
    """One whose bounds hold some rows back, and others not."""
    network = Lipschitz(in_dim, out_dim, generator=g, **options)
    with torch.no_grad():
        network.c -= 0.3
    return network


ENCODING_CASES = [
    Case("positional", lambda g: Positional(3, 5), 3, 33),
    Case("positional-bare", lambda g: Positional(2, 3, include_input=False), 2, 12),
    Case("log-positional", lambda g: LogPositional(3, 5, sigma=11.0), 3, 30),
    Case("identity", lambda g: Identity(3), 3, 3),
    Case("one-blob", lambda g: OneBlob(3, 7), 3, 21),
    Case("gaussian-embedding", lambda g: GaussianEmbedding(3, 5, sigma=0.3), 3, 15),
    Case(
        "super-gaussian-embedding",
        lambda g: SuperGaussianEmbedding(2, 5, sigma=0.7, power=3.0),
        2,
        10,
    ),
    Case("triangle-wave", lambda g: TriangleWave(3, 5), 3, 15, smooth=False),
    Case("spherical-harmonics", lambda g: SphericalHarmonics(4), 3, 25),
    Case("spherical-harmonics-linear", lambda g: SphericalHarmonics(1), 3, 4),
    Case(
        "composite",
        lambda g: Composite(
            [OneBlob(1, 3), Composite([RandomFourier(2, 5, sigma=1.0, generator=g), Identity(1)])]
        ),
        4,
        14,
    ),
    Case(
        "composite-levels",
        lambda g: Composite([Identity(1), Composite([hash_grid(2, generator=g)])]),
        3,
        11,
    ),
    Case(
        "composite-shared",
        lambda g: Composite(
            [DenseGrid(2, resolution=[5, 7], generator=g), Identity(3)], axes=[[2, 0], [0, 1, 2]]
        ),
        3,
        5,
    ),
    Case("enrichment-points", lambda g: Enrichment(3, points=[[0.1, -0.2, 0.3]]), 3, 4),
    Case(
        "enrichment-shapes",
        lambda g: Enrichment(
            2,
            points=[[0.1, -0.2], [1.5, 0.0]],
            radius=0.05,
            scale=0.7,
            balls=[[0.2, 0.3, 0.4]],
            boxes=[[-0.1, 0.2, 0.5, 0.7]],
            jump=11.0,
        ),
        2,
        6,
    ),
    Case("random-fourier", lambda g: RandomFourier(3, 7, sigma=1.5, generator=g), 3, 14),
    Case("dense-grid", lambda g: DenseGrid(2, resolution=[5, 7], generator=g), 2, 2),
    Case(
        "dense-grid-smoothstep",
        lambda g: DenseGrid(
            3, resolution=[2, 3, 5], features=4, interpolation="smoothstep", generator=g
        ),
        3,
        4,
    ),
    Case("hash-grid", lambda g: hash_grid(3, generator=g), 3, 10),
    Case("hash-grid-tiled", lambda g: hash_grid(2, overflow="tiled", generator=g), 2, 10),
    Case("mesh-features-filled", lambda g: mesh_features(2, g), 2, 5),
    Case("mesh-features-surface", lambda g: mesh_features(3, g), 3, 7),
    Case("point-features", lambda g: PointFeatures(2, num_points=31, generator=g), 2, 4),
    Case(
        "point-features-few",
        lambda g: PointFeatures(3, num_points=11, features=5, num_neighbours=3, generator=g),
        3,
        5,
    ),
    Case("sparse-grid", lambda g: sparse_grid(2, g, features=5), 2, 5),
    Case(
        "sparse-grid-smoothstep",
        lambda g: sparse_grid(3, g, features=2, interpolation="smoothstep"),
        3,
        2,
    ),
    Case("codebook-grid", lambda g: codebook_grid(2, generator=g), 2, 12),
    Case("codebook-grid-hardened", lambda g: codebook_grid(3, generator=g).harden(), 3, 12),
    Case("tri-plane", lambda g: TriPlane(3, resolution=[5, 7, 3], features=2, generator=g), 3, 2),
    Case(
        "k-planes",
        lambda g: KPlanes(
            4, resolution=[3, 2, 5, 4], num_levels=2, features=2, time_axis=0, generator=g
        ),
        4,
        4,
    ),
    Case(
        "k-planes-smoothstep",
        lambda g: KPlanes(
            3, resolution=[3, 2, 5], features=8, interpolation="smoothstep", generator=g
        ),
        3,
        8,
    ),
    Case(
        "cp-factors", lambda g: CPFactors(2, resolution=[5, 7], components=16, generator=g), 2, 16
    ),
    Case(
        "vm-factors",
        lambda g: VMFactors(3, resolution=[5, 7, 3], components=4, generator=g),
        3,
        12,
    ),
    Case(
        "spline-grid",
        lambda g: SplineGrid(2, resolution=[5, 7], features=3, degree=3, generator=g),
        2,
        3,
    ),
    Case(
        "spline-grid-mirror",
        lambda g: SplineGrid(3, resolution=[2, 3, 5], degree=4, border="mirror", generator=g),
        3,
        1,
    ),
]

NETWORK_CASES = [
    Case("linear", lambda g: Linear(3, 5, generator=g), 3, 5),
    Case("bacon", lambda g: Bacon(3, 5, bandwidths=[1, 2, 3], width=11, generator=g), 3, 5),
    Case(
        "bacon-axes",
        lambda g: Bacon(2, 3, bandwidths=[[2, 0], [1, 3], [1, 1], 2], width=7, generator=g),
        2,
        3,
    ),
    Case("siren", lambda g: Siren(3, 5, width=11, depth=3, generator=g), 3, 5),
    Case(
        "siren-omegas",
        lambda g: Siren(2, 3, width=7, depth=2, omega_0=5.0, omega=20.0, generator=g),
        2,
        3,
    ),
    Case("wire", lambda g: Wire(3, 5, width=7, depth=3, generator=g), 3, 5),
    Case(
        "wire-omegas",
        lambda g: Wire(2, 3, width=11, depth=1, omega_0=5.0, omega=3.0, scale=2.0, generator=g),
        2,
        3,
    ),
    Case("lipschitz", lambda g: lipschitz(3, 5, g, width=11, depth=3), 3, 5),
    Case(
        "lipschitz-activation",
        lambda g: lipschitz(2, 3, g, width=7, depth=2, activation=activations.Sine(3.0)),
        2,
        3,
    ),
    Case("finer", lambda g: Finer(3, 5, width=11, depth=3, generator=g), 3, 5),
    *(
        Case(
            f"mlp-{name}",
            lambda g, name=name: MLP(3, 5, width=11, depth=2, activation=name, generator=g),
            3,
            5,
            smooth=name not in ("ReLU", "PReLU", "Laplacian"),
        )
        for name in registry(activations, activations.AbstractActivation)
    ),
    Case(
        "mlp-trained",
        lambda g: MLP(
            2, 3, width=7, depth=3, activation=activations.Gaussian(0.4, trained=True), generator=g
        ),
        2,
        3,
    ),
]


def _composite(g: torch.Generator) -> Field:
    encoding = RandomFourier(2, 5, sigma=1.0, generator=g)
    return Field(MLP(10, 3, width=7, depth=2, activation="Tanh", generator=g), encoding=encoding)


def _scene(g: torch.Generator) -> Scene:
    """Two places of one field and one of another: they overlap, and leave much of the box out."""
    field, other = (Field(Siren(2, 3, width=7, depth=2, generator=g)) for _ in range(2))
    turn = [[0.6, -0.8], [0.8, 0.6]]
    parts = [Placed(field, (-0.4, 0.1), turn, 0.5), Placed(other, (0.3, 0.2), scale=0.4)]
    return Scene([*parts, Placed(field, (0.0, 0.5), scale=0.3)], Mean(outside=0.7))


def _distances(g: torch.Generator) -> Scene:
    """Signed distances, a scene in a scene."""
    fields = [Field(Siren(3, 1, width=7, depth=1, generator=g)) for _ in range(2)]
    inner = Scene([Placed(field, (0.2, 0, 0), scale=0.7) for field in fields[:1]], Minimum())
    places = [Placed(inner, (-0.4, 0.1, 0), (0.5, -0.5, 0.1, 0.7), 0.5)]
    return Scene([*places, Placed(fields[1], (0.4, 0, 0.1), scale=0.4)], Minimum())


def _hard_boundary(g: torch.Generator) -> HardBoundary:
    """Zero on an ellipse-like cut of two balls, which no random point meets."""
    domain = Ball((0.0, 0.1), 1.7) & Ball((0.2, 0.0), 1.9)
    return HardBoundary(_composite(g), domain.distance_factor, 0.3)


def _distance(g: torch.Generator, in_dim: int = 3) -> Field:
    return Field(Siren(in_dim, 1, width=7, depth=1, generator=g))


COMPOSITION_CASES = [
    Case("sphere", lambda g: composition.Sphere(radius=0.3, in_dim=5), 5, 1),
    Case("box", lambda g: composition.Box(reach=(0.2, 0.3, 0.5)), 3, 1, smooth=False),
    Case("torus", lambda g: composition.Torus(ring=0.5, tube=0.2), 3, 1),
    Case(
        "capsule",
        lambda g: composition.Capsule(start=(-0.1, 0.2), end=(0.3, 0.4), radius=0.1),
        2,
        1,
        smooth=False,
    ),
    Case("half-space", lambda g: composition.HalfSpace(normal=(1.0, 2.0), offset=0.1), 2, 1),
    Case(
        "union",
        lambda g: composition.Union(_distance(g), _distance(g), _distance(g), smooth=1.5),
        3,
        1,
    ),
    Case("intersection", lambda g: composition.Intersection(_distance(g), _distance(g)), 3, 1),
    Case(
        "difference",
        lambda g: composition.Difference(_distance(g), composition.Sphere(radius=0.4), smooth=0.2),
        3,
        1,
    ),
    Case("complement", lambda g: composition.Complement(_distance(g, 2)), 2, 1),
    Case("offset", lambda g: composition.Offset(_distance(g, 5), distance=-0.1), 5, 1),
    Case("shell", lambda g: composition.Shell(_distance(g), thickness=0.1), 3, 1),
    Case(
        "mix", lambda g: composition.Interpolated(_distance(g, 2), _distance(g, 2), share=0.3), 2, 1
    ),
    Case(
        "moved",
        lambda g: composition.Transformed(
            _distance(g), (0.1, 0.2, 0.3), (0.5, -0.5, 0.1, 0.7), 0.4
        ),
        3,
        1,
    ),
    Case("bounded", lambda g: composition.ExtendedBeyondBox(_distance(g)), 3, 1),
    Case(
        "bounded-beyond",
        lambda g: composition.Transformed(
            composition.ExtendedBeyondBox(_distance(g)), (0.2, 0, 0), None, 0.3
        ),
        3,
        1,
    ),
    Case("at", lambda g: composition.FixedInputs(_distance(g, 5), (0.3, -0.2)), 3, 1),
    Case("mirrored", lambda g: composition.Mirrored(_distance(g), axis=1), 3, 1),
]

FIELD_CASES = [
    *COMPOSITION_CASES,
    Case("field-scene", _scene, 2, 3),
    Case("field-scene-distances", _distances, 3, 1),
    Case("field-siren", lambda g: Field(Siren(2, 3, width=7, depth=2, generator=g)), 2, 3),
    Case("field-composite", _composite, 2, 3),
    Case("hard-boundary", _hard_boundary, 2, 3),
]
"""Fields that a file can hold."""

COMPONENT_CASES = [*ENCODING_CASES, *NETWORK_CASES]
ALL_CASES = [*COMPONENT_CASES, *FIELD_CASES]
