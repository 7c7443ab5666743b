"""A run and inspections for the tests of the database."""

from datetime import timedelta
from pathlib import Path

from inspector.db.history import History
from inspector.db.log import RunInfo
from inspector.pipeline.inspection import Inspection, Reason, Region, Verdict
from tests.inspector.pipeline_parts import NOON, frame, prediction

SCRATCH = Region(5, 6, 4, 4, 16, 0.9, ((5, 6), (8, 6), (8, 9), (5, 9)))


def run_info(run_id: str = "run-1") -> RunInfo:
    return RunInfo(
        id=run_id,
        station="press 4",
        camera="sim:disc",
        bundle_sha256="b" * 64,
        plan_sha256="p" * 64,
        recipe_sha256="r" * 64,
        settings_sha256="s" * 64,
        runtime="openvino",
        precision="f32",
        steps=10,
        program_version="0.1.0",
    )


def inspection(number: int, verdict: Verdict = Verdict.OK, **changes: object) -> Inspection:
    """The ``number``-th part, inspected that many seconds after noon."""
    reason = {Verdict.NG: Reason.DEFECT, Verdict.FAULT: Reason.BLACK_FRAME}.get(verdict)
    judged = verdict is not Verdict.FAULT
    values = {
        "id": f"00000000-0000-7000-8000-{number:012d}",
        "frame": frame(number),
        "verdict": verdict,
        "reason": reason,
        "product": "disc",
        "inspected_at": NOON + timedelta(seconds=number),
        "prediction": prediction(0.9 if verdict is Verdict.NG else 0.1) if judged else None,
        "threshold": 0.5 if judged else None,
        "map_threshold": 0.5 if judged else None,
        "regions": (SCRATCH,) if verdict is Verdict.NG else (),
        "stages_ms": {"grab": 2.0, "infer": 3.5},
        "pictures": {"overlay": Path("pictures", "a-overlay.png")} if verdict is Verdict.NG else {},
    }
    return Inspection(**{**values, **changes})  # type: ignore[arg-type]


def count(path: Path) -> int:
    """How many parts it has."""
    with History(path) as history:
        return len(history.page())
