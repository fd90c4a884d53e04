"""Training step of a hash field on torch's workers, compared with a second thread pool."""

import torch

from neurafield import Field
from neurafield.encodings import HashGrid
from neurafield.kernels import library
from neurafield.networks import MLP

from .harness import alternate, write_result

POINTS = 65_536


def main() -> None:
    """Time forward and backward with torch's loss between the kernels."""
    encoding = HashGrid(2, num_levels=16, log2_table_size=15)
    field = Field(MLP(32, 1, width=64, depth=2), encoding=encoding)
    x, target = torch.rand(POINTS, 2) * 2 - 1, torch.rand(POINTS, 1)

    def step() -> None:
        field.zero_grad()
        (field(x) - target).square().mean().backward()

    def on_own_workers() -> None:
        library.native().use_own_threads(True)
        step()
        library.native().use_own_threads(False)

    figures = alternate(
        {"torch's workers": step, "a second pool": on_own_workers}, rounds=25, warm_up=3
    )
    write_result("thread_pools", figures)


if __name__ == "__main__":
    main()
