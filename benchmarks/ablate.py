"""What each part of a model is worth: segmentors trained anew on a finished run's own features.

    python benchmarks/ablate.py RUN DATA --out TEST.npz --steps 500 --only no-text focal

RUN is a finished run on a CPU whose cache is still there: every variant sees its pictures, axes and
banks, for the same number of steps, without refinement and without the second look, which no
segmentor sees. So a row costs minutes, and differs from the first by its one part alone. Image
AUROC / pixel AUROC / pixel AP / AUPRO on the test split, by halves (benchmarks/halves.py). For
looking, not for choosing on.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from halves import Test, figures, kept_test, line
from search import AT_ONCE, fit_stage
from torch import Tensor

from training.cache import FeatureCache
from training.config import ABLATIONS, TrainConfig, over
from training.datasets.dataset import read_dataset
from training.model.backbone import Backbone
from training.model.promptmad import PromptMAD
from training.prepare import read_goods
from training.rows import stacked
from training.run import load_tensors
from training.scales import fit_scales
from training.spec import RunSpec
from training.stages import stages
from training.train import PREPARED

WHOLE = "whole"
KEPT = (*PREPARED, "backbone.", "words.table")
"""Of a finished model, what no segmentor changes."""


def variant(config: TrainConfig, weights: dict[str, Tensor], products: int) -> PromptMAD:
    """A model as training begins with it, on the run's banks."""
    torch.manual_seed(config.seed)
    backbone = Backbone(config.model.backbone, config.model.input_px)
    prompts = torch.zeros(products, 2, config.model.text_dim)
    model = PromptMAD(config.model.within(backbone.channels), backbone, prompts)
    kept = {name: w for name, w in weights.items() if name.startswith(KEPT)}
    missing, _ = model.load_state_dict(kept, strict=False)
    assert not [name for name in missing if name.startswith(PREPARED)]
    return model.eval()


def trained(wanted: argparse.Namespace) -> Iterator[tuple[str, PromptMAD]]:
    """The whole model's segmentor, and each variant's."""
    spec = RunSpec.model_validate_json((wanted.run / "run.json").read_bytes())
    weights, _ = load_tensors(wanted.run / "model.safetensors")
    samples = read_dataset(wanted.data).train_goods(spec.products)
    config, count = spec.config, json.loads((wanted.run / "state.json").read_text())["cached"]
    goods = read_goods(samples, config.model.input_px, config.held_out, config.seed)
    for name in (WHOLE, *wanted.only):
        near = over(config.model_dump(), ABLATIONS["no-context"])
        own = TrainConfig.model_validate(over(near, ABLATIONS.get(name, {})))
        model = variant(own, weights, len(spec.products))
        cache = FeatureCache(wanted.run / "cache", config.pictures, model, count)
        model.to(memory_format=torch.channels_last)
        fit_stage(stages(own)[0], model, cache, count, wanted.steps, own)
        model.steps = 0
        fit_scales(model, goods.held_out)
        print(f"{name}: trained", flush=True)
        yield name, model


@torch.no_grad()
def judged(models: Sequence[PromptMAD], test: Test) -> list[list[Tensor]]:
    """Of each model its segmentor's map and score, and the joined ones; the trunk looks once for
    all."""
    found: list[list[tuple[Tensor, ...]]] = [[] for _ in models]
    for first in range(0, len(test.images), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        product = torch.from_numpy(test.product[some])
        features = models[0].features(stacked(test.images[some]))
        answer = models[0].ask(features, product)
        for model, parts in zip(models, found, strict=True):
            coarse = model.coarse(features, answer, product)
            logit = model.finished(coarse)
            both = model.fusion.channels(logit, coarse.distance, product).unbind(1)
            alone = both[0], model.fusion.score(both[0])
            parts.append((*alone, *model.fusion.judged(*both)))
    return [list(map(torch.cat, zip(*parts, strict=True))) for parts in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--only", nargs="*", default=["no-text", "no-attention", "no-laterals"])
    parser.add_argument("--out", type=Path, required=True, help="where the test split is kept")
    wanted = parser.parse_args()
    models = dict(trained(wanted))
    side = models[WHOLE].config.input_px
    test = kept_test(wanted.data, side, wanted.out)
    print("| variant, map | whole | first half | second half |\n|---|---|---|---|")
    for name, found in zip(models, judged(list(models.values()), test), strict=True):
        for what, both in (("segmentor", found[:2]), ("joined", found[2:])):
            print(line(f"{name}, {what}", figures(test, *both)), flush=True)


if __name__ == "__main__":
    main()
