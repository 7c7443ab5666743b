"""Several processes train what one would."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from engine.types import InputError
from tests.training.micro import CONFIG, write_goods, write_weights
from training.config import CONFIGS
from training.processes import launched
from training.run import load_tensors, open_run
from training.spec import make_spec
from training.train import train

ROOT = Path(__file__).parents[2]
TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def _train_by_two(data: Path, out: Path, weights: Path) -> str:
    call = [sys.executable, *TWO, "-m", "tests.training.micro_cli", "train"]
    options = ["--data", data, "--out", out, "--config", "micro", "--backbone-weights", weights]
    done = subprocess.run(
        [*call, *map(str, options)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _train_here(data: Path, out: Path, weights: Path, patch: pytest.MonkeyPatch) -> None:
    """The same in this process, up to the bundle, which is not looked at."""
    patch.setattr("training.fit.LOG_EVERY", 1)
    patch.setattr("training.train.export_bundle", lambda *_: None)
    patch.setitem(CONFIGS, "micro", CONFIG)
    spec = make_spec("train", data, ["strip"], "micro", backbone_weights=weights)
    train(open_run(out, spec), lambda *_: None)


def _losses(run: Path, stage: str) -> list[float]:
    log = EventAccumulator(str(run / "log" / stage)).Reload()
    return [e.value for e in log.Scalars("loss")]


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun's rendezvous needs libuv there")
def test_two_processes_share_the_batches_and_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_goods(tmp_path / "data", "strip", 12)
    weights = write_weights(tmp_path / "trunk.safetensors")
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    _train_here(data, alone, weights, monkeypatch)
    said = _train_by_two(data, shared, weights)
    assert said.count(str(shared / "bundle")) == 1  # one of them says so, once

    curve = _losses(alone, "segmentor")
    assert len(curve) == CONFIG.segmentor_steps
    assert _losses(shared, "segmentor") == pytest.approx(curve, rel=1e-4)
    tensors = [load_tensors(run / "checkpoint.safetensors")[0] for run in (alone, shared)]
    learnt = [k for k in tensors[0] if k.startswith(("model.segmentor", "model.reconstructor"))]
    for key in learnt:
        torch.testing.assert_close(tensors[1][key], tensors[0][key], atol=1e-4, rtol=1e-3)
    assert (shared / "bundle" / "SHA256SUMS").is_file()


def test_a_batch_that_cannot_be_shared_evenly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(InputError, match="A batch of 4 cannot be shared by 3 processes"):
        launched(CONFIG)
