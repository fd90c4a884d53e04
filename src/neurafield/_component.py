"""What every part of a field has in common: sizes, and hyper-parameters that rebuild it."""

import difflib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Protocol, TypeVar, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from ._checks import check_count
from .derivatives import Jet, jet_by_autodiff, tell_fallback

_Component = TypeVar("_Component", bound="AbstractComponent")


class AbstractComponent(nn.Module, ABC):
    """An encoding or a network: a map `(*batch, in_dim) -> (*batch, out_dim)`.

    A final subclass sets `in_dim` and `out_dim`, and returns from `hyperparams` the keyword
    arguments that build it again. They are plain JSON values, because they go into the file.
    """

    in_dim: int
    out_dim: int
    _lod: int | None = None

    @abstractmethod
    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        """Map points one by one; batch axes are kept."""

    def jet(self, x: Jet) -> Jet:
        """Value and derivatives after `x`: what `forward` computes, by the chain rule.

        A component without a rule of its own gets exact autodiff, and a notice, once.
        """
        tell_fallback(type(self).__name__)
        return jet_by_autodiff(self.forward, x)

    @abstractmethod
    def hyperparams(self) -> dict[str, Any]:
        """The keyword arguments (without `generator`) that build this component again."""

    def check_state(self) -> None:
        """Require buffers that fit together, after a file was read into them; by default nothing.

        Raises:
            ValueError: If they do not, so that reading would fail or give nonsense.
        """
        return None

    def tables(self) -> list[Tensor]:
        """Parameters of which each point reads a few rows only; optimizers treat them so."""
        return []

    @property
    def num_lods(self) -> int:
        """Levels of detail at which it can be read: 1, or what a subclass with several says."""
        return 1

    @property
    def lod(self) -> int:
        """The level at which it is read: the last one, which is everything, unless cut."""
        return self.num_lods - 1 if self._lod is None else self._lod

    def at_lod(self: _Component, lod: int) -> _Component:
        """The component itself, read at a level of detail, 0 the coarsest.

        It shares all parameters, in place: what is trained, moved or replaced in one is so in the
        other. A subclass with several levels reads `self.lod` in `forward` and `jet`. A file holds
        the whole: `save` refuses a cut one.

        Args:
            lod: From 0 to `num_lods - 1`, which is everything.

        Raises:
            ValueError: If there is no such level.
        """
        check_count(self, low=0, high=self.num_lods - 1, lod=lod)
        view = type(self).__new__(type(self))
        # The dictionaries of parameters inside stay the same objects, and so are shared for good.
        view.__dict__.update(self.__dict__, _lod=lod)
        return view

    def extra_repr(self) -> str:
        parts = [f"{name}={value!r}" for name, value in self.hyperparams().items()]
        if self.lod < self.num_lods - 1:
            parts.append(f"lod={self.lod}")
        return ", ".join(parts)


@runtime_checkable
class HasHyperparams(Protocol):
    """What can be described for a file: a component, or a part of one such as an activation."""

    def hyperparams(self) -> dict[str, Any]: ...


MAX_NESTING = 32
"""Of lists and objects in a description: eight composites in one another, and more than enough."""


def spec_of(component: HasHyperparams) -> dict[str, Any]:
    """Name and hyper-parameters of a component: the JSON from which `build` makes it again."""
    return {"type": type(component).__name__, "hyperparams": component.hyperparams()}


def registry(room: ModuleType, base: type) -> dict[str, type]:
    """The public, concrete classes of a room: the only ones that a description can name."""
    return {
        name: cls
        for name, cls in vars(room).items()
        if inspect.isclass(cls) and issubclass(cls, base) and not inspect.isabstract(cls)
    }


class UnknownNameError(ValueError):
    """A description names a class that nobody knows."""


_own: ContextVar[Sequence[Callable[..., Any]]] = ContextVar("own", default=())


@contextmanager
def also_known(own: Sequence[Callable[..., Any]]) -> Iterator[None]:
    """Let descriptions name these classes and functions too while it lasts.

    Not an argument of `build`, since components build their parts in their constructors.
    """
    token = _own.set(own)
    try:
        yield
    finally:
        _own.reset(token)


def own_classes(base: type) -> dict[str, type]:
    """The classes of `also_known` that derive from `base`, by their names."""
    return {
        cls.__name__: cls for cls in _own.get() if inspect.isclass(cls) and issubclass(cls, base)
    }


def own_function(name: object) -> Callable[..., Any]:
    """The function of `also_known` with a name.

    Raises:
        UnknownNameError: If there is none.
    """
    known = {function_name(f): f for f in _own.get() if not inspect.isclass(f)}
    if not isinstance(name, str) or name not in known:
        raise UnknownNameError(
            f"function: expected one of {', '.join(known) or 'those given, which are none'}, got "
            f"{name!r}."
        )
    return known[name]


def function_name(function: Callable[..., Any]) -> str:
    """The name by which a file refers to a function.

    Raises:
        ValueError: If it has none of its own.
    """
    name = getattr(function, "__name__", "<unnamed>")
    if not name.isidentifier():
        raise ValueError(
            f"expected a function with a name, got {name}. Define it with `def`, so that a file "
            "can refer to it."
        )
    return str(name)


def build(room: ModuleType, base: type, spec: object) -> Any:
    """A component from its description, or the component itself if it is one already.

    A constructor that takes components takes both through this, so that its own `hyperparams`
    may hold `spec_of` each. A description may come from a hostile file: it can name public
    classes of the room only, or those of `also_known`, and nest so deep only.

    Args:
        room: Where the class is looked up, such as `neurafield.encodings`.
        base: What the component must be.
        spec: A component, or what `spec_of` returned.

    Raises:
        UnknownNameError: If there is no such component.
        ValueError: If its hyper-parameters are out of range.
        TypeError: If it is something else, or its hyper-parameters have other names or types.
    """
    if isinstance(spec, base):
        return spec
    owner = room.__name__.rpartition(".")[2]
    if inspect.isclass(spec):
        raise TypeError(
            f"{owner}: expected an instance, got the class {spec.__name__}. Call it: "
            f"{spec.__name__}(...)."
        )
    if not isinstance(spec, dict):
        raise TypeError(
            f"{owner}: expected an instance of a class from neurafield.{owner}, or its type and "
            f"hyperparams, got {type(spec).__module__}.{type(spec).__qualname__}."
        )
    if not isinstance(spec.get("hyperparams"), dict):
        raise ValueError(
            f"{owner}: expected a type and hyperparams for each component, got "
            f"{', '.join(map(repr, spec)) or 'none'}."
        )
    check_nesting(owner, spec)
    own = own_classes(base)
    known = {**own, **registry(room, base)}
    name = spec.get("type")
    if not isinstance(name, str) or name not in known:
        lower = {key.lower(): key for key in known}
        near = difflib.get_close_matches(str(name).lower(), lower, 1)
        guess = f" Did you mean {lower[near[0]]}?" if near else ""
        raise UnknownNameError(f"{owner}: expected one of {', '.join(known)}, got {name!r}.{guess}")
    return known[name](**spec["hyperparams"])


def check_nesting(owner: str, value: object, levels: int = MAX_NESTING) -> None:
    """Require lists and objects in one another to some depth only, before anything recurses."""
    pending = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, dict | list):
            if depth == levels:
                raise ValueError(f"{owner}: expected at most {levels} levels of lists, got more.")
            inside = item.values() if isinstance(item, dict) else item
            pending += [(part, depth + 1) for part in inside]
