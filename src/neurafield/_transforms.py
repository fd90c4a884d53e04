"""State of torch's transforms: torch.func, tracing, forward mode, dispatch modes.

No other file reads this state from private parts of torch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

_PLAIN = (Tensor, torch.nn.Parameter)
_is_batched = torch._C._functorch.is_batchedtensor
_is_legacy_batched = torch._C._functorch.is_legacy_batchedtensor


def inside_func() -> bool:
    """True inside a torch.func transform, where `torch.autograd.grad` cannot start."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def follows_no_choice() -> bool:
    """True inside a tracer or a torch.func transform, where no branch may depend on values."""
    return torch.compiler.is_compiling() or inside_func()


def sees_operations() -> bool:
    """True if something other than plain autograd records single operations."""
    return follows_no_choice() or torch.autograd.forward_ad._current_level >= 0


def why_torch_only(tensors: Sequence[Tensor]) -> str:
    """Reason why only torch's own operations can serve these tensors, or "" if kernels can.

    Transforms can only follow torch's own operations.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return "torch is tracing"
    if inside_func():
        return "a torch.func transform is running"
    if torch.autograd.forward_ad._current_level >= 0:
        return "forward-mode derivatives are taken"
    if torch.utils._python_dispatch._get_current_dispatch_mode() is not None:
        return "a torch dispatch mode is watching"
    for t in tensors:
        if type(t) not in _PLAIN:
            return "a subclass of Tensor is among the inputs"
        if _is_batched(t) or _is_legacy_batched(t):
            return "gradients are taken in batches"
        if t.is_neg():
            return "a tensor is stored negated"
    return ""
