"""An inspection as columns."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inspector.db.run_info import RunInfo
from inspector.db.tables import DefectRow
from inspector.pipeline.inspection import Inspection, Region


def inspection_columns(inspection: Inspection, run: RunInfo, sequence: int) -> dict[str, Any]:
    frame, prediction = inspection.frame, inspection.prediction
    return {
        "id": inspection.id,
        "run_id": run.id,
        "sequence": sequence,
        "frame_id": frame.frame_id,
        "lost_before": inspection.lost_before,
        "source": frame.source,
        "product": inspection.product,
        "part": frame.part.part,
        "lot": frame.part.lot or run.lot,  # in the row as well: that is where it is looked for
        "serial": frame.part.serial,
        "verdict": inspection.verdict,
        "reason": inspection.reason,
        "alarm": inspection.alarm,
        "score": None if prediction is None else prediction.score,
        "threshold": inspection.threshold,
        "map_threshold": inspection.map_threshold,
        "grabbed_at": frame.grabbed_at,
        "inspected_at": inspection.inspected_at,
        "stages_ms": dict(inspection.stages_ms),
        "truth_defect": None if frame.truth is None else frame.truth.defect,
        **_picture_columns(inspection.pictures),
    }


def defect_columns(inspection: Inspection) -> list[dict[str, Any]]:
    return [
        {"inspection_id": inspection.id, "rank": rank, **_region_columns(region)}
        for rank, region in enumerate(inspection.regions)
    ]


def _picture_columns(pictures: Mapping[str, Path]) -> dict[str, str]:
    return {name: path.as_posix() for name, path in pictures.items()}


def _region_columns(region: Region) -> dict[str, Any]:
    """What the table has a column for: the product stands in the inspection's row."""
    said = {**asdict(region), "contour": [list(point) for point in region.contour]}
    return {name: value for name, value in said.items() if name in DefectRow.__table__.columns}
