"""What a plan costs on this machine, from the grab to the committed row of a real station.

A part that is OK and one that is NG cost differently: of the latter an overlay is drawn and three
pictures are saved. So a station is run twice over the same pictures, with limits that no score and
that every score exceeds; of the first picture's places a hundredth does, as of a part with a
defect. There is no stage "correct" yet: no station corrects what a camera gives.
"""

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Annotated, Any, Self
from urllib.parse import urlencode

import cv2
import numpy as np
import psutil
import typer

from calibration.recipe import Recipe, Threshold, write_recipe
from engine.bench import percentiles
from engine.cli import AsJson, PlanFolder, Threads
from engine.detector import Detector
from engine.manifest import PlanManifest, Size
from engine.parity import cloud_pictures
from engine.peak import peak_gflops
from engine.pictures import list_pictures, read_picture
from engine.plan import read_plan
from engine.types import Image, InputError
from inspector.app import run_headless
from inspector.pipeline.inspection import Inspection
from inspector.settings import StationSettings
from inspector.station import StationSession

NEVER = 1e30
"""A score that no picture has."""
WARM_UP = 10
"""Parts that are judged before any is counted."""
MOST_SAVED = 500 * 2**20
"""Bytes of NG parts' pictures, unpacked and without views: ten thousand would fill a disk."""
MADE_UP = 8
DEFECTIVE = 1.0
"""Percentage of a picture's places that a defect takes."""
MB = 2**20


class Stopwatch:
    """A screen that only keeps each part's times, and what the process holds."""

    def __init__(self) -> None:
        self.stages: dict[str, list[float]] = defaultdict(list)
        self.rss: list[int] = []
        self.seconds = 0.0
        self._seen, self._process, self._began = 0, psutil.Process(), 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds = time.perf_counter() - self._began

    def write(self, inspection: Inspection) -> Inspection:
        self._seen += 1
        if self._seen == WARM_UP:
            self._began = time.perf_counter()
        if self._seen <= WARM_UP:
            return inspection
        if inspection.prediction is None:
            raise InputError(f"A picture could not be judged ({inspection.reason}): name others.")
        for stage, ms in inspection.stages_ms.items():
            self.stages[stage].append(ms)
        self.stages["total"].append(sum(inspection.stages_ms.values()))
        self.rss.append(self._process.memory_info().rss)
        return inspection

    def said(self) -> dict[str, Any]:
        """Percentiles by stage, parts a second, memory held and how much that grew."""
        stages = {stage: percentiles(ms) for stage, ms in self.stages.items()}
        return {
            "stages_ms": stages,
            "parts_per_s": round(len(self.rss) / self.seconds, 2),
            "rss_mb": round(self.rss[-1] / MB, 1),
            "rss_grown_mb": round((self.rss[-1] - self.rss[0]) / MB, 2),
        }


def measured(
    plan: Path, product: str, pictures: Path, rounds: int, threads: int | None, limit: Threshold
) -> dict[str, Any]:
    """A station's run over ``rounds`` parts with one limit."""
    with TemporaryDirectory() as name:
        folder, watch = Path(name), Stopwatch()
        sha256 = read_plan(plan).manifest.bundle_sha256
        recipe = Recipe(name="bench", bundle_sha256=sha256, products={product: limit})
        write_recipe(recipe, folder / "recipe.json")
        settings = StationSettings(
            name="bench",
            camera=f"folder:{pictures}?{urlencode({'product': product, 'loop': 'true'})}",
            plan=plan,
            recipe=folder / "recipe.json",
            out=folder / "out",
            product=product,
            threads=threads,
        )
        run_headless(StationSession(settings, rounds + WARM_UP), watch)
        return watch.said()


def _limit(score: float, place: float) -> Threshold:
    return Threshold(
        score=score, map=place, interval=(score, score), false_reject_rate=0.01, goods=1
    )


def usual_place(plan: Path, product: str, picture: Image, threads: int | None) -> float:
    """What the strangest :data:`DEFECTIVE` percent of a picture's places exceed."""
    with Detector.open(plan, threads) as detector:
        found = detector.detect(picture, product)
    return float(np.percentile(found.map, 100 - DEFECTIVE))


def made_up(folder: Path, side_px: int) -> None:
    """Pictures of clouds, as PNG."""
    size = Size(height=side_px, width=side_px)
    for i, picture in enumerate(cloud_pictures(size, MADE_UP, np.random.default_rng(0))):
        cv2.imwrite(str(folder / f"{i}.png"), picture)


def arithmetic(plan: PlanManifest, infer_ms: float, threads: int | None) -> dict[str, Any]:
    """How near inference comes to what the machine can multiply, measured now; of a GPU nobody
    measures it."""
    if plan.runtime == "tensorrt":
        return {"gflop": plan.gflop}
    peak = peak_gflops(threads)
    said: dict[str, Any] = {"gflop": plan.gflop, "peak_gflops": round(peak, 1)}
    if plan.gflop is not None:
        said["infer_gflops"] = round(plan.gflop / infer_ms * 1e3, 1)
        said["share_of_peak"] = round(plan.gflop / infer_ms * 1e3 / peak, 3)
    return said


def bench(
    plan: PlanFolder,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder of pictures; made-up ones if not given.")
    ] = None,
    product: Annotated[str | None, typer.Option(help="The plan's first if not given.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Parts that are OK; fewer that are NG.")] = 200,
    side_px: Annotated[int, typer.Option(min=1, help="Side of a made-up picture.")] = 1024,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Measure a plan in a station: milliseconds by stage, memory, share of the machine's peak."""
    said = read_plan(plan).manifest
    shown = product or said.products[0]
    said.code(shown)
    with TemporaryDirectory() as name:
        folder = Path(name) if pictures is None else pictures
        if pictures is None:
            made_up(folder, side_px)
        found = list_pictures(folder)
        if len(found) < 2:
            raise InputError(f"{folder} has one picture, a camera that froze: name a folder of 2.")
        first = read_picture(found[0])
        ok, ng = _limit(NEVER, NEVER), _limit(-NEVER, usual_place(plan, shown, first, threads))
        saved = min(rounds, max(1, MOST_SAVED // first.nbytes))
        verdicts = {
            "OK": measured(plan, shown, folder, rounds, threads, ok),
            "NG": measured(plan, shown, folder, saved, threads, ng),
        }
    threads = threads or said.threads
    about = said.model_dump(mode="json", include={"runtime", "runtime_version", "precision"})
    about |= {"steps": said.steps, "threads": threads, "rounds": rounds, "product": shown}
    about |= arithmetic(said, verdicts["OK"]["stages_ms"]["infer"]["p50"], threads)
    typer.echo(json.dumps(about | verdicts) if as_json else _table(about, verdicts))


def _table(about: Mapping[str, Any], verdicts: Mapping[str, Any]) -> str:
    """For people."""
    lines = []
    for verdict, found in verdicts.items():
        stages = found["stages_ms"]
        lines.append(f"{verdict + ', ms':10}" + "".join(f"{p:>9}" for p in stages["total"]))
        lines += [_row(stage, list(values.values())) for stage, values in stages.items()]
        lines.append(
            f"{found['parts_per_s']} parts/s, {found['rss_mb']} MB, grown by "
            f"{found['rss_grown_mb']} MB\n"
        )
    lines.append(_work(about))
    return "\n".join(lines)


def _work(about: Mapping[str, Any]) -> str:
    """Of the arithmetic, as far as it is known."""
    gflop, peak = about["gflop"], about.get("peak_gflops")
    said = "GFLOP not known" if gflop is None else f"{gflop:.1f} GFLOP a picture"
    if peak is None:
        return said
    here = f"this machine multiplies {peak} GFLOP/s in f32"
    if gflop is None:
        return f"{said}; {here}"
    return f"{said}, {about['infer_gflops']} GFLOP/s; {here}: {about['share_of_peak']:.0%}"


def _row(stage: str, values: Sequence[float]) -> str:
    return f"{stage:10}" + "".join(f"{value:9.2f}" for value in values)
