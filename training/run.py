"""A run's folder: its specification, its progress and its checkpoint, so that it can be resumed.

RUN/run.json                 the specification, written once
RUN/state.json               stage, step and seconds spent
RUN/prepared.safetensors     axes and bank, fitted once
RUN/cache/                   frozen features of the synthetic pictures
RUN/checkpoint.safetensors   weights and optimiser, with the stage and step they belong to
RUN/refinement.json          what each number of refinement steps gave, on synthetic damage
RUN/goods.csv                the training goods, the strangest first
RUN/model.safetensors        the finished model, scales included: what a product may be added to
RUN/bundle/                  the result
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn, optim

from engine.files import whole_file
from engine.types import InputError
from training.spec import RunSpec

MODEL, OPTIMISER = "model.", "optim."
STEPS = "steps"
"""In the metadata of a finished model: how many refinement steps it takes."""


@dataclass(frozen=True, slots=True)
class State:
    """How far a run has come; ``cached`` counts the rows of its cache."""

    stage: str = "cache"
    step: int = 0
    seconds: float = 0.0
    stage_began: float = 0.0
    cached: int = 0


class Kept(Protocol):
    """What a stage takes with it into its checkpoint, under names of its own."""

    def state(self) -> Mapping[str, Tensor]: ...

    def load(self, tensors: Mapping[str, Tensor]) -> None: ...


class Run:
    """The folder of one run, with a clock that goes on where the last sitting stopped it.

    Of several processes one ``writes``. ``mlflow`` is where figures go besides TensorBoard, an
    MLflow tracking URI: it decides nothing, and is no part of the specification. Neither is whether
    a CPU ``caches`` features on disk, which takes room and saves time.
    """

    def __init__(
        self, folder: Path, spec: RunSpec, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder, self.spec, self._clock = folder, spec, clock
        self.writes = True
        self.mlflow = ""
        self.caches = True
        self.state = _read_state(folder / "state.json")
        self._started = clock() - self.state.seconds
        self._checkpoint = folder / "checkpoint.safetensors"

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    @property
    def model(self) -> Path:
        return self.folder / "model.safetensors"

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
        self.note("state.json", asdict(self.state))

    def catch_up(self) -> None:
        """Read how far the process that writes has come."""
        self.state = _read_state(self.folder / "state.json")

    def note(self, name: str, said: Mapping[str, object]) -> None:
        """Write a JSON file into the run's folder, whole or not at all."""
        if self.writes:
            _write_text(self.folder / name, json.dumps(said, indent=2))

    def noted(self, name: str) -> dict[str, Any]:
        """What :meth:`note` wrote under that name; empty if nothing."""
        path = self.folder / name
        return json.loads(path.read_text("utf-8")) if path.is_file() else {}

    def save(
        self,
        model: nn.Module,
        optimiser: optim.Optimizer,
        stage: str,
        step: int,
        *kept: Kept,
    ) -> None:
        """Checkpoint weights, optimiser and whatever else is kept, whole or not at all."""
        tensors = {MODEL + k: v for k, v in model.state_dict().items()} | _flatten(optimiser)
        for part in kept:
            tensors |= part.state()
        if self.writes:
            save_tensors(tensors, self._checkpoint, {"stage": stage, "step": str(step)})
        self.advance(stage, step)

    def restore(
        self,
        model: nn.Module,
        optimiser: optim.Optimizer,
        stage: str,
        *kept: Kept,
    ) -> int:
        """Load the checkpoint; returns the step at which ``stage`` goes on.

        A checkpoint of an earlier stage gives its weights and step 0. :class:`InputError` where
        the run has come further than its checkpoint says, or that is damaged or of another model.
        """
        if not self._checkpoint.is_file():
            if self.state.stage != "cache" and self.state.step:
                raise InputError(f"{self.folder} has lost its checkpoint: give a new --out.")
            return 0
        tensors, said = load_tensors(self._checkpoint)
        try:
            model.load_state_dict(_below(MODEL, tensors))
        except RuntimeError as error:  # other layers, or layers of other sizes
            raise InputError(
                f"{self.folder} was begun by another version of this program: give a new --out."
            ) from error
        if said.get("stage") != stage:
            return 0
        _unflatten(optimiser, _below(OPTIMISER, tensors))
        for part in kept:
            part.load(tensors)
        return int(said["step"])

    @property
    def _allowed(self) -> float:
        return 60 * self.spec.config.minutes


def open_run(folder: Path, spec: RunSpec, *, resume: bool = False) -> Run:
    """A new run, or the one already there if it was begun with the same specification.

    :class:`InputError` where it was not, or where there is none to ``resume``.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: give a new folder with --out.")
    path = folder / "run.json"
    begun = folder.is_dir() and any(p.name != path.name for p in folder.iterdir())
    if resume and not (begun and path.is_file()):
        raise InputError(f"{folder} holds no run to go on with: name its folder with --out.")
    if begun and not path.is_file():
        raise InputError(f"{folder} is not empty and holds no run: give a new folder with --out.")
    if begun:
        _refuse_other(path, spec)
    else:
        _write_text(path, spec.model_dump_json(indent=2))
    return Run(folder, spec)


def save_tensors(tensors: Mapping[str, Tensor], path: Path, said: Mapping[str, str]) -> None:
    """Write a safetensors file whole or not at all; a full disk is an :class:`InputError`."""
    with whole_file(path) as part:
        try:
            save_file({k: v.contiguous() for k, v in tensors.items()}, part, dict(said))
        except SafetensorError as error:
            raise InputError(f"{path} cannot be written: {error}; make room.") from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """Tensors, free of the file they came from, and the file's metadata."""
    try:
        with safe_open(path, "pt") as file:
            return {k: file.get_tensor(k).clone() for k in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} is damaged ({error}): give a new --out.") from error


def _read_state(path: Path) -> State:
    if not path.is_file():
        return State()
    try:
        return State(**json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}): give a new --out.") from error


def _refuse_other(path: Path, spec: RunSpec) -> None:
    try:
        there = RunSpec.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(f"{path} is damaged: give a new --out.") from error
    ours, theirs = (leaves(s.model_dump(mode="json")) for s in (spec, there))
    changed = sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k))
    if changed:
        raise InputError(
            f"{path.parent} holds a run with another {', '.join(changed)}: "
            "resume it with the same options and files, or give a new --out."
        )


def leaves(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A tree of settings as one level: ``{"model.width": 96, …}``."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        nested = isinstance(value, dict)
        flat |= leaves(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return flat


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _flatten(optimiser: optim.Optimizer) -> dict[str, Tensor]:
    per_parameter = optimiser.state_dict()["state"]
    return {f"{OPTIMISER}{i}.{k}": v for i, s in per_parameter.items() for k, v in s.items()}


def _unflatten(optimiser: optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _write_text(path: Path, text: str) -> None:
    with whole_file(path) as part:
        part.write_text(text, "utf-8")
