"""Variants of configurations, trained side by side from one pool of pictures, by halves.

    python benchmarks/search.py DATA --backbone-weights FILE --plan PLAN.json --out RESULTS

PLAN is {"pictures": N, "together": processes at once, "variants": {NAME: {"config": NAME,
"settings": {over the configuration's}, "steps": [numbers of refinement steps]}}}. The plans that
gave what stands in benchmarks/results lie there. For looking, not for choosing on: see
benchmarks/halves.py. A variant's time says little: they share the machine.

Synthetic pictures are drawn once for all variants of one size and damage and read from memory, or
the processes would wait for one another's drawings. Few processes at once: a GPU takes turns
between them (four on an H100 took 67 ms a step each).
"""

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from halves import Test, figures, kept_test, line
from numpy.typing import NDArray
from torch import Tensor

from training.average import Average
from training.axes import fit_axes
from training.config import TrainConfig, config_named, over
from training.datasets.dataset import read_dataset
from training.datasets.sample import Sample
from training.fit import Stage, schedule
from training.model.backbone import load_backbone
from training.model.promptmad import PromptMAD
from training.pictures import Drawn, Pictures
from training.prepare import fill_prompt, read_goods
from training.prompts import HashEncoder, build_table
from training.rows import Batch, RowMaker, stacked
from training.scales import fit_scales
from training.seeds import stream, torch_stream
from training.stages import stages

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
AT_ONCE = 32


@dataclass(frozen=True)
class Variant:
    """What one process needs to know; pool and test lie in files."""

    name: str
    config: TrainConfig
    steps: tuple[int, ...]
    data: Path
    weights: Path
    pool: Path
    test: Path
    out: Path


class Pool:
    """Drawn pictures, memory-mapped; stands where :class:`training.pictures.Pictures` does."""

    def __init__(self, folder: Path, mode: str = "r") -> None:
        self._parts = [np.load(folder / f"{n}.npy", mmap_mode=mode) for n in Drawn._fields]

    def __len__(self) -> int:
        return len(self._parts[0])

    def draw(self, rows: NDArray[np.integer]) -> Drawn:
        return Drawn(*(torch.from_numpy(np.asarray(part[rows])) for part in self._parts))

    def keep(self, rows: NDArray[np.integer], drawn: Drawn) -> None:
        for part, values in zip(self._parts, drawn, strict=True):
            part[rows] = values.numpy()


def goods_of(data: Path) -> list[Sample]:
    dataset = read_dataset(data)
    return dataset.train_goods(dataset.chosen([]))


def make_pool(config: TrainConfig, data: Path, count: int, folder: Path) -> None:
    """Draw the pictures on all cores."""
    side = config.model.input_px
    goods = read_goods(goods_of(data), side, config.held_out, config.seed).fitted
    donors = [g.image for g in goods]
    pictures = Pictures(goods, donors, config.seed, config.clean_share, config.damage)
    folder.mkdir(parents=True)
    first = pictures.draw(range(1))
    for name, part in zip(Drawn._fields, first, strict=True):
        shape, dtype = (count, *part.shape[1:]), part.numpy().dtype
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape)
    chunks = np.array_split(np.arange(count), max(1, count // AT_ONCE))
    fork = multiprocessing.get_context("fork")
    with fork.Pool(os.cpu_count(), _begin, (pictures, folder)) as workers:
        for _ in workers.imap_unordered(_draw, chunks):
            pass


def _begin(pictures: Pictures, folder: Path) -> None:
    global _drawing
    _drawing = pictures, Pool(folder, "r+")


def _draw(rows: NDArray[np.integer]) -> None:
    pictures, pool = _drawing
    pool.keep(rows, pictures.draw(rows))


_drawing: tuple[Pictures, Pool]


def train(variant: Variant) -> None:
    """Fit, measure, and write RESULTS/NAME.json."""
    torch.set_num_threads(2)
    torch.set_float32_matmul_precision("high")
    config, began = variant.config, time.monotonic()
    torch.manual_seed(config.seed)
    samples = goods_of(variant.data)
    products = list(dict.fromkeys(s.product for s in samples))
    table = build_table(products, HashEncoder(config.model.text_dim))
    side = config.model.input_px
    backbone = load_backbone(config.model.backbone, variant.weights, side)
    sizes = config.model.within(backbone.channels)
    model = PromptMAD(sizes, backbone, torch.from_numpy(table.embeddings)).eval().to(DEVICE)
    goods = read_goods(samples, side, config.held_out, config.seed)
    with torch.no_grad():
        fit_axes(model, goods.fitted, config.seed)
        fill_prompt(model, goods, config.seed)
    pool = Pool(variant.pool)
    maker = RowMaker(model, pool)  # type: ignore[arg-type]
    model.to(memory_format=torch.channels_last)
    for stage, steps in zip(
        stages(config), (config.segmentor_steps, config.refiner_steps), strict=True
    ):
        fit_stage(stage, model, maker, len(pool), steps, config)
    fit_scales(model, goods.held_out)
    said = measured(model, kept_test(variant.data, side, variant.test), variant.steps)
    said |= {"settings": config.model_dump(mode="json"), "seconds": time.monotonic() - began}
    (variant.out / f"{variant.name}.json").write_text(json.dumps(said), "utf-8")
    for what in ("segmentor", "memory", *map(str, variant.steps)):
        print(line(f"{variant.name}: {what}", said[what]), flush=True)


def fit_stage(
    stage: Stage[PromptMAD, Batch],
    model: PromptMAD,
    maker: RowMaker,
    count: int,
    steps: int,
    config: TrainConfig,
) -> None:
    """As :func:`training.fit.fit`, without checkpoints, clock and log."""
    parameters = list(stage.parameters(model))
    rate, decay = config.learning_rate, config.weight_decay
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    average = Average(parameters, config.ema)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * schedule(step / steps)
        rng = stream(config.seed, stage.name, step)
        batch = maker.batch(np.sort(rng.integers(0, count, config.batch)), DEVICE)
        with torch.autocast(DEVICE.type, torch.bfloat16):
            loss = stage.loss(model, batch, torch_stream(config.seed, stage.name, step))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, config.gradient_clip)
        optimiser.step()
        average.update(step)
    if steps:
        average.settle()


@torch.no_grad()
def measured(model: PromptMAD, test: Test, steps: Sequence[int]) -> dict[str, Any]:
    """Figures by half: of both maps joined, by number of refinement steps, and of each alone, the
    segmentor's at the first of those numbers."""
    fusion, apart = model.fusion, ("segmentor", "memory")
    found: dict[str, list[tuple[Tensor, Tensor]]] = {n: [] for n in (*apart, *map(str, steps))}
    for first in range(0, len(test.images), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        product = torch.from_numpy(test.product[some]).to(DEVICE)
        coarse = model.look(stacked(test.images[some]), product)
        for i, n in enumerate(steps):
            both = fusion.channels(model.finished(coarse, n), coarse.distance, product).unbind(1)
            found[str(n)].append(fusion.judged(*both))
            if not i:
                for name, own in zip(apart, both, strict=True):
                    found[name].append((own, fusion.score(own)))
    whole = {name: map(torch.cat, zip(*parts, strict=True)) for name, parts in found.items()}
    return {name: figures(test, *both) for name, both in whole.items()}


def planned(plan: dict[str, Any], wanted: argparse.Namespace) -> Iterable[Variant]:
    """Each variant, its pool drawn."""
    for name, said in plan["variants"].items():
        settings = config_named(said["config"]).model_dump()
        config = TrainConfig.model_validate(over(settings, said.get("settings", {})))
        side, damage = config.model.input_px, config.damage.model_dump().values()
        pool = wanted.pools / "-".join(f"{v:g}" for v in (side, config.clean_share, *damage))
        if not pool.exists():
            make_pool(config, wanted.data, plan["pictures"], pool)
        test, steps = wanted.pools / f"test-{side}.npz", tuple(said.get("steps", [0]))
        kept_test(wanted.data, side, test)
        where = (wanted.data, wanted.backbone_weights, pool, test, wanted.out)
        yield Variant(name, config, steps, *where)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--backbone-weights", type=Path, required=True)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pools", type=Path, help="where drawn pictures lie; RESULTS/pools")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    wanted.pools = wanted.pools or wanted.out / "pools"
    wanted.pools.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(0)
    plan = json.loads(wanted.plan.read_text("utf-8"))
    spawn, running = multiprocessing.get_context("spawn"), []
    for variant in planned(plan, wanted):
        while sum(p.is_alive() for p in running) >= plan["together"]:
            time.sleep(0.5)
        running.append(spawn.Process(target=train, args=(variant,)))
        running[-1].start()
    for process in running:
        process.join()


if __name__ == "__main__":
    main()
