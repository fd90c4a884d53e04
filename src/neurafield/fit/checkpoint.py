"""Checkpoints: what a run needs to continue as if nothing had happened."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .._checks import check_count
from ..container import read_sealed, state_shapes, write_sealed
from ..errors import FieldFileError

FORMAT_VERSION = 3
_NUMBERS = {bool: torch.int64, int: torch.int64, float: torch.float64}


@dataclass(frozen=True, kw_only=True)
class Checkpointing:
    """Where and how often a run is saved, so that it survives a crash.

    Args:
        path: Checkpoint file; None to keep checkpoints in memory only, for roll-backs.
        every: Steps between checkpoints; None for 50, or more for a field of over a million
            parameters, so that they stay cheap.
        resume: Whether to continue from `path` if it exists.
        settings: JSON values kept in the checkpoint for whoever resumes (`read_settings`).

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
            check_count("Checkpointing", every=self.every, high=2**40)


@dataclass
class Position:
    """Where a run stands; a roll-back returns to an earlier one.

    Args:
        step: Steps done, skipped ones too; the next batch is the one of this number.
        smoothed_mse: Mean squared error of recent batches, or -1 before the first.
        next_check: Step before which the target PSNR is not measured again.
    """

    step: int = 0
    smoothed_mse: float = -1.0
    next_check: int = 0


@dataclass
class Tally:
    """What a run has been through; a roll-back does not undo it.

    Args:
        seconds: Time spent, over all parts of the run.
        lr_factor: Factor on the learning rate, halved at each roll-back.
        bad_in_a_row: Steps skipped since the last good one.
        skipped: Steps skipped in all.
        rollbacks: Returns to a checkpoint.
    """

    seconds: float = 0.0
    lr_factor: float = 1.0
    bad_in_a_row: int = 0
    skipped: int = 0
    rollbacks: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """A copy of a run: what is trained, the state of the optimizer, and the counters.

    Args:
        trained: Tensors of everything that is trained.
        optimizer: Tensors of the optimizer, by the index of the parameter.
        position: Where the run stood.
        tally: What it had been through.
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
        """Copies a run as it stands."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        return cls(
            {name: tensor.detach().clone() for name, tensor in trained.state_dict().items()},
            {
                f"{index}.{name}": tensor
                for index, parameter in enumerate(parameters)
                for name, tensor in _as_tensors(optimizer.state.get(parameter, {})).items()
            },
            replace(position),
            replace(tally),
        )

    def restore(self, trained: nn.Module, optimizer: torch.optim.Optimizer) -> Position:
        """Puts a run back to where this was taken; the learning rate is the caller's to set."""
        trained.load_state_dict(self.trained)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        saved: dict[int, dict[str, Tensor]] = {}
        for name, tensor in self.optimizer.items():
            index, rest = name.split(".", 1)
            saved.setdefault(int(index), {})[rest] = tensor
        # Not by `load_state_dict`, which turns all into the type of the parameter.
        optimizer.state.clear()
        for number, tensors in saved.items():
            parameter = parameters[number]
            optimizer.state[parameter] = _from_tensors(tensors, parameter.device)
        return replace(self.position)

    def save(self, path: Path, identity: dict[str, Any], settings: Mapping[str, Any]) -> None:
        """Writes to a file, all or nothing.

        Args:
            path: Checkpoint file.
            identity: JSON values that must be equal for a run to resume from here.
            settings: JSON values for whoever starts the run again.
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
    def load(cls, path: Path, identity: dict[str, Any], trained: nn.Module) -> "Checkpoint":
        """Reads a file and requires that it belongs to this run.

        Raises:
            FieldFileError: If it is damaged, or was made from another input or with other
                settings.
        """
        tensors, header = _read(path)
        for name, value in identity.items():
            if header["identity"].get(name) != value:
                raise FieldFileError(
                    f"{path}: was made with another {name}. Resume with the one it was started "
                    "with, or start anew with --force."
                )
        parts: dict[str, dict[str, Tensor]] = {"trained": {}, "optimizer": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts.get(part, {})[rest] = tensor
        if state_shapes(parts["trained"]) != state_shapes(trained.state_dict()):
            raise FieldFileError(f"{path}: its tensors do not fit the field.")
        position, tally = Position(**header["position"]), Tally(**header["tally"])
        return cls(parts["trained"], parts["optimizer"], position, tally)


def _as_tensors(state: dict[str, Any]) -> dict[str, Tensor]:
    """An optimizer's state of one parameter: tensors, numbers (`name#`), lists (`name#0`, ...)."""
    found = {}
    for key, value in state.items():
        if isinstance(value, Tensor):
            found[key] = value.detach().clone()
        elif isinstance(value, int | float):
            found[f"{key}#"] = torch.tensor(value, dtype=_NUMBERS[type(value)])
        elif isinstance(value, list) and all(isinstance(part, Tensor) for part in value):
            found |= {f"{key}#{place}": part.clone() for place, part in enumerate(value)}
            found |= {} if value else {f"{key}#": torch.empty(0)}
        # What is left is scratch: L-BFGS keeps a list of numbers that each step computes anew.
    return found


def _from_tensors(tensors: dict[str, Tensor], device: torch.device) -> dict[str, Any]:
    state: dict[str, Any] = {}
    lists: dict[str, dict[int, Tensor]] = {}
    for name, tensor in tensors.items():
        key, mark, place = name.partition("#")
        if mark and not place:
            state[key] = tensor.item() if tensor.numel() else []
            continue
        # Counters stay on the CPU, where optimizers have them.
        copied = tensor.clone().to(device if tensor.ndim else "cpu")
        if place:
            lists.setdefault(key, {})[int(place)] = copied
        else:
            state[key] = copied
    return state | {key: [parts[k] for k in sorted(parts)] for key, parts in lists.items()}


def read_settings(path: Path) -> dict[str, Any]:
    """The settings that a checkpoint's run was started with.

    Raises:
        FieldFileError: If the file is damaged or no checkpoint.
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
