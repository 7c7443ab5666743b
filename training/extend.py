"""A product added to a finished model: a bank, words and scales of its own, and nothing else moves.

No weight is trained, so that what the model says of its other products stays what it was. The
segmentor reads the new product's residuals as it learnt to read the others'.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from pydantic import ValidationError
from torch import Tensor

from engine.bundle import Bundle, read_bundle
from engine.types import InputError
from training.datasets.dataset import read_dataset, snapshot_sha256
from training.datasets.sample import Sample
from training.export import export_bundle
from training.golden import answered, one_of_each, shown_by
from training.kept_words import encoder_of
from training.model.backbone import Backbone
from training.model.promptmad import PromptMAD
from training.pictures import Good
from training.prepare import Goods, fill_prompt, read_goods
from training.prompts import Table, TextEncoder, build_table
from training.report import Report
from training.run import STEPS, Run, load_tensors
from training.spec import Given, RunSpec, path_of
from training.train import settle
from training.words import Words, read_words

PER_PRODUCT = ("prompt.", "memory.tokens.", "context.tokens.", "words.table", "fusion.")
"""Of a model's tensors, those with a row a product."""


def added_spec(base: Path, data: Path, product: str, words: Path | None) -> RunSpec:
    """The specification of a run that adds ``product`` to the finished run at ``base``.

    :class:`InputError` where that run is not finished, or knows the product already.
    """
    path = base / "run.json"
    try:
        there = RunSpec.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{base} holds no run of 'inspector train': name another.") from error
    model = Run(base, there).model
    if there.kind == "pretrain" or not model.is_file():
        raise InputError(f"{base} holds no finished model: let its 'inspector train' end first.")
    if product in there.products:
        raise InputError(f"The model in {base} knows {product!r} already: name another product.")
    dataset = read_dataset(data)
    new = snapshot_sha256(dataset.train_goods(dataset.chosen([product])), data)
    return there.model_copy(
        update={
            "kind": "add",
            "data": data.resolve(),
            "data_sha256": sha256(f"{there.data_sha256} {new}".encode()).hexdigest(),
            "products": (*there.products, product),
            "words": Given.file(words),
            "base": Given.file(model),
        }
    )


@torch.no_grad()
def add_product(run: Run, report: Report, fabric: Fabric) -> Path:
    """Add the last of the run's products; returns the bundle's folder."""
    spec = run.spec
    assert spec.base is not None
    base = read_bundle(spec.base.path.parent / "bundle")
    table = _grown_table(base, spec.products[-1], encoder_of(spec), read_words(path_of(spec.words)))
    model = _grown_model(spec, spec.base.path, table).to(fabric.device)
    report("reading good parts", 0.0, "")
    samples = read_dataset(spec.data).train_goods(spec.products[-1:])
    goods = _read(samples, spec)
    report("remembering good parts", 0.0, f"a {model.config.prompt} for {spec.products[-1]}")
    fill_prompt(model, goods, spec.config.seed)
    known = [*base.goods, *settle(model, goods, samples, run, report)]
    pictures = base.manifest.training.pictures + len(samples)
    added = one_of_each(goods.held_out, spec.config.damage, spec.config.seed)
    golden = answered(model.cpu(), [*shown_by(base.golden), *added])
    return export_bundle(model, table, run, known, golden, pictures, base.manifest.backbone)


def _read(samples: Sequence[Sample], spec: RunSpec) -> Goods:
    """The new product's goods, numbered as the last of the model's products."""
    config, last = spec.config, len(spec.products) - 1
    goods = read_goods(samples, config.model.input_px, config.held_out, config.seed)
    return Goods(*(_of(last, some) for some in (goods.fitted, goods.held_out)))


def _of(product: int, goods: Sequence[Good]) -> Sequence[Good]:
    return [replace(good, product=product) for good in goods]


def _grown_table(base: Bundle, product: str, encoder: TextEncoder, words: Words) -> Table:
    """The base's words as they are, and those of one more product by the same encoder."""
    if encoder.name != base.manifest.text.encoder:
        raise InputError(
            f"{base.folder} has words by {base.manifest.text.encoder}, and its run would now use "
            f"{encoder.name}: train all products anew."
        )
    new, old = build_table([product], encoder, words), base.prompts
    said = {p: w.model_dump() for p, w in old.words.items()} | dict(new.words)
    rows = np.concatenate([old.embeddings, new.embeddings])
    return Table(said, rows, encoder.name, encoder.note)


def _grown_model(spec: RunSpec, weights: Path, table: Table) -> PromptMAD:
    """The base's model with room for one more product."""
    tensors, said = load_tensors(weights)
    config = spec.config.model
    backbone = Backbone(config.backbone, config.input_px)
    sizes = config.within(backbone.channels)
    model = PromptMAD(sizes, backbone, torch.from_numpy(table.embeddings)).eval()
    _of_this_version(tensors, model.state_dict(), weights)
    model.load_state_dict(_with_room(tensors, model.state_dict()))
    model.steps = int(said[STEPS])
    return model.requires_grad_(requires_grad=False)


def _of_this_version(old: Mapping[str, Tensor], new: Mapping[str, Tensor], weights: Path) -> None:
    odd = sorted(old.keys() ^ new.keys())
    if odd:
        raise InputError(
            f"{weights} was trained by another version of this program: of its parts {odd[0]} and "
            f"{len(odd) - 1} more differ. Train all anew, or add this product with that version."
        )


def _with_room(old: Mapping[str, Tensor], new: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The old tensors; those with a row a product end with the new model's last row."""
    return {
        key: torch.cat([old[key], tensor[-1:]]) if key.startswith(PER_PRODUCT) else old[key]
        for key, tensor in new.items()
    }
