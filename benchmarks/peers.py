"""PaDiM and PatchCore of anomalib, one model a product, on our pictures and by our metrics.

    pip install -e ".[train,peers]"
    python benchmarks/peers.py DATA --backbone-weights FILE --out RESULTS [--peers padim patchcore]
        [--coreset 0.1]

On a CPU a tenth of 150 goods' tokens takes PatchCore half an hour a product to choose, a hundredth
some minutes; both shares are published.

The same trunk, side, resizing and normalisation as our models have; anomalib's own distances, maps
and scores. Keeps what is measured in RESULTS/peers.json, a product at a time, so that it goes on
where it was stopped.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from anomalib.models.image.padim.torch_model import PadimModel
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from realbench import here, mean_of
from safetensors.torch import load_file
from torch import Tensor, nn

from training.config import BackboneConfig
from training.datasets.dataset import Dataset, read_dataset
from training.datasets.sample import Sample, load, load_mask
from training.metrics import Metrics, measure
from training.pixels import Pixels

SIDE = 256
TRUNK = BackboneConfig()


def padim() -> PadimModel:
    """As published, with the hundred features anomalib draws for this trunk."""
    torch.manual_seed(0)
    return PadimModel(TRUNK.name, ["layer1", "layer2", "layer3"], pre_trained=False)


def patchcore() -> PatchcoreModel:
    """As published, on strides 8 and 16."""
    torch.manual_seed(0)
    return PatchcoreModel(("layer2", "layer3"), TRUNK.name, pre_trained=False)


PEERS: dict[str, tuple[Callable[[], Any], Callable[[Any, float], None]]] = {
    "padim": (padim, lambda model, _: model.fit()),
    "patchcore": (patchcore, lambda model, coreset: model.subsample_embedding(coreset)),
}
"""How each is made, and what it does once it has seen the goods."""


def picture(sample: Sample) -> Tensor:
    """``(1, 3, SIDE, SIDE)``, normalised as the trunk was trained."""
    rgb = torch.from_numpy(load(sample, SIDE)).permute(2, 0, 1)[None].float() / 255
    middle, spread = (torch.tensor(v).view(1, 3, 1, 1) for v in (TRUNK.mean, TRUNK.std))
    return (rgb - middle) / spread


def fitted(peer: str, goods: Sequence[Sample], weights: Path, coreset: float) -> nn.Module:
    """One model that has seen the goods of one product, and keeps that share of their tokens."""
    make, finish = PEERS[peer]
    model: nn.Module = make()
    trunk: Any = model.feature_extractor
    left = trunk.feature_extractor.load_state_dict(load_file(weights), strict=False)
    assert not left.missing_keys, left
    model.train()
    trunk.eval()
    for sample in goods:
        model(picture(sample))
    finish(model, coreset)
    return model.eval()


@torch.no_grad()
def measured(model: nn.Module, test: Sequence[Sample]) -> Metrics:
    """By the functions that measure our own models."""
    scores, labels = [], []
    with Pixels() as pixels:
        for sample in test:
            found = model(picture(sample))
            scores.append(found.pred_score.item())
            labels.append(sample.is_defective)
            mask = load_mask(sample, SIDE)
            if mask is not None:
                pixels.add(found.anomaly_map[0, 0].numpy(), mask)
        return measure(scores, labels, pixels)


def table(results: dict[str, dict[str, dict[str, float | None]]]) -> list[str]:
    """Percent, a row a product and the mean of each peer."""
    names = [f.name for f in fields(Metrics)]
    lines = ["| peer | product | " + " | ".join(names) + " |", "|---" * (2 + len(names)) + "|"]
    for peer, products in results.items():
        for product, figures in [*products.items(), ("mean", mean_of(products, names))]:
            values = ["–" if figures[n] is None else f"{100 * figures[n]:.1f}" for n in names]
            lines.append(f"| {peer} | {product} | " + " | ".join(values) + " |")
    return lines


def compare(
    data: Dataset, weights: Path, out: Path, peers: Sequence[str], coreset: float
) -> list[str]:
    """Every peer on every product; returns the table's lines."""
    kept = out / "peers.json"
    results = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    for peer in peers:
        done = results.setdefault(peer, {})
        for product in data.products("test"):
            if product in done:
                continue
            model = fitted(peer, data.train_goods([product]), weights, coreset)
            done[product] = asdict(measured(model, data.test(product)))
            kept.write_text(json.dumps(results, indent=2), "utf-8")
            print(peer, product, done[product], flush=True)
    return table(results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--backbone-weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    parser.add_argument("--coreset", type=float, default=0.1, help="share of PatchCore's tokens")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    made = here("cpu") | {"anomalib": version("anomalib"), "seed": "0", "input": f"{SIDE} px"}
    made |= {"coreset": str(wanted.coreset)}
    head = [f"- {name}: {said}" for name, said in made.items()]
    data = read_dataset(wanted.data)
    rows = compare(data, wanted.backbone_weights, wanted.out, wanted.peers, wanted.coreset)
    lines = [*head, "", *rows]
    (wanted.out / "peers.md").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
