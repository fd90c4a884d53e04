"""The Helmholtz equation on a grid, by a sparse direct solve: an oracle that shares no code.

Five points, second order, the absorbing layer as stretched coordinates:
(1/e_x d/dx 1/e_x d/dx + 1/e_y d/dy 1/e_y d/dy + k^2 m) u = f with u = 0 on the walls.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.interpolate
import scipy.sparse
import scipy.sparse.linalg

Medium = Callable[[np.ndarray, np.ndarray], np.ndarray]


def stretch(t: np.ndarray, absorption: float) -> np.ndarray:
    return 1 - 1j * absorption * (2 * np.clip(np.abs(t) - 0.5, 0, None)) ** 2


def helmholtz(
    cells: int,
    wavenumber: float,
    medium: Medium,
    sources: Sequence[Sequence[float]],
    places: np.ndarray,
    *,
    absorption: float = 5.0,
    variance: float = 1e-4,
) -> np.ndarray:
    """Waves of sources of weight 1 + i at places `(n, 2)`: complex, `(n, sources)`."""
    h = 2 / cells
    nodes = -1 + h * np.arange(1, cells)
    between = -1 + h * (np.arange(cells) + 0.5)
    count = cells - 1
    slope = scipy.sparse.diags([np.ones(count), -np.ones(count)], [0, -1], shape=(cells, count)) / h
    scaled = scipy.sparse.diags(1 / stretch(between, absorption)) @ slope
    second = -scipy.sparse.diags(1 / stretch(nodes, absorption)) @ slope.T @ scaled
    x, y = np.meshgrid(nodes, nodes, indexing="ij")
    # Of a medium that jumps, each cell takes the mean.
    offsets = h * ((np.arange(6) + 0.5) / 6 - 0.5)
    mass = np.mean([medium(x + a, y + b) for a in offsets for b in offsets], axis=0)
    unit = scipy.sparse.eye(count)
    matrix = (
        scipy.sparse.kron(second, unit)
        + scipy.sparse.kron(unit, second)
        + scipy.sparse.diags(wavenumber**2 * mass.ravel())
    )
    force = [
        (1 + 1j)
        * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 2 / variance).ravel()
        / (2 * np.pi * variance)
        for a, b in sources
    ]
    waves = scipy.sparse.linalg.splu(matrix.tocsc()).solve(np.stack(force, axis=1))
    return np.stack(
        [
            scipy.interpolate.RegularGridInterpolator(
                (nodes, nodes), wave.reshape(count, count), method="cubic"
            )(places)
            for wave in waves.T
        ],
        axis=1,
    )
