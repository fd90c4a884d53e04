"""What all tests share: one thread (two test processes run side by side), and the devices."""

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(params=["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def device(request: pytest.FixtureRequest) -> str:
    """Each device that this machine has; no test needs a GPU."""
    return request.param
