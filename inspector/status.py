"""How a station's parts are, in the few words of the window's status strip."""

import shutil
from pathlib import Path
from typing import Final

from engine.manifest import PlanManifest
from inspector.camera.address import without_password
from inspector.camera.keeper import CameraHealth, Link
from inspector.ui.session import Health, StatusItem

LOW_DISK_BYTES: Final = 2 * 2**30
SILENT_S: Final = 10.0  # without a picture for so long, a camera is not called well


def camera_item(spec: str, health: CameraHealth | None, silent_s: float | None) -> StatusItem:
    """``health`` is None where the camera is closed, ``silent_s`` where no picture came yet."""
    how, detail = _camera_health(health, silent_s)
    return StatusItem("Camera", without_password(spec.partition("?")[0]), how, detail)


def _camera_health(health: CameraHealth | None, silent_s: float | None) -> tuple[Health, str]:
    """A line may stand still for good reasons: silence is not known to be well, nor bad."""
    if health is None:
        return Health.UNKNOWN, "closed"
    if health.link is Link.LOST:
        return Health.BAD, health.sentence
    if silent_s is None or silent_s > SILENT_S:
        return Health.UNKNOWN, f"open, no picture within {SILENT_S:.0f} s"
    return Health.GOOD, "gives pictures"


def model_item(plan: PlanManifest, *, open: bool) -> StatusItem:  # noqa: A002 (the plan's state)
    return StatusItem(
        "Model",
        f"{plan.runtime} {plan.precision}",
        Health.GOOD if open else Health.UNKNOWN,
        f"{plan.bundle_name}, {plan.steps} steps",
    )


def database_item(path: Path) -> StatusItem:
    health = Health.GOOD if path.is_file() else Health.BAD
    return StatusItem("Database", path.name, health, str(path))


def disk_item(out: Path) -> StatusItem:
    try:
        free = shutil.disk_usage(out).free
    except OSError as error:
        return StatusItem("Disk", error.strerror or "not reachable", Health.BAD, str(out))
    health = Health.WARNING if free < LOW_DISK_BYTES else Health.GOOD
    return StatusItem("Disk", f"{free / 2**30:.0f} GB free", health, str(out))
