"""Families, ablations and peers on real parts: one table, same pictures, same trunk, one seed.

    python benchmarks/realbench.py DATA --backbone-weights FILE --out RESULTS [--size small]
        [--clip-model NAME --clip-weights FILE] [--input-px N] [--peers peers.json]

Trains one multi-class model a row (stopped, it goes on where it was), measures each on the test
split at its own number of refinement steps, and where steps are the question (PromptMAD whole, and
with the other sampler) at 0, 1, 2, 4 and 10 as well.
Rows of peers, of which each had a model a product, come from what benchmarks/peers.py measured.
Nothing is chosen on what is measured. Writes RESULTS/table.md and, beside it, a folder a row; above
the table stands what made the rows, as it was when they were trained.
"""

import argparse
import json
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from engine.types import InputError
from training.config import config_named
from training.evaluate import percent
from training.setting import cpu_model, usable_cores

FAMILIES = ("promptmad-bank", "promptmad", "onenip")
ABLATIONS = {
    "promptmad-bank": (
        "no-text",
        "focal",
        "no-attention",
        "no-laterals",
        "no-memory",
        "reconstruction",
        "ddpm",
    ),
    "promptmad": (
        "no-text",
        "no-fusion",
        "no-focal",
        "no-dice",
        "no-attention",
        "no-laterals",
        "ddpm",
    ),
}
STEPS = (0, 1, 2, 4, 10)
FIGURES = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "aupro")
HEAD = (
    "| configuration | steps | minutes | " + " | ".join(FIGURES) + " |",
    "|---" * (3 + len(FIGURES)) + "|",
)
TRAINING = (
    "seed",
    "minutes",
    "backbone_weights",
    "clip_model",
    "clip_weights",
    "input_px",
    "device",
)
"""Options that training takes as they are."""
MADE = "made.json"  # in the folder of a row: :func:`here` when it was trained
HOURS = "hours.txt"  # beside those folders: what all commands took, of earlier calls as well


def inspector(out: Path, *arguments: object) -> str:
    """The command as a person would call it; its progress stays on the terminal."""
    call = [sys.executable, "-m", "inspector", *map(str, arguments)]
    began = time.monotonic()
    try:
        return subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout
    finally:
        took = (time.monotonic() - began) / 3600
        (out / HOURS).write_text(f"{hours(out) + took}\n", "utf-8")


def hours(out: Path) -> float:
    """Of all commands so far."""
    kept = out / HOURS
    return float(kept.read_text("utf-8")) if kept.exists() else 0.0


def rows(size: str, only: list[str]) -> list[str]:
    """Configurations by name: the families, then ours and the published one without each part that
    they have."""
    every = [f"{family}-{size}" for family in FAMILIES]
    parts = [f"{family}-{size}+{part}" for family, parts in ABLATIONS.items() for part in parts]
    every += [name for name in parts if exists(name)]
    return [name for name in every if not only or name in only]


def exists(name: str) -> bool:
    """Whether there is such a configuration, and it differs from the one it is named after."""
    try:
        config_named(name)
    except InputError:
        return False
    return True


def trained(name: str, wanted: argparse.Namespace) -> Path:
    """The folder of a row's run, with its bundle; a finished one is taken as it is, if it was made
    by the same options: a row of another budget would not compare."""
    run: Path = wanted.out / name
    asked = shlex.join(map(str, passed(wanted)))
    if not (run / "bundle").is_dir():
        made = json.dumps(here(wanted.device) | {"options": asked}, indent=2)
        options = ["--data", wanted.data, "--config", name, "--out", run, *passed(wanted)]
        inspector(wanted.out, "train", *options)
        (run / MADE).write_text(made, "utf-8")
    before = made_by(run).get("options", asked)
    if before != asked:
        raise SystemExit(f"{run} was trained with {before}: give these options, or another --out.")
    return run


def passed(wanted: argparse.Namespace) -> list[object]:
    """The options for training that were given, or have a default here."""
    given = {name: getattr(wanted, name) for name in TRAINING}
    pairs = [(f"--{name.replace('_', '-')}", v) for name, v in given.items() if v is not None]
    return [part for pair in pairs for part in pair]


def measured(run: Path, data: Path, steps: int | None) -> dict[str, Any]:
    """The evaluation's JSON, kept beside the run and not made twice."""
    kept = run / f"test-{'own' if steps is None else steps}.json"
    if not kept.exists():
        options = ["--steps", steps] if steps is not None else ["--out", run / "report"]
        call = ["evaluate", run / "bundle", "--data", data, "--json", *options]
        kept.write_text(inspector(run.parent, *call), "utf-8")
    return json.loads(kept.read_text("utf-8"))


def here(device: str) -> dict[str, str]:
    """The code and the machine, as they are now."""
    gpus = answer("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines()
    return {
        "commit": commit(),
        "CPU": f"{cpu_model()}, {usable_cores()} cores",
        "GPU": ", ".join(gpus) or "none",
        "device": f"{device} for training; judging is on the CPU",
        "threads": f"{torch.get_num_threads()} of torch; judging up to one a core",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def commit() -> str:
    """Of this checkout, and whether files that git knows were changed since."""
    root = str(Path(__file__).resolve().parent.parent)
    options = ("--always", "--dirty", "--abbrev=12", "--exclude=*")
    found = answer("git", "-C", root, "describe", *options)
    state = "dirty" if found.endswith("-dirty") else "clean"
    return f"{found.removesuffix('-dirty')}, tree {state}" if found else "not known"


def answer(*call: str) -> str:
    """What a command says; nothing where it is not there or fails."""
    try:
        return subprocess.run(call, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def header(wanted: argparse.Namespace, runs: Sequence[Path]) -> list[str]:
    """What made the rows; where they differ, each of the values."""
    now = here(wanted.device)
    made, manifests = [made_by(run) for run in runs] or [now], [manifest(run) for run in runs]
    minutes = sum(m["training"]["minutes"] for m in manifests)
    said = {"command": f"`{shlex.join(['python', *sys.argv])}`"}
    said |= {key: _each(m.get(key, "not recorded") for m in made) for key in now}
    said |= {name: _each(map(of, manifests)) for name, of in FROM_MANIFEST.items()}
    said["hours"] = f"{hours(wanted.out):.1f} in all commands, {minutes / 60:.1f} of training"
    if wanted.peers:
        said["peers"] = peers_on(wanted.peers, manifests)
    return [f"- {name}: {value}" for name, value in said.items()]


FROM_MANIFEST: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "seed": lambda said: said["training"]["seed"],
    "input": lambda said: f"{said['input']['width']} × {said['input']['height']} px",
    "trunk": lambda said: f"{said['backbone']['name']}, {said['backbone']['weights']}",
    "words": lambda said: f"{said['text']['encoder']} ({said['text']['note']})",
}
"""Facts of a row that its bundle knows best."""


def made_by(run: Path) -> dict[str, str]:
    """What :func:`here` was then; nothing for runs of an older script."""
    kept = run / MADE
    return json.loads(kept.read_text("utf-8")) if kept.exists() else {}


def manifest(run: Path) -> dict[str, Any]:
    """Of the run's bundle."""
    return json.loads((run / "bundle" / "manifest.json").read_text("utf-8"))


def _each(values: Iterable[object]) -> str:
    """Different values, in their order."""
    return "; ".join(dict.fromkeys(map(str, values))) or "–"


def peers_on(peers: Mapping[str, Any], manifests: Sequence[Mapping[str, Any]]) -> str:
    """Whether the means of peers and rows are over the same products."""
    ours = {product for said in manifests for product in said["products"]}
    others = [name for name, products in peers.items() if ours and set(products) != ours]
    odd = f"; not the products of the rows, so that means do not compare: {', '.join(others)}"
    return "one model a product, by benchmarks/peers.py" + (odd if others else "")


def line(name: str, steps: object, minutes: str, metrics: Mapping[str, float | None]) -> str:
    """A row of the table, in percent."""
    values = [percent(metrics[figure]) for figure in FIGURES]
    return f"| {name} | {steps} | {minutes} | " + " | ".join(values) + " |"


def run_lines(name: str, run: Path, data: Path) -> list[str]:
    """The mean of a row, its products, and its mean at other numbers of steps."""
    own = measured(run, data, None)
    minutes = f"{manifest(run)['training']['minutes']:.0f}"
    lines = [line(f"**{name}**", own["steps"], minutes, own["mean"])]
    lines += [line(product, "", "", each) for product, each in own["products"].items()]
    if steps_matter(name):
        others = {steps: measured(run, data, steps) for steps in STEPS if steps != own["steps"]}
        swept = {own["steps"]: own} | others
        lines += [line(name, steps, "", swept[steps]["mean"]) for steps in sorted(swept)]
    return lines


def steps_matter(name: str) -> bool:
    """Whether a row is of refinement: all but the baseline, which has none, and other ablations."""
    _, *without = name.split("+")
    return not name.startswith("onenip") and without in ([], ["ddpm"])


def peer_lines(peers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The mean of each peer, and its products."""
    lines = []
    for name, products in peers.items():
        lines.append(line(f"**{name}** (peer)", "–", "–", mean_of(products, FIGURES)))
        lines += [line(product, "", "", each) for product, each in products.items()]
    return lines


def mean_of(
    products: Mapping[str, Mapping[str, float | None]], names: Iterable[str]
) -> dict[str, float | None]:
    """Unweighted, over the products that have the figure."""
    known = {n: [p[n] for p in products.values() if p[n] is not None] for n in names}
    return {name: mean(values) if values else None for name, values in known.items()}


def read_peers(path: str) -> dict[str, Any]:
    """What benchmarks/peers.py wrote: figures by peer and product."""
    try:
        peers = json.loads(Path(path).read_text("utf-8"))
        for figures in (each for products in peers.values() for each in products.values()):
            line("", "", "", figures)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"there is no file at {path}: {error.strerror}") from None
    except (ValueError, AttributeError, KeyError, TypeError):
        raise argparse.ArgumentTypeError(
            f"{path} is not what benchmarks/peers.py writes: give its peers.json"
        ) from None
    return peers


def table(wanted: argparse.Namespace) -> str:
    """The whole table; written anew after each row."""
    runs: list[Path] = []
    lines: list[str] = []
    for name in rows(wanted.size, wanted.only):
        runs.append(trained(name, wanted))
        lines += run_lines(name, runs[-1], wanted.data)
        write(wanted, runs, lines)
    return write(wanted, runs, lines)


def write(wanted: argparse.Namespace, runs: Sequence[Path], lines: Sequence[str]) -> str:
    """RESULTS/table.md with the rows so far; returns its text."""
    every = [*header(wanted, runs), "", *HEAD, *lines, *peer_lines(wanted.peers)]
    text = "\n".join(every) + "\n"
    (wanted.out / "table.md").write_text(text, "utf-8")
    return text


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--backbone-weights", type=Path)
    parser.add_argument("--clip-model", help="open_clip model for the words; else they are hashed")
    parser.add_argument("--clip-weights", type=Path, help="checkpoint of that model")
    parser.add_argument("--input-px", type=int, default=256, help="side, the same for every row")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", default="small")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], help="configurations by their whole name")
    parser.add_argument(
        "--peers", type=read_peers, default={}, help="peers.json that benchmarks/peers.py wrote"
    )
    return parser


def main() -> None:
    wanted = options().parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    print(table(wanted), end="")


if __name__ == "__main__":
    main()
