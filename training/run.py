"""A run's folder: its configuration, its progress and its checkpoint, so that it can be resumed.

RUN/run.json                 configuration, products and data, written once
RUN/state.json               stage, step and seconds spent
RUN/checkpoint.safetensors   weights and optimiser state
RUN/cache/                   frozen features of the synthetic pictures
RUN/bundle/                  the result
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn, optim

from engine.types import InputError
from training.config import TrainConfig


class RunSpec(BaseModel):
    """What a run is: two runs with the same specification may resume one another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: TrainConfig
    data: Path
    products: tuple[str, ...]
    backbone_weights: Path | None
    clip_weights: Path | None
    clip_model: str | None


@dataclass(frozen=True, slots=True)
class State:
    """How far a run has come."""

    stage: str = "cache"
    step: int = 0
    seconds: float = 0.0
    stage_began: float = 0.0
    cached: int = 0


class Run:
    """The folder of one run. Entering it starts the clock where the last sitting stopped it."""

    def __init__(
        self, folder: Path, spec: RunSpec, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder, self.spec, self._clock = folder, spec, clock
        self.state = self._read_state()
        self._started = clock() - self.state.seconds

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def seconds(self) -> float:
        """Seconds spent on this run, earlier sittings included."""
        return self._clock() - self._started

    def share_spent(self) -> float:
        """Share of the minutes allowed that is spent; may pass 1."""
        return self.seconds / self._allowed

    def share_at_stage_start(self) -> float:
        """:meth:`share_spent` when the present stage began, in whichever sitting that was."""
        return self.state.stage_began / self._allowed

    def advance(self, stage: str, step: int) -> None:
        """Remember stage and step, whole or not at all."""
        now = self.seconds
        began = self.state.stage_began if stage == self.state.stage else now
        cached = step if stage == "cache" else self.state.cached
        self.state = State(stage, step, now, began, cached)
        _write_text(self.folder / "state.json", json.dumps(asdict(self.state)))

    def save(self, model: nn.Module, optimiser: optim.Optimizer, stage: str, step: int) -> None:
        """Checkpoint weights and optimiser, then the state that points at them."""
        tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
        tensors |= _flatten(optimiser)
        part = self.folder / "checkpoint.safetensors.part"
        save_file({k: v.contiguous() for k, v in tensors.items()}, part)
        part.replace(self._checkpoint)
        self.advance(stage, step)

    def restore(self, model: nn.Module, optimiser: optim.Optimizer | None) -> None:
        """Weights, and the optimiser's state if one is given, from the checkpoint."""
        if not self._checkpoint.is_file():
            return
        tensors = load_file(self._checkpoint)
        prefix = "model."
        model.load_state_dict(
            {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        )
        if optimiser is not None:
            _unflatten(optimiser, tensors)

    @property
    def _allowed(self) -> float:
        return 60 * self.spec.config.minutes

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    def _read_state(self) -> State:
        path = self.folder / "state.json"
        return State(**json.loads(path.read_text("utf-8"))) if path.is_file() else State()


def open_run(folder: Path, spec: RunSpec) -> Run:
    """A new run, or the one already there if it was started with the same specification."""
    path = folder / "run.json"
    if path.is_file():
        _refuse_other(path, spec)
    elif folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty and holds no run: give a new folder with --out.")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        _write_text(path, spec.model_dump_json(indent=2))
    return Run(folder, spec)


def _refuse_other(path: Path, spec: RunSpec) -> None:
    try:
        there = RunSpec.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(f"{path} is damaged: start a new run with another --out.") from error
    ours, theirs = spec.model_dump(mode="json"), there.model_dump(mode="json")
    changed = [k for k in _leaves(ours) if _leaves(ours)[k] != _leaves(theirs).get(k)]
    if changed:
        raise InputError(
            f"{path.parent} holds a run with another {', '.join(changed)}: "
            "resume it with the same options, or give a new --out."
        )


def _leaves(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        nested = isinstance(value, dict)
        flat |= _leaves(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return flat


def _flatten(optimiser: optim.Optimizer) -> dict[str, Tensor]:
    per_parameter = optimiser.state_dict()["state"]
    return {f"optim.{i}.{k}": v for i, s in per_parameter.items() for k, v in s.items()}


def _unflatten(optimiser: optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optim."):
            _, index, name = key.split(".")
            state.setdefault(int(index), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _write_text(path: Path, text: str) -> None:
    part = path.with_suffix(path.suffix + ".part")
    part.write_text(text, "utf-8")
    part.replace(path)
