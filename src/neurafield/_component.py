"""The base class of encodings and networks, and descriptions that build components again."""

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
from ._text import shortened
from .derivatives import Jet, jet_by_autodiff, tell_fallback

_Component = TypeVar("_Component", bound="AbstractComponent")


class AbstractComponent(nn.Module, ABC):
    """Interface of encodings and networks: maps `(*batch, in_dim) -> (*batch, out_dim)`.

    A final subclass sets `in_dim` and `out_dim`, and returns from `hyperparams` the keyword
    arguments that build it again, as JSON values, since they are stored in the field file.
    """

    in_dim: int
    out_dim: int
    _lod: int | None = None

    @abstractmethod
    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        """Maps points one by one; batch axes are kept."""

    def jet(self, x: Jet) -> Jet:
        """Value and derivatives of `forward` after the jet `x`, by the chain rule.

        The default is exact autodiff, with one `DerivativeNotice` per class.
        """
        tell_fallback(type(self).__name__)
        return jet_by_autodiff(self.forward, x)

    @abstractmethod
    def hyperparams(self) -> dict[str, Any]:
        """Keyword arguments (without `generator`) that build this component again."""

    def check_state(self) -> None:
        """Checks that buffers read from a file are consistent; by default nothing.

        Raises:
            ValueError: If they are not, so that evaluation would fail or be meaningless.
        """
        return None

    def tables(self) -> list[Tensor]:
        """Parameters that are tables: each point reads only a few rows, as optimizers must know."""
        return []

    @property
    def num_lods(self) -> int:
        """Number of levels of detail: 1 unless a subclass has several."""
        return 1

    @property
    def lod(self) -> int:
        """Current level of detail; by default the last one, which is the whole component."""
        return self.num_lods - 1 if self._lod is None else self._lod

    def at_lod(self: _Component, lod: int) -> _Component:
        """View of the component at a level of detail.

        The view shares all parameters: if one of the two is trained, moved or has a parameter
        replaced, so is the other. A subclass with several levels reads `self.lod` in `forward` and
        `jet`. Only the whole component can be saved.

        Args:
            lod: Level from 0, the coarsest, to `num_lods - 1`, the whole component.

        Raises:
            ValueError: If there is no such level.
        """
        check_count(self, low=0, high=self.num_lods - 1, lod=lod)
        view = type(self).__new__(type(self))
        # The dictionaries of parameters are the same objects, so later changes are shared too.
        view.__dict__.update(self.__dict__, _lod=lod)
        return view

    def extra_repr(self) -> str:
        parts = [f"{name}={value!r}" for name, value in self.hyperparams().items()]
        if self.lod < self.num_lods - 1:
            parts.append(f"lod={self.lod}")
        return ", ".join(parts)


@runtime_checkable
class HasHyperparams(Protocol):
    """Interface of what a file can describe: components, and parts of them such as activations."""

    def hyperparams(self) -> dict[str, Any]: ...


MAX_NESTING = 32
"""Maximum depth of nested lists and objects in a description, as of eight nested composites."""


MAX_PARTS = 10_000
"""Maximum number of fields, encodings and other parts that one file describes."""


def spec_of(component: HasHyperparams) -> dict[str, Any]:
    """Class name and hyper-parameters of a component, from which `build` makes it again."""
    return {"type": type(component).__name__, "hyperparams": component.hyperparams()}


def registry(subpackage: ModuleType, base: type) -> dict[str, type]:
    """Public concrete classes of a subpackage: the only ones that a description can name."""
    return {
        name: cls
        for name, cls in vars(subpackage).items()
        if inspect.isclass(cls) and issubclass(cls, base) and not inspect.isabstract(cls)
    }


class UnknownNameError(ValueError):
    """Raised when a description names an unknown class or function."""


_own: ContextVar[Sequence[Callable[..., Any]]] = ContextVar("own", default=())


@contextmanager
def also_known(own: Sequence[Callable[..., Any]]) -> Iterator[None]:
    """Lets descriptions name these classes and functions too, within a `with` block.

    It is not an argument of `build`, since components build their parts in their constructors.
    """
    token = _own.set(own)
    try:
        yield
    finally:
        _own.reset(token)


def own_classes(base: type) -> dict[str, type]:
    """Classes of `also_known` that derive from `base`, by name."""
    return {
        cls.__name__: cls for cls in _own.get() if inspect.isclass(cls) and issubclass(cls, base)
    }


def own_function(name: object) -> Callable[..., Any]:
    """Returns the function of `also_known` with a given name.

    Raises:
        UnknownNameError: If there is no such function.
    """
    known = {function_name(f): f for f in _own.get() if not inspect.isclass(f)}
    if not isinstance(name, str) or name not in known:
        raise UnknownNameError(
            f"function: expected one of {', '.join(known) or 'those given, which are none'}, got "
            f"{shortened(name)}."
        )
    return known[name]


def function_name(function: Callable[..., Any]) -> str:
    """Name by which a file refers to a function.

    Raises:
        ValueError: If the function has no name, such as a lambda.
    """
    name = getattr(function, "__name__", "<unnamed>")
    if not name.isidentifier():
        raise ValueError(
            f"expected a function with a name, got {name}. Define it with `def`, so that a file "
            "can refer to it."
        )
    return str(name)


def build(subpackage: ModuleType, base: type, spec: object) -> Any:
    """Builds a component from its description; a component is returned unchanged.

    A constructor that takes components passes them through this function, so that its own
    `hyperparams` may contain their `spec_of`. A description may come from a hostile file: it can
    name only public classes of the subpackage or those of `also_known`, and its depth is limited.

    Args:
        subpackage: Subpackage with the class, such as `neurafield.encodings`.
        base: Base class that the component must have.
        spec: Component, or the result of `spec_of`.

    Raises:
        UnknownNameError: If there is no such component.
        ValueError: If its hyper-parameters are out of range.
        TypeError: If `spec` is something else, or hyper-parameters have other names or types.
    """
    if isinstance(spec, base):
        return spec
    owner = subpackage.__name__.rpartition(".")[2]
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
            f"{shortened(list(spec)) if spec else 'none'}."
        )
    check_nesting(owner, spec)
    own = own_classes(base)
    known = {**own, **registry(subpackage, base)}
    name = spec.get("type")
    if not isinstance(name, str) or name not in known:
        lower = {key.lower(): key for key in known}
        near = difflib.get_close_matches(str(name)[:80].lower(), lower, 1)
        guess = f" Did you mean {lower[near[0]]}?" if near else ""
        raise UnknownNameError(
            f"{owner}: expected one of {', '.join(known)}, got {shortened(name)}.{guess}"
        )
    return known[name](**spec["hyperparams"])


def check_nesting(owner: str, value: object, levels: int = MAX_NESTING) -> None:
    """Checks the depth of nested lists and objects, before any recursion."""
    pending = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, dict | list):
            if depth == levels:
                raise ValueError(f"{owner}: expected at most {levels} levels of lists, got more.")
            inside = item.values() if isinstance(item, dict) else item
            pending += [(part, depth + 1) for part in inside]


def check_number_of_parts(owner: str, value: object, most: int = MAX_PARTS) -> None:
    """Checks how many components and other parts are described, before any of them is built."""
    count, pending = 0, [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            count += "hyperparams" in item
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    if count > most:
        raise ValueError(f"{owner}: expected at most {most:,} parts, got {count:,}.")
