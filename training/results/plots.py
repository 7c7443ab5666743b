"""The pictures of a report: curves of every product, histograms of its scores."""

from collections.abc import Sequence
from io import BytesIO

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from training.evaluate import Evaluation, Judged

GOOD, DEFECTIVE, LIMIT = "#4477aa", "#ee6677", "#222222"
LINES = [to_hex(colour) for colour in colormaps["tab20"]([*range(0, 20, 2), *range(1, 20, 2)])]
"""Of products, in their order and over again. A page names them beside its own text: a figure has
no fonts for every name there is, and reads ``_`` and ``$`` in its own way."""
DPI = 110


def colours(result: Evaluation) -> dict[str, str]:
    """Each product's."""
    return {product: LINES[i % len(LINES)] for i, product in enumerate(result.judged)}


def curves(result: Evaluation) -> bytes:
    """ROC and precision over recall of the image scores, a line a product (PNG)."""
    figure = Figure(figsize=(10, 4.6), dpi=DPI)
    roc, pr = figure.subplots(1, 2)
    for product, colour in colours(result).items():
        judged = result.judged[product]
        labels, scores = _labels(judged), [j.score for j in judged]
        if len(set(labels)) < 2:
            continue
        fpr, tpr, _ = roc_curve(labels, scores)
        roc.plot(fpr, tpr, color=colour)
        precision, recall, _ = precision_recall_curve(labels, scores)
        pr.step(recall, precision, where="post", color=colour)
    _name(roc, "ROC, image AUROC", "share of good parts rejected", "share of defective parts found")
    _name(pr, "Precision over recall, image AP", "recall", "precision")
    return _png(figure)


def histogram(judged: Sequence[Judged], limit: float | None) -> bytes:
    """Raw scores of good and defective parts, and the limit between them (PNG)."""
    figure = Figure(figsize=(4.6, 2.4), dpi=DPI)
    axes = figure.subplots()
    good, bad = (
        [j.score for j in judged if j.sample.is_defective == kind] for kind in (False, True)
    )
    axes.hist(
        [good, bad], bins=30, label=["good", "defective"], color=[GOOD, DEFECTIVE], stacked=True
    )
    if limit is not None:
        axes.axvline(limit, color=LIMIT, linestyle="--", label=f"limit {limit:.3g}")
    axes.set_xlabel("raw score")
    axes.set_ylabel("pictures")
    # At a fixed place: the "best" one is sought among all bars, which takes seconds where many are.
    axes.legend(fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)
    return _png(figure)


def _labels(judged: Sequence[Judged]) -> list[bool]:
    return [j.sample.is_defective for j in judged]


def _name(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.grid(alpha=0.3)


def _png(figure: Figure) -> bytes:
    figure.tight_layout(pad=0.6)
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
