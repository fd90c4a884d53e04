"""The type of an encoding."""

from .._component import AbstractComponent


class AbstractEncoding(AbstractComponent):
    """A lift of coordinates in [-1, 1] to `out_dim` features."""
