"""Checkpoints: the state from which a run continues as if it had never stopped."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .._checks import check_count, check_not_negative, check_positive
from .._text import printable, shortened
from ..container import read_sealed, state_shapes, write_sealed
from ..errors import ArgumentError, FieldFileError
from .adam import Adam

FORMAT_VERSION = 3
_MAX_COUNT = 2**40
_DAMAGE = (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError)
"""Exceptions that values of wrong types or ranges in a file raise."""


@dataclass(frozen=True, kw_only=True)
class Checkpointing:
    """Settings for saving a run, so that it survives a crash.

    Args:
        path: Checkpoint file; None to keep checkpoints in memory only, for roll-backs.
        every: Steps between checkpoints; None for 50, or more if the field has over a million
            parameters, so that checkpoints stay cheap.
        resume: True to continue from `path` if it exists.
        settings: JSON values stored in the checkpoint; `read_settings` returns them on resuming.

    Raises:
        ValueError: If `every` is out of range.

    Example:
        >>> Checkpointing(path=folder / "run.checkpoint", resume=True).every is None
        True
    """

    path: str | Path | None = None
    every: int | None = None
    resume: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.every is not None:
            check_count("Checkpointing", every=self.every, high=_MAX_COUNT)


@dataclass
class Position:
    """Counters of a run that a roll-back resets to their values in the checkpoint.

    Args:
        step: Number of steps done, including skipped ones; also the index of the next batch.
        smoothed_mse: Mean squared error of recent batches, or -1 before the first.
        next_check: Step before which the target PSNR is not measured again.
    """

    step: int = 0
    smoothed_mse: float = -1.0
    next_check: int = 0

    def check(self) -> None:
        """Checks the types and ranges of values that come from a file.

        Raises:
            TypeError: If one has another type.
            ArgumentError: If one is out of range.
        """
        check_count(self, low=0, high=_MAX_COUNT, step=self.step)
        check_count(self, low=0, high=2 * _MAX_COUNT, next_check=self.next_check)
        if self.smoothed_mse != -1:
            check_not_negative(self, smoothed_mse=self.smoothed_mse)


@dataclass
class Tally:
    """Counters of a run that a roll-back keeps.

    Args:
        seconds: Time spent, over all parts of the run.
        lr_factor: Factor on the learning rate, halved at each roll-back.
        bad_in_a_row: Number of steps skipped since the last good one.
        skipped: Number of steps skipped in total.
        rollbacks: Number of returns to a checkpoint.
    """

    seconds: float = 0.0
    lr_factor: float = 1.0
    bad_in_a_row: int = 0
    skipped: int = 0
    rollbacks: int = 0

    def check(self) -> None:
        """Checks the types and ranges of values that come from a file.

        Raises:
            TypeError: If one has another type.
            ArgumentError: If one is out of range.
        """
        check_not_negative(self, seconds=self.seconds)
        check_positive(self, lr_factor=self.lr_factor)
        if self.lr_factor > 1:
            raise ArgumentError(f"Tally: expected lr_factor up to 1, got {self.lr_factor}.")
        check_count(self, low=0, high=9, bad_in_a_row=self.bad_in_a_row)
        counts = {"skipped": self.skipped, "rollbacks": self.rollbacks}
        check_count(self, low=0, high=_MAX_COUNT, **counts)


@dataclass(frozen=True)
class Checkpoint:
    """A copy of a run: everything that is trained, the optimizer's state, and the counters.

    Args:
        trained: Tensors of everything that is trained.
        optimizer: Tensors of the optimizer's state, named by the index of their parameter.
        position: Counters that a roll-back resets.
        tally: Counters that a roll-back keeps.
    """

    trained: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    position: Position
    tally: Tally

    @classmethod
    def take(
        cls,
        trained: nn.Module,
        optimizer: torch.optim.Optimizer,
        position: Position,
        tally: Tally,
    ) -> "Checkpoint":
        """Copies the current state of a run.

        Raises:
            TypeError: If the optimizer has a state that a checkpoint cannot hold.
        """
        parameters = _parameters(optimizer)
        return cls(
            {name: tensor.detach().clone() for name, tensor in trained.state_dict().items()},
            {
                f"{index}.{name}": tensor
                for index, parameter in enumerate(parameters)
                for name, tensor in _as_tensors(optimizer, parameter).items()
            },
            replace(position),
            replace(tally),
        )

    def restore(self, trained: nn.Module, optimizer: torch.optim.Optimizer) -> Position:
        """Restores the state of a run, except the learning rate, which the caller sets."""
        trained.load_state_dict(self.trained)
        # `load_state_dict` would convert all tensors to the dtype of the parameter.
        optimizer.state.clear()
        optimizer.state.update(_states(self.optimizer, optimizer))
        return replace(self.position)

    def save(self, path: Path, identity: dict[str, Any], settings: Mapping[str, Any]) -> None:
        """Writes a file atomically.

        Args:
            path: Checkpoint file.
            identity: JSON values that must be equal in a run that resumes from this file.
            settings: JSON values that `read_settings` returns.
        """
        tensors = {f"trained.{name}": tensor for name, tensor in self.trained.items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in self.optimizer.items()}
        header = {
            "format": FORMAT_VERSION,
            "kind": "checkpoint",
            "position": asdict(self.position),
            "tally": asdict(self.tally),
            "identity": identity,
            "settings": dict(settings),
        }
        write_sealed(path, tensors, header)

    @classmethod
    def load(
        cls,
        path: Path,
        identity: dict[str, Any],
        trained: nn.Module,
        optimizer: torch.optim.Optimizer,
    ) -> "Checkpoint":
        """Reads a file and checks that it belongs to this run; nothing is changed yet.

        Raises:
            FieldFileError: If the file is damaged, or comes from another input or other settings.
        """
        tensors, header = _read(path)
        for name, value in identity.items():
            if header["identity"].get(name) != value:
                raise FieldFileError(
                    f"{path}: was made with another {name}. Resume with the one it was started "
                    "with, or start anew (--force, or resume=False)."
                )
        parts: dict[str, dict[str, Tensor]] = {"trained": {}, "optimizer": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            if part not in parts:
                raise _damaged(path, f"expected tensors of a checkpoint, got {shortened(name)}.")
            parts[part][rest] = tensor
        if state_shapes(parts["trained"]) != state_shapes(trained.state_dict()):
            raise FieldFileError(f"{path}: its tensors do not fit the field.")
        try:
            position, tally = Position(**header["position"]), Tally(**header["tally"])
            position.check()
            tally.check()
            for parameter, state in _states(parts["optimizer"], optimizer).items():
                _check_state(optimizer, parameter, state)
        except _DAMAGE as error:
            raise _damaged(path, str(error)) from error
        return cls(parts["trained"], parts["optimizer"], position, tally)


def _damaged(path: Path, reason: str) -> FieldFileError:
    return FieldFileError(
        f"{path}: the checkpoint is damaged: {printable(reason, 500)} Start anew with --force."
    )


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _states(
    tensors: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
) -> dict[Tensor, dict[str, Any]]:
    """The state of each parameter of an optimizer, from tensors of a checkpoint."""
    parameters = _parameters(optimizer)
    saved: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, rest = name.partition(".")
        check_count("optimizer", low=0, high=len(parameters) - 1, parameter=int(index))
        saved.setdefault(int(index), {})[rest] = tensor
    return {
        parameters[index]: _from_tensors(given, parameters[index].device)
        for index, given in saved.items()
    }


def _check_state(
    optimizer: torch.optim.Optimizer, parameter: Tensor, state: dict[str, Any]
) -> None:
    """Checks the state of a parameter, before an optimizer fails with it.

    The tensors of torch's optimizers and ours have the shape of the parameter, are constant along
    some of its axes, or are vectors over all parameters. Other optimizers may keep any tensors.
    """
    if isinstance(optimizer, Adam) and state.keys() != {"step", "mean", "square"}:
        raise ValueError(f"Adam: expected step, mean and square, got {shortened(sorted(state))}.")
    if not type(optimizer).__module__.startswith(("torch.optim.", "neurafield.")):
        return
    size = sum(p.numel() for p in _parameters(optimizer))
    for key, value in state.items():
        for tensor in value if isinstance(value, list) else [value]:
            if not isinstance(tensor, Tensor) or tensor.numel() == 1:
                continue
            if key == "step":
                raise ValueError(f"optimizer: expected one step, got {tensor.numel()}.")
            if tensor.shape != (size,):
                # It raises an error for other shapes.
                tensor.expand(parameter.shape)
            if tensor.dtype != parameter.dtype:
                raise TypeError(
                    f"optimizer: expected {shortened(key)} of {parameter.dtype}, got "
                    f"{tensor.dtype}."
                )
    if isinstance(optimizer, Adam):
        for name in ("mean", "square"):
            if state[name].shape != parameter.shape:
                raise ValueError(
                    f"Adam: expected {name} of shape {tuple(parameter.shape)}, got "
                    f"{tuple(state[name].shape)}."
                )


def _as_tensors(optimizer: torch.optim.Optimizer, parameter: Tensor) -> dict[str, Tensor]:
    """An optimizer's state of one parameter: tensors, scalars (`name#`), lists (`name#0`, ...)."""
    found = {}
    for key, value in optimizer.state.get(parameter, {}).items():
        if isinstance(optimizer, torch.optim.LBFGS) and key == "al":
            # A list of floats that each step computes anew.
            continue
        if isinstance(value, Tensor):
            found[key] = value.detach().clone()
        elif isinstance(value, int | float):
            found[f"{key}#"] = torch.tensor(value, dtype=_dtype(value))
        elif isinstance(value, list) and all(isinstance(part, Tensor) for part in value):
            found |= {f"{key}#{index}": part.clone() for index, part in enumerate(value)}
            found |= {} if value else {f"{key}#": torch.empty(0)}
        else:
            raise TypeError(
                f"{type(optimizer).__name__}: expected a state of tensors, numbers and lists of "
                f"tensors, got {type(value).__name__} for {key!r}. A checkpoint cannot hold it, so "
                "a resumed run would differ. Keep it as tensors."
            )
    return found


def _dtype(value: float) -> torch.dtype:
    if isinstance(value, bool):
        return torch.bool
    return torch.int64 if isinstance(value, int) else torch.float64


def _from_tensors(tensors: dict[str, Tensor], device: torch.device) -> dict[str, Any]:
    state: dict[str, Any] = {}
    lists: dict[str, dict[int, Tensor]] = {}
    for name, tensor in tensors.items():
        key, mark, index = name.partition("#")
        if mark and not index:
            state[key] = tensor.item() if tensor.numel() else []
            continue
        # Optimizers keep their counters on the CPU.
        copied = tensor.clone().to(device if tensor.ndim else "cpu")
        if index:
            lists.setdefault(key, {})[int(index)] = copied
        else:
            state[key] = copied
    return state | {key: [parts[k] for k in sorted(parts)] for key, parts in lists.items()}


def read_settings(path: Path) -> dict[str, Any]:
    """Settings that the run of a checkpoint was started with.

    Raises:
        FieldFileError: If the file is damaged or not a checkpoint.
    """
    settings: dict[str, Any] = _read(path)[1]["settings"]
    return settings


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        tensors, header = read_sealed(path)
    except FieldFileError as error:
        raise FieldFileError(f"{error} Or start anew, with --force.") from error
    parts = (header.get(name) for name in ("position", "tally", "identity", "settings"))
    if (
        header.get("kind") != "checkpoint"
        or header.get("format") != FORMAT_VERSION
        or not all(isinstance(part, dict) for part in parts)
        or header["position"].keys() != {field.name for field in fields(Position)}
        or header["tally"].keys() != {field.name for field in fields(Tally)}
    ):
        raise FieldFileError(
            f"{path}: expected a checkpoint of this version. Start anew with --force."
        )
    return tensors, header
