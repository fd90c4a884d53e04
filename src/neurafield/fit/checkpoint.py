"""Checkpoints: the state from which a run continues as if it had never stopped."""

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
_DTYPES = {bool: torch.int64, int: torch.int64, float: torch.float64}


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
            check_count("Checkpointing", every=self.every, high=2**40)


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
        """Copies the current state of a run."""
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
        """Restores the state of a run, except the learning rate, which the caller sets."""
        trained.load_state_dict(self.trained)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        saved: dict[int, dict[str, Tensor]] = {}
        for name, tensor in self.optimizer.items():
            index, rest = name.split(".", 1)
            saved.setdefault(int(index), {})[rest] = tensor
        # `load_state_dict` would convert all tensors to the dtype of the parameter.
        optimizer.state.clear()
        for parameter_index, tensors in saved.items():
            parameter = parameters[parameter_index]
            optimizer.state[parameter] = _from_tensors(tensors, parameter.device)
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
    def load(cls, path: Path, identity: dict[str, Any], trained: nn.Module) -> "Checkpoint":
        """Reads a file and checks that it belongs to this run.

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
            parts.get(part, {})[rest] = tensor
        if state_shapes(parts["trained"]) != state_shapes(trained.state_dict()):
            raise FieldFileError(f"{path}: its tensors do not fit the field.")
        position, tally = Position(**header["position"]), Tally(**header["tally"])
        return cls(parts["trained"], parts["optimizer"], position, tally)


def _as_tensors(state: dict[str, Any]) -> dict[str, Tensor]:
    """An optimizer's state of one parameter: tensors, scalars (`name#`), lists (`name#0`, ...)."""
    found = {}
    for key, value in state.items():
        if isinstance(value, Tensor):
            found[key] = value.detach().clone()
        elif isinstance(value, int | float):
            found[f"{key}#"] = torch.tensor(value, dtype=_DTYPES[type(value)])
        elif isinstance(value, list) and all(isinstance(part, Tensor) for part in value):
            found |= {f"{key}#{index}": part.clone() for index, part in enumerate(value)}
            found |= {} if value else {f"{key}#": torch.empty(0)}
        # Anything else is not needed: L-BFGS keeps a list of floats that each step recomputes.
    return found


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
