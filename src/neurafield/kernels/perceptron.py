"""What calls of perceptron kernels have in common: their arguments' checks and limits."""

from collections.abc import Sequence

from torch import Tensor

MAX_WIDTH, MAX_IN_DIM, MAX_OUT_DIM, MAX_LAYERS = 1024, 512, 64, 257
"""What the compiled versions are made for and tested with; beyond that the reference runs."""


def check_layers(
    owner: str,
    in_dim: int,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    scales: Sequence[float],
) -> None:
    """Layers that fit each other and the inputs.

    Raises:
        ValueError: If the lists' lengths or the shapes do not.
    """
    if not len(weights) == len(biases) == len(scales) + 1:
        raise ValueError(
            f"{owner}: expected as many biases as weights and one scale less, got "
            f"{len(weights)} weights, {len(biases)} biases and {len(scales)} scales."
        )
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if weight.shape != (*bias.shape, in_dim) or bias.ndim != 1 or not len(bias):
            raise ValueError(
                f"{owner}: expected weight and bias of layer {index} to have shapes "
                f"(_, {in_dim}) and (_), got {tuple(weight.shape)} and {tuple(bias.shape)}."
            )
        in_dim = len(bias)


def check_activation(owner: str, activation: str, known: Sequence[str]) -> None:
    """A name that every version knows.

    Raises:
        ValueError: If it is none.
    """
    if activation not in known:
        raise ValueError(f"{owner}: expected one of {', '.join(known)}, got {activation!r}.")


def beyond_compiled(weights: Sequence[Tensor]) -> str:
    """Why layers are too large for the compiled versions, or ""."""
    fits = (
        len(weights) <= MAX_LAYERS
        and weights[0].shape[1] <= MAX_IN_DIM
        and weights[-1].shape[0] <= MAX_OUT_DIM
        and all(weight.shape[0] <= MAX_WIDTH for weight in weights)
    )
    if fits:
        return ""
    return (
        f"the compiled version is for {MAX_IN_DIM} inputs, width {MAX_WIDTH} and {MAX_OUT_DIM} "
        "outputs at most"
    )
