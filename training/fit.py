"""One training stage: batches, AdamW, cosine, checkpoints, and a clock."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn, optim

from engine.types import InputError
from training.average import Average
from training.plateau import Plateau
from training.processes import launched
from training.report import Report
from training.run import Run
from training.seeds import stream, torch_stream
from training.tracking import log_of

CHECKPOINT_EVERY = 200
LOG_EVERY = 10
WARM_UP = 0.05

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
    batches: Callable[[Iterator[np.random.Generator]], Iterator[Batch]],
    run: Run,
    steps: int,
    until_share: float,
    report: Report,
    ema: float = 0.0,
    fabric: Fabric | None = None,
) -> None:
    """Train one stage for ``steps`` or until ``until_share`` of the run's time is spent.

    The learning rate follows whichever is further on, so a stage that runs out of time has still
    cooled down; one whose training loss has stopped falling (``patience`` of the configuration)
    ends before. It ends on the average of its weights, of decay ``ema``. ``batches`` gets a
    generator for each step to come and gives its batch, and may look ahead. Every step has its own
    seed, so a resumed stage sees what it would have seen. A loss or gradient that is no number
    ends the run before it touches a weight; a stage that gets no step at all is refused: both are
    :class:`InputError`.

    Of several processes each draws its own share of a batch, and rank 0's clock counts.
    """
    config = run.spec.config
    fabric = fabric or launched(config)
    parameters = list(stage.parameters(model))
    optimiser = optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
    if run.state.stage != stage.name:
        run.advance(stage.name, 0)
    average, plateau = Average(parameters, ema), Plateau(config.patience)
    step = run.restore(model, optimiser, stage.name, average, plateau)
    began = run.share_at_stage_start()
    module, optimiser = fabric.setup(_Asked(model), optimiser)
    source = batches(stream(config.seed, stage.name, i) for i in count(step))
    with log_of(run, stage.name) as log:
        while (
            not plateau.reached
            and (progress := fabric.broadcast(_progress(step / steps, began, until_share, run))) < 1
        ):
            rate = config.learning_rate * schedule(progress)
            _set_rate(optimiser, rate)
            batch = next(source)
            generator = torch_stream(config.seed, f"{stage.name} noise", step, fabric.global_rank)
            loss = module(partial(stage.loss, batch=batch, generator=generator))
            optimiser.zero_grad()
            fabric.backward(loss)
            norm = nn.utils.clip_grad_norm_(parameters, config.gradient_clip)
            value = _finite(_mean_of_all(fabric, loss), norm, stage.name, step, run)
            optimiser.step()
            average.update(step)
            plateau.update(value, warm=progress >= WARM_UP)
            report(f"training the {stage.name}", progress, f"loss {plateau.loss:.4f}")
            if step % LOG_EVERY == 0:
                log.log_metrics({"loss": value, "gradient": norm.item(), "rate": rate}, step)
            step += 1
            if step % CHECKPOINT_EVERY == 0:
                run.save(model, optimiser, stage.name, step, average, plateau)
    if step == 0:
        raise InputError(
            f"No time was left to train the {stage.name}: allow more --minutes in a new --out."
        )
    average.settle()
    run.save(model, optimiser, stage.name, step, average, plateau)
    fabric.barrier()  # the next stage begins from this checkpoint, in every process


class _Asked(nn.Module):
    """Whatever is asked of a model, as a forward pass: where precision and processes come in.

    The question is a closure, since Fabric and DDP would take a batch apart to convert it.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, question: Callable[[Any], Tensor]) -> Tensor:
        return question(self.model)


def schedule(progress: float) -> float:
    """Linear warm-up, then cosine to zero; ``progress`` in [0, 1]."""
    if progress < WARM_UP:
        return min(1.0, (progress + 1e-3) / WARM_UP)
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def _progress(steps_done: float, began: float, until: float, run: Run) -> float:
    """Share of the stage that is done, by steps or by time, whichever is further on."""
    if began >= until:  # the stages before took all there was
        return 1.0
    return max(steps_done, (run.share_spent() - began) / (until - began))


def _set_rate(optimiser: optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def _mean_of_all(fabric: Fabric, loss: Tensor) -> Tensor:
    mean = fabric.all_reduce(loss.detach(), reduce_op="mean")
    assert isinstance(mean, Tensor)
    return mean


def _finite(loss: Tensor, norm: Tensor, stage: str, step: int, run: Run) -> float:
    value = loss.detach().item()
    if not (math.isfinite(value) and math.isfinite(norm.item())):
        raise InputError(
            f"The loss became {value} (gradient {norm.item()}) in stage {stage}, step {step}: the "
            f"last good checkpoint is kept in {run.folder}; train again with another --seed in a "
            "new --out."
        )
    return value
