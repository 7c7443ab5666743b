"""A finished run's two maps, joined in several ways, at several numbers of steps, by halves.

    python benchmarks/joins.py RUN DATA --out MAPS.npz

Looks at every test picture once and keeps the maps in MAPS.npz. For looking, not for choosing on:
see benchmarks/halves.py.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from halves import Test, figures, kept_test, line
from torch import Tensor

from training.model.backbone import Backbone
from training.model.promptmad import PromptMAD, enlarge
from training.rows import stacked
from training.run import load_tensors
from training.spec import RunSpec

STEPS = (0, 1, 2, 4, 10)
AT_ONCE = 8


def finished_model(run: Path) -> PromptMAD:
    """The model that the run ended on."""
    spec = RunSpec.model_validate_json((run / "run.json").read_bytes())
    weights, _ = load_tensors(run / "model.safetensors")
    config = spec.config.model
    backbone = Backbone(config.backbone, config.input_px)
    prompts = torch.zeros(len(spec.products), 2, config.text_dim)
    model = PromptMAD(config.within(backbone.channels), backbone, prompts)
    model.load_state_dict(weights)
    return model.eval()


@torch.no_grad()
def looked_at(model: PromptMAD, test: Test) -> dict[str, Tensor]:
    """Logits by number of steps, and the distance, ``(N, s, s)`` each."""
    found: dict[str, list[Tensor]] = {}
    for first in range(0, len(test.images), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        image, product = stacked(test.images[some]), torch.from_numpy(test.product[some])
        coarse = model.look(image, product)
        for steps in STEPS:
            logit = model.finished(coarse, steps)
            found.setdefault(str(steps), []).append(logit[:, 0])
        found.setdefault("distance", []).append(enlarge(coarse.distance, logit)[:, 0])
        print(f"\r{first} of {len(test.images)} pictures", end="", flush=True)
    print()
    return {name: torch.cat(parts) for name, parts in found.items()}


def joined(model: PromptMAD, segmented: Tensor, strange: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Ways to make one map of two, both on the scales of good parts."""
    fusion = model.fusion
    larger, smaller = torch.maximum(segmented, strange), torch.minimum(segmented, strange)
    yield "segmentor", segmented
    yield "memory", strange
    yield "larger", larger
    for share in (0.25, 0.5, 1.0):
        yield f"larger + {share:g} smaller", larger + share * smaller
    yield (
        "larger, memory silent",
        torch.maximum(segmented, strange * fusion._needed(segmented)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    wanted = parser.parse_args()
    model = finished_model(wanted.run)
    test = kept_test(wanted.data, model.config.input_px, wanted.out.with_suffix(".test.npz"))
    if not wanted.out.exists():
        maps = {name: x.half().numpy() for name, x in looked_at(model, test).items()}
        np.savez(wanted.out, **maps)
    with np.load(wanted.out) as kept:
        maps = {name: torch.from_numpy(kept[name]).float() for name in kept.files}
    product = torch.from_numpy(test.product)
    centre, spread = (
        b[product][..., None, None] for b in (model.fusion.centre, model.fusion.spread)
    )
    strange = (maps["distance"] - centre[:, 1]) / spread[:, 1]
    print("| steps, join | whole | first half | second half |\n|---|---|---|---|")
    for steps in STEPS:
        segmented = (maps[str(steps)] - centre[:, 0]) / spread[:, 0]
        for name, fused in joined(model, segmented, strange):
            if steps and name in ("memory", "larger"):
                continue
            print(
                line(f"{steps}, {name}", figures(test, fused, model.fusion.score(fused))),
                flush=True,
            )


if __name__ == "__main__":
    main()
