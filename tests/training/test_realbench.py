"""The table of benchmarks/realbench.py, on runs that were made up: nothing is trained here."""

import importlib.util
import json
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "realbench.py"
GOOD = {"image_auroc": 0.9, "image_ap": 0.8, "pixel_auroc": None, "pixel_ap": 0.25, "aupro": 0.5}
PEERS = {"padim": {"a": GOOD, "b": GOOD | {"image_auroc": 0.5, "aupro": None}}}


def _load() -> ModuleType:
    loader = SourceFileLoader("realbench", str(FILE))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("realbench", loader))
    loader.exec_module(module)
    return module


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script; its calls of the command are kept, and answered with a run that was made up."""
    module = _load()
    module.calls = []

    def inspector(out: Path, *arguments: object) -> str:
        module.calls.append([str(a) for a in arguments])
        if arguments[0] == "train":
            _write_bundle(Path(str(arguments[arguments.index("--out") + 1])))
        return json.dumps({"steps": 4, "mean": GOOD, "products": {"a": GOOD, "b": GOOD}})

    monkeypatch.setattr(module, "inspector", inspector)
    return module


def _write_bundle(run: Path) -> None:
    said = {
        "products": ["a", "b"],
        "training": {"minutes": 90.0, "seed": 7},
        "input": {"width": 320, "height": 320},
        "backbone": {"name": "resnet18", "weights": "trunk.safetensors"},
        "text": {"encoder": "deterministic-hash-v1", "note": "Hashed words, no language model."},
    }
    (run / "bundle").mkdir(parents=True)
    (run / "bundle" / "manifest.json").write_text(json.dumps(said), "utf-8")


def _table(bench: ModuleType, out: Path, *more: str) -> list[str]:
    out.mkdir(exist_ok=True)
    only = ["--only", "promptmad-small", "onenip-small"]
    wanted = bench.options().parse_args(["DATA", "--out", str(out), *only, *more])
    text = bench.table(wanted)
    assert (out / "table.md").read_text("utf-8") == text
    return text.splitlines()


def test_one_table_holds_families_and_peers(bench: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "peers.json").write_text(json.dumps(PEERS), "utf-8")
    lines = _table(bench, tmp_path / "out", "--peers", str(tmp_path / "peers.json"))
    assert "| **promptmad-small** | 4 | 90 | 90.0 | 80.0 | – | 25.0 | 50.0 |" in lines
    assert "| promptmad-small | 10 |  | 90.0 | 80.0 | – | 25.0 | 50.0 |" in lines
    assert "| onenip-small | 10 |  | 90.0 | 80.0 | – | 25.0 | 50.0 |" not in lines
    assert lines[-3:] == [
        "| **padim** (peer) | – | – | 70.0 | 80.0 | – | 25.0 | 50.0 |",
        "| a |  |  | 90.0 | 80.0 | – | 25.0 | 50.0 |",
        "| b |  |  | 50.0 | 80.0 | – | 25.0 | – |",
    ]
    head = lines.index(bench.HEAD[0])
    assert all(x.startswith("|") and x.count("|") == 9 for x in lines[head:])
    assert "- peers: one model a product, by benchmarks/peers.py" in lines


def test_the_header_says_what_made_the_rows(bench: ModuleType, tmp_path: Path) -> None:
    lines = _table(bench, tmp_path)
    said = dict(x[2:].split(": ", 1) for x in lines if x.startswith("- "))
    assert list(said)[:4] == ["command", "commit", "CPU", "GPU"]
    assert {"device", "threads", "python", "torch"} < set(said)
    assert said["seed"] == "7"
    assert said["input"] == "320 × 320 px"
    assert said["words"] == "deterministic-hash-v1 (Hashed words, no language model.)"
    assert said["hours"] == "0.0 in all commands, 3.0 of training"


def test_the_header_is_of_the_time_of_training(bench: ModuleType, tmp_path: Path) -> None:
    _table(bench, tmp_path)
    (tmp_path / "promptmad-small" / "made.json").write_text('{"commit": "abc, tree dirty"}')
    (tmp_path / "onenip-small" / "made.json").unlink()
    bench.calls.clear()
    lines = _table(bench, tmp_path)
    assert "- commit: abc, tree dirty; not recorded" in lines
    assert not bench.calls  # what is there is not made again


def test_a_row_of_another_budget_is_not_taken(bench: ModuleType, tmp_path: Path) -> None:
    _table(bench, tmp_path, "--minutes", "5")
    with pytest.raises(SystemExit, match=r"was trained with --seed 0 --minutes 5.* another --out"):
        _table(bench, tmp_path, "--minutes", "50")


def test_peers_of_other_products_are_told_apart(bench: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "peers.json").write_text(json.dumps({"padim": {"a": GOOD}}), "utf-8")
    lines = _table(bench, tmp_path / "out", "--peers", str(tmp_path / "peers.json"))
    assert any("means do not compare: padim" in x for x in lines if x.startswith("- peers"))


def test_options_reach_training(bench: ModuleType, tmp_path: Path) -> None:
    given = ["--clip-model", "ViT-B-16", "--clip-weights", "c.pt", "--input-px", "320"]
    _table(bench, tmp_path, *given, "--device", "cuda", "--seed", "7")
    train = next(call for call in bench.calls if call[0] == "train")
    for option, value in zip(given[::2], given[1::2], strict=True):
        assert train[train.index(option) + 1] == value
    assert train[train.index("--device") + 1] == "cuda"
    assert "--minutes" not in train


@pytest.mark.parametrize("text", [None, "{", '{"padim": 3}', '{"padim": {"a": {}}}', "[]"])
def test_peers_that_are_none_are_refused_before_training(
    bench: ModuleType, tmp_path: Path, text: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "peers.json").write_text(text, "utf-8")
    with pytest.raises(SystemExit):
        _table(bench, tmp_path / "out", "--peers", str(tmp_path / "peers.json"))
    assert "peers.json" in capsys.readouterr().err
    assert not bench.calls


def test_hours_add_up_over_calls_even_failed_ones(tmp_path: Path) -> None:
    module = _load()
    (tmp_path / "hours.txt").write_text("2.5\n", "utf-8")
    ticks = iter([0.0, 1800.0])
    module.time = type("Clock", (), {"monotonic": lambda: next(ticks)})
    module.sys = type("Nowhere", (), {"executable": "false"})
    with pytest.raises(module.subprocess.CalledProcessError):
        module.inspector(tmp_path, "train")
    assert module.hours(tmp_path) == 3.0


def test_a_commit_is_named_and_a_missing_command_is_no_failure(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "answer", lambda *_: "0123456789ab-dirty")
    assert bench.commit() == "0123456789ab, tree dirty"
    monkeypatch.setattr(bench, "answer", lambda *_: "0123456789ab")
    assert bench.commit() == "0123456789ab, tree clean"
    monkeypatch.undo()
    assert bench.answer("no-such-command") == bench.answer("false") == ""


def test_there_is_no_row_without_what_is_not_there(bench: ModuleType) -> None:
    tiny, small = (set(bench.rows(size, [])) for size in ("tiny", "small"))
    assert "promptmad-bank-small+no-memory" in small
    assert "promptmad-bank-tiny+no-memory" not in tiny


def test_steps_are_swept_where_refinement_is_the_question(bench: ModuleType) -> None:
    swept = [n for n in bench.rows("small", []) if bench.steps_matter(n)]
    whole = ["promptmad-bank-small", "promptmad-small"]
    assert swept == [*whole, *(f"{name}+ddpm" for name in whole)]
