"""Runs are resumed, not repeated, and refuse to be mixed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn, optim

from engine.types import InputError
from tests.training.micro import CONFIG
from training.fit import fit, schedule
from training.processes import precision_here
from training.run import Run, open_run
from training.spec import RunSpec


def spec(**changes: object) -> RunSpec:
    config = CONFIG.model_copy(update=changes)
    return RunSpec(
        kind="train", config=config, data=Path("data"), data_sha256="0" * 64, products=("a",)
    )


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 1)


class FitLine:
    """A stage that fits a line; stands still after ``stop_at`` batches to be interrupted."""

    name = "line"

    def __init__(self, stop_at: int | None = None, poison_at: int | None = None) -> None:
        self.stop_at, self.poison_at, self.seen = stop_at, poison_at, 0

    def parameters(self, model: Line) -> Iterator[nn.Parameter]:
        return model.parameters()

    def loss(self, model: Line, batch: Tensor, generator: torch.Generator) -> Tensor:
        if self.seen == self.stop_at:
            raise KeyboardInterrupt
        self.seen += 1
        noise = 0.01 * torch.randn(len(batch), 1, generator=generator)
        loss = (model.layer(batch) - batch.sum(1, keepdim=True) + noise).square().mean()
        return loss * (torch.nan if self.seen == self.poison_at else 1.0)


def _drawn(rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.normal(size=(8, 3)).astype(np.float32))


def draw(rngs: Iterator[np.random.Generator]) -> Iterator[Tensor]:
    return map(_drawn, rngs)


def report(what: str, share: float, note: str) -> None:
    """Nobody watches."""


def weights(model: Line) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_a_killed_and_resumed_stage_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.fit.CHECKPOINT_EVERY", 5)
    whole = Line()
    fit(FitLine(), whole, draw, open_run(tmp_path / "whole", spec()), 20, 1.0, report, 0.9)

    killed, cut = Line(), open_run(tmp_path / "cut", spec())
    with pytest.raises(KeyboardInterrupt):
        fit(FitLine(stop_at=13), killed, draw, cut, 20, 1.0, report, 0.9)
    again, resumed, stage = open_run(tmp_path / "cut", spec()), Line(), FitLine()
    assert (again.state.stage, again.state.step) == ("line", 10)
    fit(stage, resumed, draw, again, 20, 1.0, report, 0.9)
    assert stage.seen == 10
    torch.testing.assert_close(weights(resumed), weights(whole), atol=1e-6, rtol=1e-6)
    assert (weights(resumed) - weights(killed)).abs().max() > 1e-4


def test_a_stage_that_no_longer_learns_ends_early(tmp_path: Path) -> None:
    run, patient = open_run(tmp_path / "early", spec(patience=60)), FitLine()
    fit(patient, Line(), draw, run, 5000, 1.0, report)
    assert 100 < patient.seen < 4000
    other = FitLine()
    fit(other, Line(), draw, open_run(tmp_path / "whole", spec()), 600, 1.0, report)
    assert other.seen == 600


def test_patience_is_remembered_over_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.fit.CHECKPOINT_EVERY", 5)
    settings = spec(patience=60)
    whole = FitLine()
    fit(whole, Line(), draw, open_run(tmp_path / "whole", settings), 5000, 1.0, report)
    cut, model = FitLine(stop_at=whole.seen - 12), Line()
    with pytest.raises(KeyboardInterrupt):
        fit(cut, model, draw, open_run(tmp_path / "cut", settings), 5000, 1.0, report)
    rest = FitLine()
    fit(rest, Line(), draw, open_run(tmp_path / "cut", settings), 5000, 1.0, report)
    done = (whole.seen - 12) // 5 * 5
    assert done + rest.seen == whole.seen
    again, model = FitLine(), Line()  # a run killed after the stage takes no further step
    fit(again, model, draw, open_run(tmp_path / "cut", settings), 5000, 1.0, report)
    assert again.seen == 0


def test_a_stage_ends_on_the_average_of_its_weights(tmp_path: Path) -> None:
    """By hand: the weights of every step of a plain run, averaged."""
    steps: list[Tensor] = []

    class Watched(FitLine):
        def loss(self, model: Line, batch: Tensor, generator: torch.Generator) -> Tensor:
            steps.append(weights(model))
            return super().loss(model, batch, generator)

    plain, averaged = Line(), Line()
    fit(Watched(), plain, draw, open_run(tmp_path / "plain", spec()), 12, 1.0, report)
    fit(FitLine(), averaged, draw, open_run(tmp_path / "mean", spec()), 12, 1.0, report, 0.5)
    mean = steps[0]
    for step, now in enumerate([*steps[1:], weights(plain)]):
        decay = min(0.5, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * now
    torch.testing.assert_close(weights(averaged), mean)
    assert (weights(averaged) - weights(plain)).abs().max() > 1e-5


def test_losses_are_taken_in_the_precision_asked_for(tmp_path: Path) -> None:
    """With a batch like the model's own, which is no tensor."""

    @dataclass(frozen=True)
    class Rows:
        values: Tensor

    seen = []

    class FitRows(FitLine):
        def loss(self, model: Line, batch: Rows, generator: torch.Generator) -> Tensor:
            seen.append(model.layer(batch.values).dtype)
            return super().loss(model, batch.values, generator)

    for precision in ("bf16-mixed", "32-true"):
        run = open_run(tmp_path / precision, spec(precision=precision))
        fit(FitRows(), Line(), lambda rngs: map(Rows, draw(rngs)), run, 2, 1.0, report)
    assert seen == 2 * [torch.bfloat16] + 2 * [torch.float32]


def test_a_stage_can_be_followed_on_tensorboard(tmp_path: Path) -> None:
    fit(FitLine(), Line(), draw, open_run(tmp_path, spec()), 41, 1.0, report)
    log = EventAccumulator(str(tmp_path / "log" / "line")).Reload()
    assert [e.step for e in log.Scalars("loss")] == [0, 10, 20, 30, 40]
    rates = [e.value for e in log.Scalars("rate")]
    assert rates[1:] == sorted(rates[1:], reverse=True)  # warmed up, then cooling
    assert all(e.value > 0 for e in log.Scalars("gradient"))


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.fit.CHECKPOINT_EVERY", 4)
    run = open_run(tmp_path / "run", spec())
    with pytest.raises(InputError, match=r"became nan .* in stage line, step 9"):
        fit(FitLine(poison_at=10), Line(), draw, run, 20, 1.0, report)
    kept = Line()
    fresh = optim.AdamW(kept.parameters())
    assert open_run(tmp_path / "run", spec()).restore(kept, fresh, "line") == 8
    assert torch.isfinite(weights(kept)).all()
    assert run.state.step == 8


def test_a_gradient_that_is_no_number_never_reaches_the_weights(tmp_path: Path) -> None:
    class Root(FitLine):
        def loss(self, model: Line, batch: Tensor, generator: torch.Generator) -> Tensor:
            return (model.layer.weight * 0).abs().sqrt().sum()  # 0, with a slope of 0 · infinity

    model = Line()
    before = weights(model)
    with pytest.raises(InputError, match="gradient nan"):
        fit(Root(), model, draw, open_run(tmp_path / "run", spec()), 5, 1.0, report)
    torch.testing.assert_close(weights(model), before)


def test_a_stage_without_a_single_step_is_refused(tmp_path: Path) -> None:
    run = open_run(tmp_path / "run", spec())
    with pytest.raises(InputError, match="No time was left to train the line"):
        fit(FitLine(), Line(), draw, run, 20, 0.0, report)


def test_a_lost_or_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    run, model = open_run(tmp_path / "run", spec()), Line()
    optimiser = optim.AdamW(model.parameters())
    run.save(model, optimiser, "line", 3)
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:40])
    with pytest.raises(InputError, match="is damaged"):
        open_run(tmp_path / "run", spec()).restore(model, optimiser, "line")
    checkpoint.unlink()
    with pytest.raises(InputError, match="has lost its checkpoint"):
        open_run(tmp_path / "run", spec()).restore(model, optimiser, "line")


def test_a_checkpoint_of_another_model_is_told(tmp_path: Path) -> None:
    run, model = open_run(tmp_path / "run", spec()), Line()
    run.save(model, optim.AdamW(model.parameters()), "line", 3)
    model.layer = nn.Linear(4, 1)  # as a later version may have it
    with pytest.raises(InputError, match="begun by another version"):
        run.restore(model, optim.AdamW(model.parameters()), "line")


def test_a_run_that_never_began_may_be_asked_for_otherwise(tmp_path: Path) -> None:
    """The mend of a wrong option is the right option, in the same folder."""
    open_run(tmp_path / "run", spec())
    assert open_run(tmp_path / "run", spec(seed=7)).spec.config.seed == 7


def test_a_stage_ends_when_its_share_of_the_time_is_spent(tmp_path: Path) -> None:
    now = iter(np.arange(0, 1e6, 3.0))  # every look at the clock, three seconds have gone
    open_run(tmp_path / "run", spec(minutes=1.0))
    run = Run(tmp_path / "run", spec(minutes=1.0), lambda: float(next(now)))
    stage = FitLine()
    fit(stage, Line(), draw, run, 10_000, 0.5, report)
    assert 1 <= stage.seen < 30


def test_the_clock_goes_on_from_the_last_sitting(tmp_path: Path) -> None:
    first = Run(open_run(tmp_path / "run", spec()).folder, spec(), iter([0.0, 50.0]).__next__)
    first.advance("cache", 3)
    second = Run(first.folder, spec(), iter([1000.0, 1010.0]).__next__)
    assert second.seconds == pytest.approx(60.0)
    assert (second.state.stage, second.state.cached) == ("cache", 3)


def test_a_run_is_not_resumed_with_other_options(tmp_path: Path) -> None:
    open_run(tmp_path / "run", spec()).advance("cache", 8)
    with pytest.raises(InputError, match=r"another config\.seed"):
        open_run(tmp_path / "run", spec(seed=7))


def test_what_a_run_fitted_before_its_first_checkpoint_is_not_another_runs(tmp_path: Path) -> None:
    open_run(tmp_path / "run", spec())
    (tmp_path / "run" / "prepared.safetensors").touch()
    with pytest.raises(InputError, match=r"holds a run with another config\.seed"):
        open_run(tmp_path / "run", spec(seed=9))


def test_only_what_is_there_can_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run to go on with"):
        open_run(tmp_path / "run", spec(), resume=True)
    assert not (tmp_path / "run").exists()
    open_run(tmp_path / "run", spec()).advance("cache", 3)
    assert open_run(tmp_path / "run", spec(), resume=True).state.cached == 3


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(InputError, match="is a file: give a new folder"):
        open_run(tmp_path / "run", spec())


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="is not empty and holds no run"):
        open_run(tmp_path, spec())
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_optimiser_state_survives_the_checkpoint(tmp_path: Path) -> None:
    run, model = open_run(tmp_path / "run", spec()), Line()
    optimiser = optim.AdamW(model.parameters(), lr=0.1)
    model.layer(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    run.save(model, optimiser, "line", 1)
    other = Line()
    fresh = optim.AdamW(other.parameters(), lr=0.1)
    assert run.restore(other, fresh, "line") == 1
    for ours, theirs in zip(
        optimiser.state_dict()["state"].values(), fresh.state_dict()["state"].values(), strict=True
    ):
        assert ours.keys() == theirs.keys()
        for key in ours:
            torch.testing.assert_close(ours[key], theirs[key])


@pytest.mark.parametrize(
    ("has", "chosen"),
    [({}, "32-true"), ({"avx512_bf16": True}, "bf16-mixed"), ({"amx_bf16": True}, "bf16-mixed")],
)
def test_bf16_is_for_cpus_that_have_it(has: dict, chosen: str, monkeypatch) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: has)
    assert precision_here("auto") == chosen
    assert precision_here("bf16-mixed") == "bf16-mixed"


def test_the_rate_warms_up_and_cools_down() -> None:
    rates = [schedule(p) for p in (0.0, 0.025, 0.05, 0.5, 1.0)]
    assert rates[0] < rates[1] < rates[2] == pytest.approx(1.0)
    assert rates[2] > rates[3] > rates[4] == pytest.approx(0.0)
