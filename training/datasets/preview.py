"""A sheet of synthetic anomalies: what training will be shown, to be looked at before it is."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.files import whole_file
from engine.types import Image, Mask
from training.config import TrainConfig
from training.datasets.sample import Sample, load, load_taken
from training.datasets.synthesis import spoil, vary
from training.report import Report
from training.seeds import stream

SPOILT = 7  # pictures a product, beside the good one
INCHES = 1.6  # a picture's side on the sheet
DPI = 120


def draw_sheet(
    samples: Sequence[Sample],
    textures: Sequence[Image],
    config: TrainConfig,
    seed: int,
    out: Path,
    report: Report,
) -> None:
    """A row a product: a good part, then parts spoilt, masks outlined and kinds named.

    Pictures have the size that the model will see. Without ``textures`` the goods lend theirs.
    """
    side = config.model.input_px
    products = list(dict.fromkeys(s.product for s in samples))
    figure = Figure(figsize=((1 + SPOILT) * INCHES, len(products) * 1.15 * INCHES), dpi=DPI)
    grid = figure.subplots(len(products), 1 + SPOILT, squeeze=False)
    for i, (product, row) in enumerate(zip(products, grid, strict=True)):
        report("spoiling good parts", (i + 1) / len(products), product)
        own = [s for s in samples if s.product == product]
        _show(row[0], load(own[0], side), None, product)
        for j, axes in enumerate(row[1:]):
            rng = stream(seed, "preview", i, j)
            good, taken_px = load_taken(own[int(rng.integers(len(own)))], side)
            other = int(rng.integers(len(textures or samples)))
            donor = textures[other] if textures else load(samples[other], side)
            spoilt = spoil(vary(good, rng), donor, rng, config.damage, taken_px)
            _show(axes, spoilt.image, spoilt.mask, spoilt.kind)
    figure.tight_layout(pad=0.4)
    with whole_file(out) as part:
        figure.savefig(part, format="png")


def _show(axes: Axes, image: Image, mask: Mask | None, words: str) -> None:
    axes.set_axis_off()
    axes.set_title(words, fontsize=8, parse_math=False)
    axes.imshow(image)
    if mask is not None and mask.any():
        axes.contour(mask, levels=[0.5], colors="red", linewidths=0.6)
