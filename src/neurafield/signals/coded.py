"""A signal with a fixed latent code appended to its coordinates."""

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import SignalError
from ._base import AbstractSignal


class Coded(AbstractSignal):
    """A signal with a fixed latent code appended to its coordinates.

    One field can then represent several shapes, with one constraint and one code per shape.
    `composition.FixedInputs` evaluates the field at one of the codes, or between them.

    Args:
        signal: Signal whose queries are points.
        code: Coordinates to append, in [-1, 1].

    Raises:
        SignalError: If the code is empty or not finite.

    Example:
        >>> from neurafield.signals import Samples
        >>> one = Coded(Samples(torch.zeros(5, 3), torch.zeros(5, 1)), (-1.0,))
        >>> x, target = one.batch(None, seed=0, step=0)
        >>> x.shape, x[0].tolist()
        (torch.Size([5, 4]), [0.0, 0.0, 0.0, -1.0])
    """

    def __init__(self, signal: AbstractSignal, code: Sequence[float]) -> None:
        self.signal, self.code = signal, tuple(float(number) for number in code)
        if not self.code or not all(map(math.isfinite, self.code)):
            raise SignalError(f"Coded: expected finite values for a code, got {code}.")
        self.in_dim, self.out_dim = signal.in_dim + len(self.code), signal.out_dim

    def batch(
        self, size: int | None, *, seed: int, step: int, stream: int = 0
    ) -> tuple[Float[Tensor, "n in_dim"], Any]:
        x, target = self.signal.batch(size, seed=seed, step=step, stream=stream)
        return torch.cat([x, x.new_tensor(self.code).expand(len(x), -1)], dim=1), target

    def fingerprint(self) -> str:
        text = json.dumps([self.signal.fingerprint(), self.code])
        return hashlib.sha256(text.encode()).hexdigest()
