"""100,000 triggers, every third with one of the faults below: no fault may come out as OK.

    python benchmarks/campaign.py [--triggers 100000] [--seed 0] [--work FOLDER]

The loop, the sinks, the database and the runtime are the station's own; the plan is a small one
made here, whose limits no part reaches, so that whatever is not caught would be an OK. Exits 1
where a record is missing, a counter does not reconcile, or a fault passed.
"""

import argparse
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from calibration.recipe import read_recipe
from engine.detector import Detector
from engine.types import DatabaseError, Image, InferenceError, Prediction
from inspector.camera.base import Frame, FrameFault
from inspector.camera.parts.render import FAMILIES, render
from inspector.db.log import InspectionLog, RunInfo
from inspector.pipeline.counters import Counters
from inspector.pipeline.frame_checks import FrameLimits
from inspector.pipeline.ids import uuid7_ids
from inspector.pipeline.inspection import Inspection, Reason, Verdict
from inspector.pipeline.loop import inspect
from inspector.pipeline.pictures import PictureSink
from inspector.pipeline.sinks import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.inspector.station_parts import make_station

SIDE = 64
DEADLINE_MS = 2000.0


def spoil(**changes: object) -> Callable[[Frame], Frame]:
    return lambda frame: replace(frame, **changes)


def repaint(paint: Callable[[Image], object]) -> Callable[[Frame], Frame]:
    return lambda frame: replace(frame, image=paint(frame.image))


FRAMES: dict[str, tuple[Callable[[Frame], Frame], Reason]] = {
    "incomplete": (spoil(image=None, fault=FrameFault.INCOMPLETE), Reason.INCOMPLETE_FRAME),
    "incomplete with pixels": (spoil(fault=FrameFault.INCOMPLETE), Reason.INCOMPLETE_FRAME),
    "no frame by the deadline": (spoil(image=None, fault=FrameFault.NO_FRAME), Reason.NO_FRAME),
    "trigger while not ready": (spoil(image=None, fault=FrameFault.NOT_READY), Reason.NOT_READY),
    "format the camera refused": (spoil(fault=FrameFault.WRONG_FORMAT), Reason.WRONG_FORMAT),
    "file that is no picture": (spoil(fault=FrameFault.NOT_A_PICTURE), Reason.NOT_A_PICTURE),
    "no code where one must be": (spoil(fault=FrameFault.NO_CODE), Reason.NO_CODE),
    "no pixels and no word": (spoil(image=None), Reason.NOT_A_PICTURE),
    "grey, not colour": (repaint(lambda image: image[..., 0]), Reason.WRONG_FORMAT),
    "four channels": (
        repaint(lambda image: np.dstack([image, image[..., :1]])),
        Reason.WRONG_FORMAT,
    ),
    "16 bits": (repaint(lambda image: image.astype(np.uint16)), Reason.WRONG_FORMAT),
    "empty": (repaint(lambda image: image[:0]), Reason.WRONG_FORMAT),
    "black": (repaint(lambda image: image // 64), Reason.BLACK_FRAME),
    "saturated": (repaint(lambda image: np.full_like(image, 255)), Reason.SATURATED_FRAME),
    "late grab": (spoil(grab_ms=1500.0), Reason.LATE_FRAME),
    "waited too long": (spoil(queue_ms=DEADLINE_MS + 1), Reason.LATE_RESULT),
    "product unknown": (spoil(product="gear"), Reason.UNKNOWN_PRODUCT),
    "product not said": (spoil(product=None), Reason.UNKNOWN_PRODUCT),
}


def answer(**changes: object) -> Callable[[Prediction], Prediction]:
    return lambda prediction: replace(prediction, **changes)


def with_map(value: float) -> Callable[[Prediction], Prediction]:
    def spoilt(prediction: Prediction) -> Prediction:
        scores = prediction.map.copy()
        scores[0, 0] = value
        return replace(prediction, map=scores)

    return spoilt


def refuse(error: Exception) -> Callable[[Prediction], Prediction]:
    def spoilt(prediction: Prediction) -> Prediction:
        raise error

    return spoilt


MODEL: dict[str, tuple[Callable[[Prediction], Prediction], Reason]] = {
    "score is no number": (answer(score=float("nan")), Reason.INVALID_SCORE),
    "score is infinite": (answer(score=float("inf")), Reason.INVALID_SCORE),
    "score is minus infinite": (answer(score=float("-inf")), Reason.INVALID_SCORE),
    "map holds no number": (with_map(float("nan")), Reason.INVALID_SCORE),
    "map holds an infinity": (with_map(float("inf")), Reason.INVALID_SCORE),
    "runtime refuses": (refuse(InferenceError("the runtime refuses")), Reason.INFERENCE_ERROR),
    "late result": (answer(stages_ms={"infer": DEADLINE_MS}), Reason.LATE_RESULT),
    "unforeseen error": (refuse(ZeroDivisionError("ours")), Reason.INTERNAL_ERROR),
    "defect, and no room for its pictures": (answer(score=1e9), Reason.DEFECT),
}
LOST, FROZEN, BACKWARDS, LOCKED = "lost", "frozen", "id goes back", "database locked"
ORDER = {
    LOST: Reason.LOST_FRAME,
    FROZEN: Reason.FROZEN_FRAME,
    BACKWARDS: Reason.OUT_OF_ORDER,
    LOCKED: None,  # no record, and nobody is told: the part comes again
}
KINDS = [*FRAMES, *MODEL, *ORDER]
EXPECTED = {
    **{kind: reason for kind, (_, reason) in FRAMES.items()},
    **{kind: reason for kind, (_, reason) in MODEL.items()},
    **ORDER,
}


@dataclass
class Line:
    """The triggers and what they meet; ``at`` is the one whose part the station has in hand."""

    kinds: list[str | None]
    pool: list[tuple[str, Image]]
    at: int = 0

    def frames(self, first: int) -> Iterator[Frame]:
        """From trigger ``first`` on, as one camera counts them: its ids begin with 0."""
        shown, shift = None, first
        for number in range(first, len(self.kinds)):
            kind = self.kinds[number]
            if kind == LOST:
                continue
            if kind == BACKWARDS:
                shift += min(2, number - shift)  # no camera counts below 0
            self.at = number
            frame = self._frame(number, number - shift)
            if kind == FROZEN and shown is not None:
                frame = replace(frame, image=shown)
            if kind in FRAMES:
                frame = FRAMES[kind][0](frame)
            shown = frame.image if frame.image is not None else shown
            yield frame

    def _frame(self, number: int, frame_id: int) -> Frame:
        product, image = self.pool[number % len(self.pool)]
        image = image.copy()
        image[0, :4, 0] = [40 + (number >> shift) % 64 for shift in (0, 6, 12, 18)]
        return Frame(
            frame_id=frame_id,
            image=image,
            grabbed_at=datetime.now(UTC),
            grab_ms=1.0,
            camera="campaign",
            source=f"{number}",
            product=product,
        )


@dataclass
class FaultyDetector:
    """The station's detector, whose answers go wrong where the line says so."""

    detector: Detector
    line: Line

    def detect(self, image: Image, product: str) -> Prediction:
        prediction = self.detector.detect(image, product)
        kind = self.line.kinds[self.line.at]
        return MODEL[kind][0](prediction) if kind in MODEL else prediction


@dataclass
class Locker(nullcontext[None]):
    """Holds the database against the station for the parts whose turn it is."""

    line: Line
    path: Path

    def __enter__(self) -> "Locker":  # type: ignore[override]
        return self

    def write(self, inspection: Inspection) -> Inspection:
        if self.line.kinds[self.line.at] == LOCKED:
            self.line.kinds[self.line.at] = None  # once
            self.other = sqlite3.connect(self.path, isolation_level=None)
            self.other.execute("BEGIN IMMEDIATE")
        return inspection

    def free(self) -> None:
        self.other.close()


class Told(nullcontext[None]):
    """What the line was told, after the commit."""

    def __init__(self) -> None:
        super().__init__()
        self.verdicts: list[tuple[str, Verdict, Reason | None]] = []

    def __enter__(self) -> "Told":  # type: ignore[override]
        return self

    def write(self, inspection: Inspection) -> Inspection:
        self.verdicts.append((inspection.frame.source, inspection.verdict, inspection.reason))
        return inspection


def campaign(triggers: int, seed: int, work: Path) -> int:
    settings = make_station(work, "sim:all")
    recipe = read_recipe(settings.recipe)
    rng = random.Random(seed)
    kinds = [rng.choice(KINDS) if rng.random() < 1 / 3 else None for _ in range(triggers)]
    for number in range(1, triggers):
        if kinds[number] in (FROZEN, BACKWARDS) and kinds[number - 1] is not None:
            kinds[number] = None  # both need a good part before them
    kinds[0] = kinds[-1] = None  # and a loss is seen by the next part
    planned = list(kinds)
    products = list(FAMILIES)
    pool = [
        (product, render(product, SIDE, number).image)
        for number, product in enumerate(products * 16)
    ]
    line, told, counters = Line(kinds, pool), Told(), Counters()
    database = work / "campaign.sqlite"
    locker = Locker(line, database)
    new_id, restarts, refused, started = uuid7_ids(), 0, 0, time.perf_counter()
    console = Console()
    with ExitStack() as stack:
        detector = stack.enter_context(Detector.open(settings.plan, 1, ()))
        progress = stack.enter_context(Progress(console=console, disable=not console.is_terminal))
        task = progress.add_task("triggers", total=triggers)
        while len(told.verdicts) < triggers:
            frames = line.frames(len(told.verdicts))
            inspections = inspect(
                frames,
                FaultyDetector(detector, line),
                recipe,
                triggered=True,
                new_id=new_id,
                limits=FrameLimits(grab_deadline_ms=1000.0),
                deadline_ms=DEADLINE_MS,
            )
            info = RunInfo(new_id(), "campaign", "campaign", *["0" * 64] * 4, "ort", "f32", 2, "0")
            pictures = PictureSink(work / "out", free=lambda folder: 0)
            log = InspectionLog(database, info, busy_ms=20)
            try:
                run(inspections, (pictures, locker, log, told, counters))
            except ZeroDivisionError:
                restarts += 1
            except DatabaseError:
                refused += 1
                locker.free()
            progress.update(task, completed=len(told.verdicts))
    took = time.perf_counter() - started
    return report(planned, told, counters, database, console, restarts, refused, took)


def report(
    planned: list[str | None],
    told: Told,
    counters: Counters,
    database: Path,
    console: Console,
    restarts: int,
    refused: int,
    took_s: float,
) -> int:
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT verdict, reason FROM inspection ORDER BY inspected_at, id"
        ).fetchall()
        intact = connection.execute("PRAGMA integrity_check").fetchone()[0]
    passed, wrong, good_rejected = Counter(), Counter(), 0
    counted: Counter[str] = Counter()
    for kind, (verdict, reason) in zip(planned, rows, strict=False):
        if kind is None or kind == LOCKED:
            good_rejected += verdict != "OK"
            continue
        counted[kind] += 1
        passed[kind] += verdict == "OK"
        wrong[kind] += reason != EXPECTED[kind]
    console.print(f"{'fault':40} {'injected':>9} {'OK':>4} {'other reason':>13}")
    for kind in KINDS:
        many = planned.count(LOCKED) if kind == LOCKED else counted[kind]
        console.print(f"{kind:40} {many:9} {passed[kind]:4} {wrong[kind]:13}", highlight=False)
    total = counters.counts().total
    reconciles = total.triggers == total.ok + total.ng + total.fault == len(rows) == len(planned)
    told_is_kept = [(v, r) for _, v, r in told.verdicts] == [tuple(row) for row in rows]
    console.print(
        f"\n{len(planned)} triggers, {len(rows)} records: {total.ok} OK, {total.ng} NG, "
        f"{total.fault} FAULT; {len([k for k in KINDS if planned.count(k)])} kinds of fault, "
        f"{sum(counted.values()) + planned.count(LOCKED)} injected.\n"
        f"{restarts} restarts after an unforeseen error, {refused} commits refused and told to "
        f"nobody.\nOK under a fault: {sum(passed.values())}. Other reason than expected: "
        f"{sum(wrong.values())}. Good parts not OK: {good_rejected}.\n"
        f"Counters reconcile: {reconciles}. Told what was kept: {told_is_kept}. "
        f"Integrity: {intact}. {took_s:.0f} s.",
        highlight=False,
    )
    clean = not sum(passed.values()) and not sum(wrong.values()) and not good_rejected
    return 0 if clean and reconciles and told_is_kept and intact == "ok" else 1


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--triggers", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--work", type=Path)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return campaign(asked.triggers, asked.seed, asked.work or Path(folder))


if __name__ == "__main__":
    raise SystemExit(main())
