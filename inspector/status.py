"""How a station's parts are, in the few words of the window's status strip."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.manifest import PlanManifest
from inspector.camera.address import without_password
from inspector.camera.keeper import CameraHealth, Link
from inspector.line.modbus import ModbusLine
from inspector.line.mqtt import MqttLink
from inspector.pipeline.housekeeper import LOW_FOR_RECORDS_BYTES
from inspector.pipeline.kept import picture_disk, room_needed
from inspector.pipeline.latched import ErrorCode, LatchedError
from inspector.pipeline.state import State
from inspector.pipeline.station_state import Standing
from inspector.settings import ModbusSettings, MqttSettings, SiteSettings, StationSettings
from inspector.ui.hold import Hold, hold_of
from inspector.ui.session import Health, StatusItem

SILENT_S: Final = 10.0  # without a picture for so long, a camera is not called well


@dataclass(frozen=True, slots=True)
class Parts:
    """What a station has open: ``camera``, ``line`` and ``mqtt`` are None where they are closed,
    ``silent_s`` where no picture came yet; ``site_lost`` is what its sender said last, None
    where it said nothing yet."""

    plan: PlanManifest
    database: Path
    camera: CameraHealth | None
    silent_s: float | None
    line: ModbusLine | None
    mqtt: MqttLink | None
    site_lost: bool | None


def items(settings: StationSettings, standing: Standing, parts: Parts) -> Sequence[StatusItem]:
    """The whole strip, from the state to the disk."""
    return (
        state_item(standing, shared=settings.modbus is not None),
        camera_item(settings.camera, parts.camera, parts.silent_s),
        model_item(parts.plan, open=parts.camera is not None),
        *_links(settings, standing, parts),
        database_item(parts.database, standing),
        disk_item(settings.out, settings.pictures.least_free),
    )


def _links(settings: StationSettings, standing: Standing, parts: Parts) -> Iterator[StatusItem]:
    if settings.modbus is not None:
        yield plc_item(settings.modbus, standing, open=parts.line is not None)
    if settings.mqtt is not None:
        link = parts.mqtt
        up, dropped = (None, 0) if link is None else (link.connected, link.dropped)
        yield mqtt_item(settings.mqtt, up, dropped)
    if settings.site is not None:
        yield site_item(settings.site, parts.site_lost, open=parts.camera is not None)


def state_item(standing: Standing, *, shared: bool) -> StatusItem:
    """The state's word of OPC 40100-1; who owns the line, where it is ``shared`` with a PLC."""
    paused = " PAUSED" if standing.paused else ""
    owner = f", {standing.owner}" if shared else ""
    errors = [error.sentence for error in standing.errors if error.blocks]
    said = [*errors, *(check.sentence for check in standing.missing)]
    owned = [f"The {standing.owner} owns the line."] if shared else []
    text = f"{standing.state}{paused}{owner}"
    return StatusItem("State", text, _state_health(standing), "\n".join([*owned, *said]))


def _state_health(standing: Standing) -> Health:
    """Nobody has asked a station for anything that is not in execution, or it is just opening."""
    if standing.state in (State.ERROR, State.HALTED):
        return Health.BAD
    if hold_of(standing) is Hold.NOT_READY:
        return Health.WARNING
    return Health.GOOD if standing.accepts_triggers else Health.UNKNOWN


def camera_item(spec: str, health: CameraHealth | None, silent_s: float | None) -> StatusItem:
    """``health`` is None where the camera is closed, ``silent_s`` where no picture came yet."""
    how, detail = _camera_health(health, silent_s)
    counts = [] if health is None else [_camera_counts(health)]
    name = without_password(spec.partition("?")[0])
    return StatusItem("Camera", name, how, "\n".join([detail, *counts]))


def _camera_health(health: CameraHealth | None, silent_s: float | None) -> tuple[Health, str]:
    """A line may stand still for good reasons: silence is not known to be well, nor bad."""
    if health is None:
        return Health.UNKNOWN, "closed"
    if health.link is Link.LOST:
        return Health.BAD, health.sentence
    if silent_s is None or silent_s > SILENT_S:
        return Health.UNKNOWN, f"open, no picture within {SILENT_S:.0f} s"
    return Health.GOOD, "gives pictures"


def _camera_counts(health: CameraHealth) -> str:
    """What the camera has lost in this run."""
    return (
        f"{health.frames} frames, {health.lost} lost, {health.incomplete} incomplete; "
        f"camera lost {health.losses} times"
    )


def model_item(plan: PlanManifest, *, open: bool) -> StatusItem:  # noqa: A002 (the plan's state)
    return StatusItem(
        "Model",
        f"{plan.runtime} {plan.precision}",
        Health.GOOD if open else Health.UNKNOWN,
        f"{plan.bundle_name}, {plan.steps} steps",
    )


def plc_item(settings: ModbusSettings, standing: Standing, *, open: bool) -> StatusItem:  # noqa: A002
    """By what the line's own watch latched: a PLC that was never there is lost after a while."""
    where = f"Modbus {settings.role}, {settings.host}:{settings.port}"
    lost = _lasting(standing, ErrorCode.LINE_LOST)
    if lost is not None:
        return StatusItem("PLC", "lost", Health.BAD, f"{where}\n{lost.sentence}")
    if not open:
        return StatusItem("PLC", "closed", Health.UNKNOWN, where)
    return StatusItem("PLC", "open", Health.GOOD, where)


def mqtt_item(settings: MqttSettings, connected: bool | None, dropped: int) -> StatusItem:
    """``connected`` is None where the link is closed; the line runs on without its broker."""
    detail = f"{settings.host}:{settings.port}, {dropped} messages dropped"
    if connected is None:
        return StatusItem("MQTT", "closed", Health.UNKNOWN, detail)
    if not connected:
        return StatusItem("MQTT", "not connected", Health.WARNING, detail)
    return StatusItem("MQTT", "connected", Health.GOOD, detail)


def site_item(
    settings: SiteSettings,
    lost: bool | None,
    *,
    open: bool,  # noqa: A002
) -> StatusItem:
    """The site's database, which the line does not wait for."""
    where = settings.url
    if not open:
        return StatusItem("Site", "closed", Health.UNKNOWN, where)
    if lost:
        return StatusItem("Site", "lost", Health.WARNING, f"{where}\nRecords wait here meanwhile.")
    if lost is None:
        return StatusItem("Site", "connecting", Health.UNKNOWN, where)
    return StatusItem("Site", "open", Health.GOOD, where)


def database_item(path: Path, standing: Standing) -> StatusItem:
    refused = _lasting(standing, ErrorCode.DATABASE_REFUSED)
    if refused is not None:
        return StatusItem("Database", "refused", Health.BAD, f"{path}\n{refused.sentence}")
    health = Health.GOOD if path.is_file() else Health.BAD
    return StatusItem("Database", path.name, health, str(path))


def disk_item(out: Path, least_share: float) -> StatusItem:
    """What is free for the records; ``least_share`` of the pictures' disk, which may be another,
    has to be free for pictures to be saved."""
    try:
        disk = picture_disk(out)
        usage, theirs = shutil.disk_usage(out), shutil.disk_usage(disk)
    except OSError as error:
        return StatusItem("Disk", error.strerror or "not reachable", Health.BAD, str(out))
    text = f"{usage.free / 2**30:.0f} GB free"
    if theirs.free < room_needed(theirs.total, least_share):
        told = f"{out}\nNo picture is saved any more: the disk of {disk} is nearly full."
        return StatusItem("Disk", f"{text}, no pictures", Health.WARNING, told)
    health = Health.WARNING if usage.free < LOW_FOR_RECORDS_BYTES else Health.GOOD
    return StatusItem("Disk", text, health, str(out))


def _lasting(standing: Standing, code: ErrorCode) -> LatchedError | None:
    found = (error for error in standing.errors if error.code is code and not error.is_resolved)
    return next(found, None)
