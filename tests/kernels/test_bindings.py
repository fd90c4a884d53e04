"""The border to C++ refuses each size and layout by which a perceptron kernel could go astray."""

from typing import Any

import pytest
import torch
from torch import Tensor

from neurafield.kernels import library
from neurafield.kernels.fused_mlp import ACTIVATIONS

from .levels import level, needs_native  # noqa: F401

N, IN, WIDTH, OUT, D, S = 11, 3, 7, 2, 3, 1
P = 1 + D + S


def perceptron() -> dict[str, Any]:
    return {
        "weights": [torch.zeros(WIDTH, IN), torch.zeros(OUT, WIDTH)],
        "biases": [torch.zeros(WIDTH), torch.zeros(OUT)],
        "scales": [1.0],
        "activation": 0,
    }


def gradients() -> dict[str, Any]:
    return {
        "grad_weights": [torch.zeros(WIDTH, IN), torch.zeros(OUT, WIDTH)],
        "grad_biases": [torch.zeros(WIDTH), torch.zeros(OUT)],
    }


def plain() -> dict[str, Any]:
    return {"x": torch.zeros(N, IN), **perceptron()}


def jet() -> dict[str, Any]:
    return {"streams": torch.zeros(P, N, IN), "mix": torch.ones(S, D), **perceptron()}


def saved(call: str, arguments: dict[str, Any]) -> Tensor:
    return torch.zeros(getattr(library.native(), call)(**arguments))


def valid(call: str) -> dict[str, Any]:
    """Arguments that the call accepts."""
    if call == "mlp_saved_size":
        return plain()
    if call == "mlp_jet_saved_size":
        return jet()
    if call.startswith("mlp_jet"):
        arguments, lead, names = jet(), (P, N), ("streams", "grad_streams")
        kept = saved("mlp_jet_saved_size", jet())
    else:
        arguments, lead, names = plain(), (N,), ("x", "grad_x")
        kept = saved("mlp_saved_size", plain())
    arguments |= {"threads": 1, "saved": kept}
    if call in ("mlp_forward", "mlp_backward"):
        arguments["bfloat16"] = False
    if call.endswith("forward"):
        return arguments | {"y": torch.zeros(*lead, OUT)}
    arguments |= {"grad_y": torch.zeros(*lead, OUT), names[1]: torch.zeros(*lead, IN)}
    if call == "mlp_gradient_backward":
        arguments |= {"gbar": torch.zeros(N, IN), "grad_grad_y": torch.zeros(N, OUT)}
    if call in ("mlp_gradient_backward", "mlp_backward"):
        arguments["pulled"] = kept.clone()
    return arguments | gradients()


CALLS = [
    "mlp_saved_size",
    "mlp_forward",
    "mlp_backward",
    "mlp_gradient_backward",
    "mlp_jet_saved_size",
    "mlp_jet_forward",
    "mlp_jet_backward",
]


@pytest.mark.parametrize("call", CALLS)
def test_what_fits_is_taken(level: str, call: str) -> None:  # noqa: F811
    getattr(library.native(), call)(**valid(call))


def longer(t: Tensor, axis: int) -> Tensor:
    return torch.cat([t, t.narrow(axis, 0, 1)], axis)


def wrong_tensors(t: Tensor, name: str) -> list[Any]:
    """What may not stand in for a tensor."""
    if name in ("saved", "pulled"):
        shapes = [t[:-1].clone()]  # More than is needed does no harm.
    else:
        shapes = [longer(t, axis) for axis in range(t.ndim)] + [t[None], t[..., :-1].clone()]
        shapes += [t[..., :0].clone()]
    spread = torch.zeros(*t.shape, 2)[..., 0]
    return [*shapes, t.double(), t.int(), spread, None]


@needs_native
@pytest.mark.parametrize("call", CALLS)
def test_what_does_not_fit_is_refused(call: str) -> None:
    function = getattr(library.native(), call)
    optional = ("saved", "pulled", "grad_x", "grad_grad_y", "grad_streams")
    tried = 0
    for name, value in valid(call).items():
        wrong: list[Any] = []
        if isinstance(value, Tensor):
            wrong = wrong_tensors(value, name)
            if call.endswith("saved_size") and name in ("x", "streams"):
                del wrong[value.ndim - 2]  # Another number of points has another size.
            if name in optional and not (name == "saved" and call.endswith("backward")):
                wrong = [w for w in wrong if w is not None]
            if call == "mlp_gradient_backward" and name == "pulled":
                wrong.append(None)
        elif name == "scales":
            wrong = [[], [1.0, 1.0]]
        elif name == "activation":
            wrong = [-1, len(ACTIVATIONS)]
        elif name == "threads":
            wrong = [0, -1, 100_000]
        elif isinstance(value, list):
            wrong = [value[:1], [*value, value[-1]]]
            for index, tensor in enumerate(value):
                for bad in wrong_tensors(tensor, name):
                    wrong.append([*value[:index], bad, *value[index + 1 :]])
            if name.startswith("grad_"):
                # Gradients are checked by their number of elements.
                wrong = [w for w in wrong if not same_sizes(w, value)]
        for bad in wrong:
            tried += 1
            with pytest.raises((ValueError, TypeError)):
                function(**(valid(call) | {name: bad}))
    assert tried > 20


def same_sizes(found: list[Any], wanted: list[Tensor]) -> bool:
    return len(found) == len(wanted) and all(
        isinstance(f, Tensor)
        and f.dtype == w.dtype
        and f.is_contiguous()
        and f.numel() == w.numel()
        for f, w in zip(found, wanted, strict=True)
    )


@needs_native
def test_too_many_streams_are_refused() -> None:
    arguments = jet() | {"streams": torch.zeros(17, N, IN), "mix": torch.ones(1, 15)}
    with pytest.raises(ValueError, match="mix"):
        library.native().mlp_jet_saved_size(**arguments)
