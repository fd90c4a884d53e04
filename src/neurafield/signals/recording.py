"""What receivers around a medium recorded."""

import importlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Complex, Float

from ..errors import SignalError

INNER = 0.5
"""Half the side of the square in which sources and receivers are."""


@dataclass(frozen=True)
class Recording:
    """Waves of several sources at several receivers.

    Args:
        sources: Places `(s, 2)` in |x|, |y| < 0.5.
        receivers: Places `(r, 2)`, likewise.
        values: What was recorded, complex, `(r, s)`, in the conventions of `_waves`.

    Raises:
        SignalError: If shapes do not fit, or a place or a value is out of range.
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
        for name, places in (("sources", self.sources), ("receivers", self.receivers)):
            if places.shape[1:] != (2,) or not bool((np.abs(places) < INNER).all()):
                raise SignalError(f"Recording: expected {name} of two coordinates below 0.5.")
        if not np.isfinite(self.values).all() or not self.values.any():
            raise SignalError("Recording: expected finite values, not all zero.")

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """Read a file with `source`, `receivers` and `rec_val`: `.npz`, or `.mat` with SciPy.

        Raises:
            SignalError: If it cannot be read or lacks one of them.
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
                "by save(name, '-v7')."
            ) from error
        # What a damaged file makes its readers raise is not theirs to promise.
        except Exception as error:
            raise SignalError(
                f"{path}: expected a file with source, receivers and rec_val ({error})."
            ) from error
        try:
            return cls(*arrays)
        except (SignalError, TypeError) as error:
            raise SignalError(f"{path}: {error}") from error
