"""Conversion of domains to JSON values, for files, and back."""

import dataclasses
from typing import Any

from .._text import shortened
from ._base import AbstractDomain
from .pairs import Difference, Intersection, Union
from .solids import Ball, Box

KNOWN: dict[str, type] = {cls.__name__: cls for cls in (Ball, Box, Difference, Intersection, Union)}


def describe(domain: AbstractDomain) -> dict[str, Any]:
    """Returns the name and arguments of a domain, as JSON values.

    Raises:
        TypeError: If it is not one of the library's domains.

    Example:
        >>> describe(Ball((0.0, 0.0), 1.0))
        {'type': 'Ball', 'hyperparams': {'centre': [0.0, 0.0], 'radius': 1.0}}
    """
    if KNOWN.get(type(domain).__name__) is not type(domain):
        raise TypeError(
            f"describe: expected a domain of neurafield.domains, got {type(domain).__name__}."
        )
    values = {field.name: getattr(domain, field.name) for field in _fields(domain)}
    return {
        "type": type(domain).__name__,
        "hyperparams": {
            name: describe(value)
            if isinstance(value, AbstractDomain)
            else list(value)
            if isinstance(value, tuple)
            else value
            for name, value in values.items()
        },
    }


def _fields(domain: Any) -> tuple["dataclasses.Field[Any]", ...]:
    return dataclasses.fields(domain)


def from_description(description: Any) -> AbstractDomain:
    """Builds a domain from what `describe` returned.

    Raises:
        TypeError: If it is not such a description.
        ValueError: If it names an unknown domain, or sizes are out of range.
    """
    if not isinstance(description, dict) or not isinstance(description.get("hyperparams"), dict):
        raise TypeError(f"domains: expected a type and hyperparams, got {shortened(description)}.")
    cls = KNOWN.get(str(description.get("type")))
    if cls is None:
        raise ValueError(
            f"domains: expected one of {', '.join(KNOWN)}, got "
            f"{shortened(description.get('type'))}."
        )
    arguments = {
        name: from_description(value)
        if isinstance(value, dict)
        else tuple(value)
        if isinstance(value, list)
        else value
        for name, value in description["hyperparams"].items()
    }
    domain: AbstractDomain = cls(**arguments)
    return domain
