"""Families and ablations on real parts: one table, same pictures, same trunk, same size, one seed.

    python benchmarks/realbench.py DATA --backbone-weights FILE --out RESULTS [--size small]

Trains one multi-class model a row (stopped, it goes on where it was), measures each on the test
split at its own number of refinement steps, and PromptMAD's rows at 0, 1, 2, 4 and 10 as well.
Nothing is chosen on what is measured. Writes RESULTS/table.md and, beside it, a folder a row.
"""

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path

FAMILIES = ("promptmad-bank", "promptmad", "onenip")
ABLATIONS = {
    "promptmad-bank": ("no-text", "focal", "no-attention", "no-laterals", "no-memory", "ddpm"),
    "promptmad": ("no-text", "no-focal", "no-attention", "no-laterals", "ddpm"),
}
STEPS = (0, 1, 2, 4, 10)
FIGURES = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "aupro")


def inspector(*arguments: object) -> str:
    """The command as a person would call it; its progress stays on the terminal."""
    call = [sys.executable, "-m", "inspector", *map(str, arguments)]
    return subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout


def rows(size: str, only: list[str]) -> list[str]:
    """Configurations by name: the families, then ours and the published one without each part."""
    every = [f"{family}-{size}" for family in FAMILIES]
    every += [f"{family}-{size}+{part}" for family, parts in ABLATIONS.items() for part in parts]
    return [name for name in every if not only or name in only]


def trained(name: str, wanted: argparse.Namespace) -> Path:
    run = wanted.out / name
    options = ["--data", wanted.data, "--config", name, "--out", run, "--seed", wanted.seed]
    if wanted.backbone_weights:
        options += ["--backbone-weights", wanted.backbone_weights]
    if wanted.minutes:
        options += ["--minutes", wanted.minutes]
    if not (run / "bundle").is_dir():
        inspector("train", *options)
    return run


def measured(run: Path, data: Path, steps: int | None) -> dict:
    """The evaluation's JSON, kept beside the run and not made twice."""
    kept = run / f"test-{'own' if steps is None else steps}.json"
    if not kept.exists():
        options = ["--steps", steps] if steps is not None else ["--out", run / "report"]
        said = inspector("evaluate", run / "bundle", "--data", data, "--json", *options)
        kept.write_text(said, "utf-8")
    return json.loads(kept.read_text("utf-8"))


def line(name: str, steps: object, minutes: str, metrics: dict) -> str:
    """A row of the table, in percent."""
    values = ["–" if metrics[f] is None else f"{100 * metrics[f]:.1f}" for f in FIGURES]
    return f"| {name} | {steps} | {minutes} | " + " | ".join(values) + " |"


def table(wanted: argparse.Namespace) -> list[str]:
    """The lines of the table so far; written anew after each."""
    lines = ["| configuration | steps | minutes | " + " | ".join(FIGURES) + " |"]
    lines.append("|---" * (3 + len(FIGURES)) + "|")
    for name in rows(wanted.size, wanted.only):
        run = trained(name, wanted)
        manifest = json.loads((run / "bundle" / "manifest.json").read_text("utf-8"))
        minutes = f"{manifest['training']['minutes']:.0f}"
        own = measured(run, wanted.data, None)
        lines.append(line(f"**{name}**", own["steps"], minutes, own["mean"]))
        lines += [line(product, "", "", each) for product, each in own["products"].items()]
        if not name.startswith("onenip"):
            swept = {steps: measured(run, wanted.data, steps)["mean"] for steps in STEPS}
            lines += [line(name, steps, "", mean) for steps, mean in swept.items()]
        (wanted.out / "table.md").write_text("\n".join(lines) + "\n", "utf-8")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--backbone-weights", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", default="small")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], help="configurations by their whole name")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    print("\n".join(table(wanted)))
    print(f"\n{platform.processor() or platform.machine()}, seed {wanted.seed}")


if __name__ == "__main__":
    main()
