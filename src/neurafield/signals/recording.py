"""Waves recorded by receivers around a medium."""

import importlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Complex, Float

from ..errors import SignalError

INNER = 0.5
"""Half the side of the square that contains all sources and receivers."""


@dataclass(frozen=True)
class Recording:
    """Waves of several sources at several receivers.

    Args:
        sources: Positions `(s, 2)` in |x|, |y| < 0.5.
        receivers: Positions `(r, 2)` in |x|, |y| < 0.5.
        values: Complex values `(r, s)`; waves leave a source as e^(-ikr), see `maps.helmholtz`.

    Raises:
        SignalError: If shapes do not fit, or a position or a value is out of range.

    Example:
        >>> at = np.array([[0.4, 0.0]])
        >>> Recording(sources=at, receivers=-at, values=np.array([[1j]])).values.shape
        (1, 1)
    """

    sources: Float[np.ndarray, "_ _"]
    receivers: Float[np.ndarray, "_ _"]
    values: Complex[np.ndarray, "_ _"]

    def __post_init__(self) -> None:
        expected = (len(self.receivers), len(self.sources))
        if self.values.shape != expected or not all(expected):
            raise SignalError(
                f"Recording: expected values of shape {expected}, a row for each receiver and a "
                f"column for each source, got {self.values.shape}."
            )
        for name, positions in (("sources", self.sources), ("receivers", self.receivers)):
            if positions.shape[1:] != (2,) or not bool((np.abs(positions) < INNER).all()):
                raise SignalError(f"Recording: expected {name} of two coordinates below 0.5.")
        if not np.isfinite(self.values).all() or not self.values.any():
            raise SignalError("Recording: expected finite values, not all zero.")

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """Read `source`, `receivers` and `rec_val` from a `.npz` file, or from `.mat` with SciPy.

        Raises:
            SignalError: If the file cannot be read, or lacks one of the arrays.
        """
        try:
            read = importlib.import_module("scipy.io").loadmat if path.suffix == ".mat" else np.load
            with path.open("rb") as file:
                found = read(file)
                if isinstance(found, np.ndarray):
                    raise ValueError("it holds one array without a name")
                arrays = [np.asarray(found[name]) for name in ("source", "receivers", "rec_val")]
        except ImportError as error:
            raise SignalError(f"{path}: needs SciPy to be read: pip install scipy.") from error
        except NotImplementedError as error:
            raise SignalError(
                f"{path}: expected a .mat file up to version 7, got version 7.3. Save it in MATLAB "
                "with save(name, '-v7')."
            ) from error
        # Readers raise exceptions of any type for a damaged file.
        except Exception as error:
            raise SignalError(
                f"{path}: expected a file with source, receivers and rec_val ({error})."
            ) from error
        try:
            return cls(*arrays)
        except (SignalError, TypeError) as error:
            raise SignalError(f"{path}: {error}") from error
