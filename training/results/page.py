"""A report as people read it: one HTML page that holds its pictures, and its numbers beside it."""

import csv
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from engine.bundle import Bundle
from engine.detector import Detector
from engine.files import whole_file
from training.evaluate import Evaluation, Judged, as_json, latency, percent, rows
from training.metrics import Metrics, auroc_error
from training.report import Report
from training.results import gallery, plots
from training.setting import Setting, setting

USUAL_LIMIT = 1.0  # by the scales of a bundle: as strange as the strangest of fifty good parts


def write_report(
    result: Evaluation,
    bundle: Bundle,
    detector: Detector,
    limits: Mapping[str, float],
    out: Path,
    report: Report,
) -> Path:
    """``report.html``, ``metrics.json``, ``metrics.csv`` and ``pictures.csv`` in the folder."""
    _write_text(out / "metrics.json", as_json(result, bundle.folder, detector) + "\n")
    names = [f.name for f in fields(Metrics)]
    each = ([p, n, *asdict(m).values()] for p, n, m in rows(result))
    _write_table(out / "metrics.csv", ["product", "pictures", *names], each)
    judged = (j for some in result.judged.values() for j in some)
    _write_table(
        out / "pictures.csv", ["product", "label", "path", "score", "ms"], map(_row, judged)
    )
    products = [
        _product(name, some, result.products[name], detector, limits.get(name), report)
        for name, some in result.judged.items()
    ]
    page = Environment(loader=PackageLoader("training.results"), autoescape=True)
    text = page.get_template("report.html").render(
        title=bundle.manifest.name,
        heads=[name.replace("_", " ") for name in names],
        rows=[(p, n, [percent(v) for v in asdict(m).values()]) for p, n, m in rows(result)],
        latency=_latency(result.every),
        made_by=_made_by(setting(detector)),
        curves=_uri(plots.curves(result), "png"),
        colours=plots.colours(result),
        products=products,
        settings=dict(_settings(bundle, detector)),
    )
    _write_text(out / "report.html", text)
    return out / "report.html"


def _product(
    name: str,
    judged: list[Judged],
    metrics: Metrics,
    detector: Detector,
    limit: float | None,
    report: Report,
) -> dict[str, Any]:
    """What the page says of one product."""
    report("drawing the report", 0.0, name)
    shown = {
        title: [
            s._asdict() | {"uri": _uri(s.jpeg, "jpeg")}
            for s in gallery.shown(detector, some, _heat(limit))
        ]
        for title, some in gallery.groups(judged).items()
    }
    return {
        "name": name,
        "histogram": _uri(plots.histogram(judged, limit), "png"),
        "ranked": _ranked(judged, metrics.image_auroc),
        "at_limit": _at(judged, limit),
        "latency": _latency(judged),
        "groups": shown,
    }


def _latency(judged: list[Judged]) -> str:
    """Picture to map."""
    found = latency(judged)
    return f"p50 {found['p50_ms']:.1f} ms, p95 {found['p95_ms']:.1f} ms over {len(judged)} pictures"


def _made_by(made: Setting) -> str:
    """What the milliseconds hold for, in one line."""
    return (
        f"{made.cpu}, {_threads(made)}, {made.runtime} {made.runtime_version} in {made.precision}, "
        f"{made.input_width_px} × {made.input_height_px} px, {made.steps} refinement steps"
    )


def _threads(made: Setting) -> str:
    if made.threads_fixed:
        return f"{made.threads} threads on {made.cores} cores"
    return f"up to {made.threads} threads, one a core, as the runtime chooses"


def _heat(limit: float | None) -> float:
    """Where the heat is drawn round: raw limits may be zero or less, a scale may not."""
    return limit if limit is not None and limit > 0 else USUAL_LIMIT


def _ranked(judged: list[Judged], auroc: float | None) -> str:
    """How well the scores part good from defective, and how sure so few pictures make of it."""
    bad = sum(j.sample.is_defective for j in judged)
    good = len(judged) - bad
    if auroc is None:
        return "Without both good and defective parts nothing says how well they are told apart."
    error = auroc_error(auroc, good, bad)
    sure = f" ± {percent(error)}, one standard error," if error else ""
    return f"Image AUROC {percent(auroc)}{sure} by {good} good and {bad} defective parts."


def _at(judged: list[Judged], limit: float | None) -> str:
    """How the limit does on these pictures, in words."""
    if limit is None:
        return "No recipe was given: no limit is drawn."
    good = [j for j in judged if not j.sample.is_defective]
    bad = [j for j in judged if j.sample.is_defective]
    rejected, missed = sum(j.score > limit for j in good), sum(j.score <= limit for j in bad)
    return (
        f"At the recipe's limit of {limit:.4g}: {rejected} of {len(good)} good pictures rejected, "
        f"{missed} of {len(bad)} defective ones missed."
    )


def _settings(bundle: Bundle, detector: Detector) -> Iterable[tuple[str, object]]:
    """What made these numbers, a line each."""
    said, plan, measured = bundle.manifest, detector.plan, setting(detector)
    yield "bundle", f"{said.name}, sha256 {bundle.sha256}"
    yield "model", f"{said.model}, {plan.steps} refinement steps ({said.refinement.mode})"
    yield "picture", f"{said.input.width} × {said.input.height} px"
    yield "trunk", f"{said.backbone.name}, {said.backbone.weights} ({said.backbone.licence})"
    yield "words", said.text.encoder
    made = said.training
    yield "training", f"{made.pictures} good pictures, {made.minutes} minutes, seed {made.seed}"
    yield "training set", f"sha256 {made.snapshot_sha256}"
    yield "runtime", f"{plan.runtime} {plan.runtime_version}, {plan.precision}"
    yield "plan", f"sha256 {measured.plan_sha256}"
    yield "machine", f"{measured.cpu}, {measured.cores} cores"
    yield "threads", _threads(measured)
    yield "program", f"promptmad-inspector {said.project_version}"


def _row(judged: Judged) -> list[object]:
    sample = judged.sample
    return [sample.product, sample.label, sample.path, judged.score, f"{judged.ms:.2f}"]


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode()}"


def _write_table(path: Path, heads: list[str], lines: Iterable[Iterable[object]]) -> None:
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(heads)
        table.writerows(lines)


def _write_text(path: Path, text: str) -> None:
    with whole_file(path) as part:
        part.write_text(text, "utf-8")
