"""Signals of observations at given points."""

import hashlib

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import SignalError
from ._base import AbstractSignal
from .sampling import draw_indices


class Samples(AbstractSignal):
    """Observations at given points: values, derivatives, or anything else that a map predicts.

    Args:
        coords: Points `(n, in_dim)`.
        targets: Observations `(n, out_dim)` or `(n, out_dim, ...)`.

    Raises:
        SignalError: If there are no points, the shapes do not fit, or a value is not finite.

    Example:
        >>> slopes = Samples(torch.rand(7, 2), torch.zeros(7, 3, 2))
        >>> x, target = slopes.batch(5, seed=0, step=0)
        >>> x.shape, target.shape
        (torch.Size([5, 2]), torch.Size([5, 3, 2]))
    """

    def __init__(self, coords: Float[Tensor, "n ..."], targets: Float[Tensor, "m ..."]) -> None:
        if coords.ndim != 2 or targets.ndim < 2:
            raise SignalError(
                f"Samples: expected points of shape (n, in_dim) and targets of shape (n, out_dim), "
                f"got {tuple(coords.shape)} and {tuple(targets.shape)}. Keep the last axis: "
                "`x[:, :1]`, not `x[:, 0]`."
            )
        if len(coords) != len(targets) or not len(coords):
            raise SignalError(
                f"Samples: expected as many targets as points, and at least one, got "
                f"{len(targets)} and {len(coords)}."
            )
        for name, tensor in (("points", coords), ("targets", targets)):
            bad = tensor.numel() - int(tensor.isfinite().sum())
            if bad:
                raise SignalError(f"Samples: expected finite {name}, got {bad} that are not.")
        self.coords, self.targets = coords.detach(), targets.detach()
        self.in_dim, self.out_dim = coords.shape[1], targets.shape[1]

    def batch(
        self, size: int | None, *, seed: int, step: int, stream: int = 0
    ) -> tuple[Float[Tensor, "n in_dim"], Float[Tensor, "n out_dim *_"]]:
        if size is None:
            return self.coords, self.targets
        count = len(self.coords)
        indices = torch.from_numpy(draw_indices(count, size, seed=seed, step=step, stream=stream))
        return self.coords[indices], self.targets[indices]

    def fingerprint(self) -> str:
        digest = hashlib.sha256(f"{tuple(self.coords.shape)} {tuple(self.targets.shape)}".encode())
        for tensor in (self.coords, self.targets):
            digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
        return digest.hexdigest()
