"""What the log holds, that nothing waits for it, and that a crash in any thread is in it."""

import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.types import DatabaseError, InputError
from inspector.logs.lines import Line, as_text, without_secrets
from inspector.logs.station_log import FOLDER, StationLog
from inspector.logs.writer import FILE
from inspector.pipeline.events import EventCode, Severity, StationEvent
from inspector.settings import LogSettings

AT = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)


def event(text: str = "The camera is gone.", **details: str | float) -> StationEvent:
    return StationEvent(EventCode.CAMERA_LOST, AT, text, details)


def lines(out: Path, name: str = FILE) -> list[dict[str, Any]]:
    text = (out / FOLDER / name).read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_an_event_is_one_line_of_json_and_one_of_text(tmp_path: Path) -> None:
    stream = io.StringIO()
    with StationLog(tmp_path, "press 4", stream=stream) as log:
        log.run = "run-1"
        log.say(event("The camera is gone.\nLook at it.", camera="left", age_s=2.5))

    assert lines(tmp_path) == [
        {
            "time": "2026-11-21T12:00:00.250+00:00",
            "level": "alarm",
            "code": "camera_lost",
            "station": "press 4",
            "run": "run-1",
            "text": "The camera is gone.\nLook at it.",
            "details": {"camera": "left", "age_s": 2.5},
        }
    ]
    assert stream.getvalue() == (
        "2026-11-21 12:00:00.250+00:00 ALARM camera_lost: The camera is gone.\\nLook at it.\n"
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("rtsp://u:p@cam/1 is gone", "rtsp://***@cam/1 is gone"),
        ("rtsp://u:p/a@ss@cam/1", "rtsp://***@cam/1"),
        ("mqtt: password=abc, next", "mqtt: password=***, next"),
        ('{"Token": "abc"}', '{"Token": "***"}'),
        ("pass by at 5:00", "pass by at 5:00"),
    ],
)
def test_secrets_are_hidden(said: str, shown: str) -> None:
    assert without_secrets(said) == shown


def test_no_secret_reaches_file_or_stream(tmp_path: Path) -> None:
    stream = io.StringIO()
    camera = "opening rtsp://u:hush@cam"
    with pytest.raises(ZeroDivisionError):
        _log_secrets(StationLog(tmp_path, "a", stream=stream), camera)
    written = (tmp_path / FOLDER / FILE).read_text("utf-8")

    assert len(lines(tmp_path)) == 3
    assert "hush" not in written + stream.getvalue()
    assert "rtsp://***@cam" in stream.getvalue()


def _log_secrets(station_log: StationLog, camera: str) -> None:
    with station_log as log:
        log.say(event("tcp://u:hush@plc", password="hush", url="a://u:hush@b"))
        logging.getLogger("some.library").warning("token=%s", "hush")
        raise ZeroDivisionError(camera)


def test_what_libraries_complain_of_is_in_it_and_their_talk_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "some.library")
    with StationLog(tmp_path, "a"):
        logging.getLogger("some.library").info("connected")
        logging.getLogger("some.library").error("lost %d", 3)
    logging.getLogger("some.library").error("after the end")

    (line,) = lines(tmp_path)
    assert (line["code"], line["source"], line["text"]) == ("library", "some.library", "lost 3")
    assert line["level"] == "alarm"


def test_the_files_are_as_many_and_as_large_as_asked_for(tmp_path: Path) -> None:
    with StationLog(tmp_path, "a", LogSettings(megabytes=0.002, files=3)) as log:
        for number in range(100):
            log.say(event(str(number)))
    files = sorted((tmp_path / FOLDER).iterdir())

    assert [path.name for path in files] == [FILE, f"{FILE}.1", f"{FILE}.2"]
    assert all(path.stat().st_size <= 2000 for path in files)
    assert lines(tmp_path)[-1]["text"] == "99"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file in its place")

    with pytest.raises(InputError, match=FOLDER), StationLog(tmp_path, "a"):
        pass


def test_a_known_error_that_ends_the_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError), StationLog(tmp_path, "a"):
        raise DatabaseError("The database is full: free some space.")

    (line,) = lines(tmp_path)
    assert (line["code"], "trace" in line) == ("error_raised", False)


def lines_lost(folder: Path) -> int:
    said = (one for one in lines(folder) if one["code"] == "log_lines_lost")
    return sum(one["details"]["lines"] for one in said)


def test_nobody_waits_for_who_does_not_read_and_lost_lines_are_counted(tmp_path: Path) -> None:
    """A real pipe, full, and nobody at its end: the log's thread hangs, the caller does not."""
    reader, writer = os.pipe()
    slowest = 0.0
    with open(writer, "w") as stream, StationLog(tmp_path, "a", stream=stream, waiting=50) as log:  # noqa: PTH123 (a descriptor)
        for number in range(2000):
            start = time.perf_counter()
            log.say(event("x" * 500 + str(number)))
            slowest = max(slowest, time.perf_counter() - start)
        lost = log.lost
        drained = threading.Thread(
            target=lambda: [None for _ in iter(lambda: os.read(reader, 65536), b"")]
        )
        drained.start()
        deadline = time.monotonic() + 20
        while (told := lines_lost(tmp_path)) < lost:  # in several words, on a busy machine
            assert time.monotonic() < deadline
            time.sleep(0.02)
    drained.join(20)
    os.close(reader)
    events = [one for one in lines(tmp_path) if one["code"] == "camera_lost"]

    assert lost > 1000
    assert slowest < 0.5
    assert told == lost
    assert len(events) + lost == 2000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full here")
def test_a_full_disk_costs_lines_and_no_more(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / FILE).symlink_to("/dev/full")
    stream = io.StringIO()
    with StationLog(tmp_path, "a", stream=stream) as log:
        log.say(event("first"))
        log.say(event("second"))

    assert log.lost >= 2
    assert "first" in stream.getvalue()


CRASHES = """
import sys, threading
from pathlib import Path
from inspector.logs.station_log import StationLog
with StationLog(Path(sys.argv[1]), "a", stream=sys.stderr):
    thread = threading.Thread(target=lambda: 1 / 0, name="camera")
    thread.start()
    thread.join()
    {}["missing"]
"""


def test_a_crash_in_any_thread_is_logged_and_still_crashes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CRASHES, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    first, second = lines(tmp_path)

    assert done.returncode == 1
    assert "Exception in thread camera" in done.stderr
    assert done.stderr.rstrip().endswith("KeyError: 'missing'")
    assert (first["code"], first["source"], first["level"]) == ("crashed", "camera", "alarm")
    assert "ZeroDivisionError: division by zero" in first["trace"]
    assert (second["code"], second["source"]) == ("crashed", "MainThread")


def test_the_hooks_are_put_back(tmp_path: Path) -> None:
    before = sys.excepthook, threading.excepthook, list(logging.getLogger().handlers)
    with StationLog(tmp_path, "a"):
        assert sys.excepthook is not before[0]

    assert (sys.excepthook, threading.excepthook, logging.getLogger().handlers) == before


def test_text_from_outside_begins_no_line_of_its_own() -> None:

    line = Line(
        AT, Severity.INFO, "run_started", "a\r\n2026 ALARM fake\x1b[2J", "s", trace="b\x1b\nc"
    )

    assert as_text(line).splitlines() == [
        r"2026-11-21 12:00:00.250+00:00 INFO run_started: a\r\n2026 ALARM fake\x1b[2J",
        r"    b\x1b",
        "    c",
    ]
