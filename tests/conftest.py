"""Settings and fixtures of all tests: one thread per process, the devices, the budget of time."""

import os

# NumPy's and SciPy's own threads, which would wait for each other in two processes on two cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
import torch

from .budget import pytest_addoption as pytest_addoption
from .budget import pytest_runtest_call as pytest_runtest_call
from .budget import pytest_runtest_makereport as pytest_runtest_makereport
from .budget import pytest_runtest_protocol as pytest_runtest_protocol
from .budget import pytest_terminal_summary as pytest_terminal_summary

torch.set_num_threads(1)


@pytest.fixture(params=["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def device(request: pytest.FixtureRequest) -> str:
    """Each device that this machine has; no test needs a GPU."""
    return request.param
