"""What each part of a model is worth: variants of a finished run, trained anew on its own rows.

    python benchmarks/ablate.py RUN DATA --out KEPT --steps 500 [--only whole no-text focal onenip]
        [--refiners bridge ddpm]

RUN is a finished run on a CPU whose cache is still there: every variant sees its pictures, axes and
prompt, for the same number of steps, so that a row costs minutes and differs from the first by its
one part alone. Segmentors are measured without refinement; refiners are trained on the run's own
segmentor, and measured at each number of steps, on scales of their own. The second look, which no
segmentor sees, is left out. Image AUROC / pixel AUROC / pixel AP / AUPRO on the test split, by
halves (benchmarks/halves.py). For looking, not for choosing on.

What was trained lies in KEPT: a call that was stopped goes on where it was.
"""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from halves import Test, figures, kept_test, line
from realbench import STEPS, here
from search import AT_ONCE, fit_stage
from torch import Tensor

from training.cache import FeatureCache
from training.config import ABLATIONS, FAMILIES, TrainConfig, over
from training.datasets.dataset import read_dataset
from training.model.backbone import Backbone
from training.model.promptmad import Fusion, PromptMAD
from training.prepare import Goods, read_goods
from training.rows import stacked
from training.run import load_tensors, save_tensors
from training.scales import fit_scales
from training.spec import RunSpec
from training.stages import stages
from training.train import PREPARED

WHOLE = "whole"
KEPT = (*PREPARED, "backbone.", "words.table")
"""Of a finished model, what no segmentor changes."""
VARIANTS = {WHOLE: {}} | ABLATIONS | FAMILIES


@dataclass(frozen=True)
class Entry:
    """A model of the table, and its joins by number of refinement steps."""

    name: str
    model: PromptMAD
    fusions: Mapping[int, Fusion]


@dataclass(frozen=True)
class Ended:
    """A finished run, and where its variants are kept."""

    folder: Path
    data: Path
    out: Path
    steps: int

    @cached_property
    def spec(self) -> RunSpec:
        return RunSpec.model_validate_json((self.folder / "run.json").read_bytes())

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        return load_tensors(self.folder / "model.safetensors")[0]

    @cached_property
    def goods(self) -> Goods:
        samples = read_dataset(self.data).train_goods(self.spec.products)
        config = self.config(WHOLE)
        return read_goods(samples, config.model.input_px, config.held_out, config.seed)

    def config(self, variant: str, **model: str) -> TrainConfig:
        """The run's, changed by the variant, without a second look."""
        settings = over(self.spec.config.model_dump(), ABLATIONS["no-context"])
        changed = over(over(settings, VARIANTS[variant]), {"model": model})
        return TrainConfig.model_validate(changed)

    def model(self, config: TrainConfig, kept: Sequence[str]) -> PromptMAD:
        """As training begins with it, but for those weights of the run."""
        torch.manual_seed(config.seed)
        backbone = Backbone(config.model.backbone, config.model.input_px)
        prompts = torch.zeros(len(self.spec.products), 2, config.model.text_dim)
        model = PromptMAD(config.model.within(backbone.channels), backbone, prompts)
        given = {name: w for name, w in self.weights.items() if name.startswith(tuple(kept))}
        missing, _ = model.load_state_dict(given, strict=False)
        assert not [name for name in missing if name.startswith(PREPARED)]
        return model.to(memory_format=torch.channels_last).eval()

    def trained(self, name: str, model: PromptMAD, stage: int, config: TrainConfig) -> None:
        """Fit one stage on the run's rows, or take what an earlier call fitted."""
        file, began = self.out / f"{name}-{self.steps}.safetensors", time.monotonic()
        if file.exists():
            model.load_state_dict(load_tensors(file)[0], strict=False)
            return
        count = json.loads((self.folder / "state.json").read_text("utf-8"))["cached"]
        rows = FeatureCache(self.folder / "cache", config.pictures, model, count)
        fit_stage(stages(config)[stage], model, rows, count, self.steps, config)
        own = {k: w for k, w in model.state_dict().items() if not k.startswith(KEPT)}
        save_tensors(own, file, {})
        print(f"{name}: {self.steps} steps in {time.monotonic() - began:.0f} s", flush=True)

    def scaled(self, model: PromptMAD, steps: int) -> Fusion:
        """The join on the scales that goods give that number of steps."""
        model.steps = steps
        fit_scales(model, self.goods.held_out)
        return deepcopy(model.fusion)


def segmentors(run: Ended, names: Sequence[str]) -> Iterator[Entry]:
    """Each variant's."""
    for name in names:
        config = run.config(name)
        model = run.model(config, KEPT)
        run.trained(name, model, 0, config)
        yield Entry(name, model, {0: run.scaled(model, 0)})


def refiners(run: Ended, kinds: Sequence[str]) -> Iterator[Entry]:
    """Each kind's, behind the segmentor that the run ended on."""
    others = sorted({name.split(".")[0] for name in run.weights} - {"denoiser", "fusion"})
    for kind in kinds:
        config = run.config(WHOLE, refinement=kind)
        model = run.model(config, [f"{name}." for name in others])
        run.trained(f"refiner-{kind}", model, 1, config)
        choices = [steps for steps in STEPS if steps <= config.model.refinement_steps]
        yield Entry(kind, model, {steps: run.scaled(model, steps) for steps in choices})


@torch.no_grad()
def judged(entries: Sequence[Entry], test: Test) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Rows of the table: what it is of, maps and scores. The trunk looks once for all."""
    found: dict[str, list[tuple[Tensor, Tensor]]] = {}
    first = entries[0].model
    for start in range(0, len(test.images), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        product = torch.from_numpy(test.product[some])
        features = first.features(stacked(test.images[some]))
        answer = first.ask(features, product)
        for entry in entries:
            coarse = entry.model.coarse(features, answer, product)
            for steps, fusion in entry.fusions.items():
                logit = entry.model.finished(coarse, steps)
                alone, other = fusion.channels(logit, coarse.distance, product).unbind(1)
                parts = {"joined": fusion.judged(alone, other)}
                if not steps:
                    parts["segmentor"] = alone, fusion.score(alone)
                for part, both in parts.items():
                    found.setdefault(f"{entry.name}, {steps} steps, {part}", []).append(both)
    for name, parts in found.items():
        yield (name, *map(torch.cat, zip(*parts, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--only", nargs="*", choices=VARIANTS, default=[WHOLE])
    parser.add_argument("--refiners", nargs="*", choices=("bridge", "ddpm"), default=[])
    parser.add_argument("--out", type=Path, required=True, help="folder for what is trained")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    for name, said in {"command": shlex.join(sys.argv), **here("cpu")}.items():
        print(f"- {name}: {said}")
    run = Ended(wanted.run, wanted.data, wanted.out, wanted.steps)
    entries = [*segmentors(run, wanted.only), *refiners(run, wanted.refiners)]
    side = run.config(WHOLE).model.input_px
    test = kept_test(wanted.data, side, wanted.out / f"test-{side}.npz")
    print("| variant, steps of refinement, map | whole | first half | second half |")
    print("|---|---|---|---|")
    for name, maps, scores in judged(entries, test):
        print(line(name, figures(test, maps, scores)), flush=True)


if __name__ == "__main__":
    main()
