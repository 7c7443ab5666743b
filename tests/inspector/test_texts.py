"""Texts that are no Unicode cost no record: from a library's sentence or a file name to the row."""

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from inspector.camera.base import Frame, GroundTruth, PartIdentity
from inspector.camera.folder import FolderCamera
from inspector.db.log import InspectionLog
from inspector.line.mqtt_messages import event_message, result_message
from inspector.pipeline.events import EventCode, StationEvent
from inspector.texts import storable
from tests.inspector.db_parts import inspection, run_info
from tests.inspector.pipeline_parts import NOON, frame, picture

LATIN = b"Ger\xe4t".decode("utf-8", "surrogateescape")  # as bindings hand over a producer's bytes


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Gerät 4 é 😀\n", "Gerät 4 é 😀\n"),
        (LATIN, "Ger\\udce4t"),
        ("\ud83d", "\\ud83d"),
        ("A\0B", "A\\x00B"),
        ("", ""),
    ],
)
def test_a_text_is_kept_or_written_out(said: str, kept: str) -> None:
    assert storable(said) == storable(kept) == kept
    assert kept == kept.encode().decode()


def test_what_is_no_unicode_is_mended_where_it_comes_in() -> None:
    bad = "\udcff\0"
    event = StationEvent(EventCode.CAMERA_LOST, NOON, bad, {"camera": bad, "tries": 3})
    truth = GroundTruth(bad, bad)
    seen = Frame(0, None, NOON, 1.0, bad, source=bad, product=bad, part=PartIdentity(bad, bad, bad))
    texts = [event.text, event.details["camera"], truth.defect, truth.caption]
    texts += [seen.camera, seen.source, seen.product]
    texts += [seen.part.part, seen.part.lot, seen.part.serial]
    assert texts == ["\\udcff\\x00"] * 10
    assert event.details["tries"] == 3
    assert replace(frame(1), product=bad).product == "\\udcff\\x00"


def kept(database: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def test_an_event_in_another_tongue_costs_no_record(tmp_path: Path) -> None:
    event = StationEvent(EventCode.CAMERA_LOST, NOON, f"{LATIN} nicht gefunden", {"id": LATIN})
    with InspectionLog(tmp_path / "rows.sqlite", run_info()) as log:
        log.write(inspection(0))
        log.event(event)
        log.write(inspection(1))
    assert kept(tmp_path / "rows.sqlite", "SELECT count(*) FROM inspection") == [(2,)]
    said = kept(tmp_path / "rows.sqlite", "SELECT text, details FROM event")
    assert said == [("Ger\\udce4t nicht gefunden", '{"id": "Ger\\\\udce4t"}')]
    assert json.loads(event_message(event))["text"] == "Ger\\udce4t nicht gefunden"


def test_a_message_is_valid_whatever_stands_in_it() -> None:
    """Also where a text has another way in than a frame or an event."""
    assert json.loads(result_message(LATIN, 1, inspection(1)).decode())["station"] == "Ger?t"


@pytest.mark.skipif(os.name == "nt", reason="there file names are Unicode")
def test_a_picture_with_an_old_name_has_its_row(tmp_path: Path) -> None:
    folder = tmp_path / "dataset" / "disc" / "test" / LATIN
    (tmp_path / "dataset" / "disc" / "train" / "good").mkdir(parents=True)
    try:
        folder.mkdir(parents=True)
        (folder / f"{LATIN}.png").write_bytes(cv2.imencode(".png", picture(1))[1].tobytes())
    except OSError:
        pytest.skip("this file system takes no name that is not UTF-8")
    with FolderCamera(folder) as camera:
        (seen,) = camera.frames()
    assert seen.image is not None
    with InspectionLog(tmp_path / "rows.sqlite", run_info(), outbox=True) as log:
        log.write(inspection(0, frame=seen))
    (row,) = kept(tmp_path / "rows.sqlite", "SELECT source, truth_defect FROM inspection")
    assert row == ("Ger\\udce4t.png", "Ger\\udce4t")
