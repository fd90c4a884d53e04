"""CoordConv: coordinates as additional channels of a feature map, for convolutional encoders."""

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_floating


def coord_channels(
    features: Float[Tensor, "batch channels *spatial"], *, radius: bool = False
) -> Float[Tensor, "batch more *spatial"]:
    r"""Append the coordinates of each cell to a feature map.

    Channel $c + a$ is $(2 i_a + 1) / n_a - 1$ at index $i_a$ of $n_a$ along axis $a$: the cell
    centres in [-1, 1], axes in array order, as everywhere in the library.

    Use when a convolution should depend on position. Fails when the result should be
    translation-invariant.

    Args:
        features: Feature maps with one or more spatial axes.
        radius: True appends a last channel with the distance from the centre, $|x|$.

    Returns:
        The features, followed by one channel per spatial axis, and the radius if requested.

    Raises:
        TypeError: If the features do not have a floating-point dtype.
        ValueError: If there is no spatial axis.

    Example:
        >>> coord_channels(torch.zeros(1, 3, 2, 4))[0, 3:, :, 0]
        tensor([[-0.5000,  0.5000],
                [-0.7500, -0.7500]])

    Reference:
        Liu et al., An Intriguing Failing of Convolutional Neural Networks and the CoordConv
        Solution, NeurIPS 2018, section 3. Theirs puts the first and last cells at -1 and 1.
    """
    check_floating("coord_channels", features=features)
    if features.ndim < 3:
        raise ValueError(
            "coord_channels: expected features of shape (batch, channels, *spatial), got "
            f"{tuple(features.shape)}."
        )
    batch, _, *spatial = features.shape
    axes = [
        (2 * torch.arange(n, dtype=features.dtype, device=features.device) + 1) / n - 1
        for n in spatial
    ]
    coords = torch.stack(torch.meshgrid(axes, indexing="ij"))
    if radius:
        coords = torch.cat([coords, coords.norm(dim=0, keepdim=True)])
    return torch.cat([features, coords.expand(batch, *coords.shape)], dim=1)
