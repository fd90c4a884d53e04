"""The base class of all encodings."""

from .._component import AbstractComponent


class AbstractEncoding(AbstractComponent):
    """A map from coordinates in [-1, 1] to `out_dim` features."""
