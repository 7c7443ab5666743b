"""One training stage: batches, AdamW, cosine, checkpoints, and a clock."""

import math
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn, optim

from engine.types import InputError
from training.run import Run
from training.seeds import stream

CHECKPOINT_EVERY = 200
WARM_UP = 0.05
Report = Callable[[str, float, str], None]
"""(what is being done, share done in [0, 1], a short note such as the loss)."""

Model = TypeVar("Model", bound=nn.Module, contravariant=True)
Batch = TypeVar("Batch", contravariant=True)


class Stage(Protocol[Model, Batch]):
    """What a stage optimises, and which weights move."""

    @property
    def name(self) -> str: ...

    def parameters(self, model: Model) -> Iterator[nn.Parameter]: ...

    def loss(self, model: Model, batch: Batch, generator: torch.Generator) -> Tensor: ...


def fit(
    stage: Stage[Model, Batch],
    model: Model,
    draw: Callable[[np.random.Generator], Batch],
    run: Run,
    steps: int,
    until_share: float,
    report: Report,
) -> None:
    """Train one stage for ``steps`` or until ``until_share`` of the run's time is spent.

    The learning rate follows whichever is further on, so a stage that runs out of time has still
    cooled down. Every step draws from its own seed, so a resumed stage sees what it would have
    seen. A loss that is not a number ends the run with the last good checkpoint kept.
    """
    config = run.spec.config
    fabric = Fabric(accelerator="cpu", devices=1, precision=config.precision)
    parameters = list(stage.parameters(model))
    optimiser = optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
    step = _resume(stage.name, model, optimiser, run)
    began, smooth = run.share_at_stage_start(), math.nan
    while (progress := _progress(step / steps, began, until_share, run)) < 1:
        _set_rate(optimiser, config.learning_rate * schedule(progress))
        rng = stream(config.seed, stage.name, step)
        batch, generator = draw(rng), torch.Generator().manual_seed(int(rng.integers(2**31)))
        with fabric.autocast():
            loss = stage.loss(model, batch, generator)
        value = _finite(loss, stage.name, step, run)
        _descend(loss, optimiser, parameters, config.gradient_clip)
        smooth = value if math.isnan(smooth) else 0.98 * smooth + 0.02 * value
        report(f"training the {stage.name}", progress, f"loss {smooth:.4f}")
        step += 1
        if step % CHECKPOINT_EVERY == 0:
            run.save(model, optimiser, stage.name, step)
    run.save(model, optimiser, stage.name, step)


def schedule(progress: float) -> float:
    """Linear warm-up, then cosine to zero; ``progress`` in [0, 1]."""
    if progress < WARM_UP:
        return (progress + 1e-3) / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def _progress(steps_done: float, began: float, until: float, run: Run) -> float:
    return max(steps_done, (run.share_spent() - began) / max(1e-6, until - began))


def _descend(
    loss: Tensor, optimiser: optim.Optimizer, parameters: list[nn.Parameter], clip: float
) -> None:
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, clip)
    optimiser.step()


def _resume(stage: str, model: nn.Module, optimiser: optim.Optimizer, run: Run) -> int:
    if run.state.stage != stage:
        run.advance(stage, 0)
    run.restore(model, optimiser if run.state.step else None)
    return run.state.step


def _set_rate(optimiser: optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def _finite(loss: Tensor, stage: str, step: int, run: Run) -> float:
    value = loss.detach().item()
    if not math.isfinite(value):
        raise InputError(
            f"The loss became {value} in stage {stage}, step {step}: the last good checkpoint is "
            f"kept in {run.folder}; run the same command again to go on from it."
        )
    return value
