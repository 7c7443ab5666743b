"""A run from folders of good parts to a bundle: prepare, cache, train, scale, export."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric

from engine.known import KnownGood
from engine.types import Image, InputError
from training.axes import fit_axes
from training.cache import FeatureCache
from training.datasets.dataset import read_dataset
from training.datasets.sample import Sample
from training.datasets.suspects import write_ranked
from training.datasets.textures import read_textures
from training.export import describe_backbone, export_bundle
from training.fit import fit
from training.golden import answered, one_of_each
from training.kept_words import encoder_of
from training.model.backbone import load_backbone
from training.model.promptmad import PromptMAD
from training.pictures import Pictures
from training.prepare import Goods, fill_prompt, read_goods
from training.processes import launched, told_once
from training.prompts import build_table
from training.ranking import as_known, rank, some_of_each
from training.refinement import fewest, measure_steps
from training.report import Report
from training.rows import Batch, RowMaker, Rows
from training.run import STEPS, Run, load_tensors, save_tensors
from training.scales import fit_scales
from training.spec import path_of
from training.stages import stages
from training.tracking import finished
from training.words import read_words

CACHE = "cache"  # folder of a run's rows
UNTIL = {"cache": 0.4, "segmentor": 0.84, "refiner": 0.94}
"""Share of the run's minutes by which a stage gives way to the next."""
PREPARED = ("neck.", "detail.", "prompt.", "memory.", "context.")
"""Of the model's weights, those that are fitted to goods and not trained."""


def train(run: Run, report: Report, fabric: Fabric | None = None) -> Path:
    """Run, or resume, all stages; returns the bundle's folder.

    Of several processes rank 0 prepares and exports, all train.

    Torch's own generator is seeded for the initial weights; every later draw has its own seed.
    """
    spec, config = run.spec, run.spec.config
    fabric = fabric or launched(config)
    run.writes, report = fabric.is_global_zero, told_once(report, fabric)
    torch.manual_seed(config.seed)
    words = read_words(path_of(spec.words))  # words and trunk first: what is wrong shows at once
    table = build_table(spec.products, encoder_of(spec), words)
    backbone = load_backbone(
        config.model.backbone, path_of(spec.backbone_weights), config.model.input_px
    )
    sizes = config.model.within(backbone.channels)
    model = PromptMAD(sizes, backbone, torch.from_numpy(table.embeddings)).eval()
    model.to(fabric.device)
    report("reading good parts", 0.0, "")
    samples = read_dataset(spec.data).train_goods(spec.products)
    goods = read_goods(samples, config.model.input_px, config.held_out, config.seed)
    with fabric.rank_zero_first():
        _prepare(model, goods, run, report)
        rows, count = _rows(model, goods, run, report, fabric)
    _fit_stages(model, rows, count, run, report, fabric)
    if fabric.is_global_zero:
        report("choosing refinement steps", 0.0, "")
        model.steps = _choose_steps(model, goods, run)
        known = settle(model, goods, samples, run, report)
        golden = answered(model.cpu(), one_of_each(goods.held_out, config.damage, config.seed))
        export_bundle(model, table, run, known, golden, len(samples), describe_backbone(spec))
        finished(run)
    fabric.barrier()
    return run.bundle


def settle(
    model: PromptMAD, goods: Goods, samples: Sequence[Sample], run: Run, report: Report
) -> list[KnownGood]:
    """What the weights are followed by: scales, a ranking of the goods, the model on disk. Returns
    the goods as a bundle lists them."""
    report("setting scales", 0.0, "")
    fit_scales(model, goods.held_out)
    ranked = rank(model, some_of_each(goods.every), samples, report)
    write_ranked(ranked, run.folder)
    save_tensors(model.state_dict(), run.model, {STEPS: str(model.steps)})
    report("exporting the bundle", 0.0, "")
    return as_known(ranked, samples)


@torch.no_grad()
def _prepare(model: PromptMAD, goods: Goods, run: Run, report: Report) -> None:
    """Axes and prompt: fitted once and kept, since cached rows are in their basis."""
    kept, seed = run.folder / "prepared.safetensors", run.spec.config.seed
    if kept.is_file():
        model.load_state_dict(load_tensors(kept)[0], strict=False)
        return
    report("fitting the axes", 0.0, f"{len(goods.fitted)} goods")
    fit_axes(model, goods.fitted, seed)
    report("remembering good parts", 0.0, f"a {model.config.prompt} for each product")
    fill_prompt(model, goods, seed)
    state = model.state_dict()
    save_tensors({k: v for k, v in state.items() if k.startswith(PREPARED)}, kept, {})


def _rows(
    model: PromptMAD, goods: Goods, run: Run, report: Report, fabric: Fabric
) -> tuple[Rows, int]:
    """Where batches come from, and how many rows there are.

    A GPU makes features faster than a disk would give them back; a CPU makes each once, where the
    disk has room for them. A finished run needs none, and its cache may have been taken away.
    """
    config = run.spec.config
    donors, damage = _donors(goods, run), config.damage
    pictures = Pictures(goods.fitted, donors, config.seed, config.clean_share, damage)
    maker = RowMaker(model, pictures)
    ended = run.model.is_file() and not (run.folder / CACHE).exists()
    if ended or not run.caches or fabric.device.type == "cuda":
        return maker, run.state.cached or config.pictures
    if run.state.stage != "cache" and not run.state.cached:
        raise InputError(
            f"{run.folder} was begun without a cache, as on a GPU: go on with it on one or with "
            "--no-cache, or give a new --out."
        )
    cache = _cache(maker, run, report)
    return cache, cache.made


def _cache(maker: RowMaker, run: Run, report: Report) -> FeatureCache:
    """Make rows until there are enough or their time is up; at least a batch of them."""
    config = run.spec.config
    if not run.writes:
        run.catch_up()
    cache = FeatureCache(run.folder / CACHE, config.pictures, maker.model, run.state.cached)
    share, size = cache.made / cache.rows, f"{cache.megabytes:.0f} MB in all"
    report("caching frozen features", share, size)
    if run.writes and run.state.stage == "cache":
        cache.need_room()
    while run.writes and run.state.stage == "cache" and cache.made < cache.rows:
        if run.share_spent() > UNTIL["cache"] and cache.made >= config.batch:
            break
        cache.fill(maker, torch.device("cpu"))
        run.advance("cache", cache.made)
        note = f"{cache.made} of {cache.rows} pictures, {size}"
        report("caching frozen features", cache.made / cache.rows, note)
    return cache


def _donors(goods: Goods, run: Run) -> Sequence[Image]:
    """The user's textures or, without any, the goods of all products."""
    folder = path_of(run.spec.textures)
    if folder is None:
        return [good.image for good in goods.fitted]
    return read_textures(folder, run.spec.config.model.input_px)


def _choose_steps(model: PromptMAD, goods: Goods, run: Run) -> int:
    """As many as pay; what each number gave stands in RUN/refinement.json."""
    config = run.spec.config
    quality = measure_steps(model, goods.held_out, config.seed, config.damage)
    run.note("refinement.json", {str(steps): asdict(q) for steps, q in quality.items()})
    return fewest(quality)


def _fit_stages(
    model: PromptMAD, rows: Rows, count: int, run: Run, report: Report, fabric: Fabric
) -> None:
    config = run.spec.config
    steps = {"segmentor": config.segmentor_steps, "refiner": config.refiner_steps}
    order = [stage for stage in stages(config) if steps[stage.name]]
    names = [stage.name for stage in order]
    model.to(memory_format=torch.channels_last)
    first = names.index(run.state.stage) if run.state.stage in names else 0

    def batches(rngs: Iterator[np.random.Generator]) -> Iterator[Batch]:
        drawn = (np.sort(rng.integers(0, count, config.batch)) for rng in rngs)
        own = (every[fabric.global_rank :: fabric.world_size] for every in drawn)
        return rows.batches(own, fabric.device)

    for stage in order[first:]:
        until = UNTIL[stage.name]
        fit(stage, model, batches, run, steps[stage.name], until, report, config.ema, fabric)
