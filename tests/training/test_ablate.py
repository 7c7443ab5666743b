"""benchmarks/ablate.py on a small run: what a row is of, and that nothing is trained twice."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.micro import CONFIG, write_goods, write_weights
from training.config import CONFIGS, FAMILIES, TrainConfig, config_named, over
from training.run import open_run
from training.spec import make_spec
from training.train import train

ABLATE = Path(__file__).resolve().parents[2] / "benchmarks" / "ablate.py"
PUBLISHED = TrainConfig.model_validate(over(CONFIG.model_dump(), FAMILIES["promptmad"]))


@pytest.fixture
def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run of two products; its data lie beside it."""
    monkeypatch.setitem(CONFIGS, "micro", PUBLISHED)
    monkeypatch.setattr("training.train.export_bundle", lambda *_: None)
    data = write_goods(tmp_path / "data", "strip", defects=4)
    write_goods(data, "gear", defects=4)
    weights = write_weights(tmp_path / "trunk.safetensors")
    spec = make_spec("train", data, ["gear", "strip"], "micro", backbone_weights=weights)
    train(open_run(tmp_path / "run", spec), lambda *_: None)
    return tmp_path / "run"


def _rows(run: Path) -> list[str]:
    call = [ABLATE, run, run.parent / "data", "--out", run.parent / "kept", "--steps", 2]
    only = ["--only", "whole", "no-text", "onenip", "--refiners", "bridge", "ddpm"]
    command = [sys.executable, *map(str, call), *only]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.slow
def test_rows_differ_by_what_they_lack(ended: Path) -> None:
    said = _rows(ended)
    assert [line.split(":")[0] for line in said if " steps in " in line] == [
        *("whole", "no-text", "onenip", "refiner-bridge", "refiner-ddpm"),
    ]
    table = dict(line[2:].split(" | ", 1) for line in said if line.startswith("| "))
    segmentors = [table[f"{n}, 0 steps, segmentor"] for n in ("whole", "no-text", "onenip")]
    assert len(set(segmentors)) == 3
    # Both kinds of refiner stand behind the run's own segmentor, which has had more steps.
    assert table["bridge, 0 steps, joined"] == table["ddpm, 0 steps, joined"]
    assert table["bridge, 0 steps, segmentor"] != table["whole, 0 steps, segmentor"]

    again = _rows(ended)
    assert not [line for line in again if " steps in " in line]
    assert [line for line in again if line.startswith("|")] == [
        line for line in said if line.startswith("|")
    ]


@pytest.mark.parametrize("size", ["small", "full"])
def test_a_family_over_another_is_that_family(size: str) -> None:
    """The baseline as a variant of the published model's run is the one that has a name."""
    published, baseline = (config_named(f"{n}-{size}") for n in ("promptmad", "onenip"))
    changed = over(published.model_dump(), FAMILIES["onenip"]) | {"name": baseline.name}
    assert TrainConfig.model_validate(changed) == baseline
