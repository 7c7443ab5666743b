"""After a power cut, too, a row's pictures have the names by which it calls them."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from inspector.pipeline.inspection import Alarm, Verdict
from inspector.pipeline.kept import PICTURES, Tier
from inspector.pipeline.pictures import PictureSink
from inspector.pipeline.retired import NOTE, note_retired
from tests.inspector.durable_parts import needs_sync, record_syncs, refuse_syncs
from tests.inspector.pipeline_parts import NOON
from tests.inspector.test_pipeline_pictures import inspection

pytestmark = needs_sync
DAY = f"{PICTURES}/2026-11-21"


def names(*parts: int) -> list[str]:
    return sorted(
        f"part-{part}-{name}"
        for part in parts
        for name in ("crop.jpg", "overlay.jpg", "picture.png")
    )


def test_the_names_of_a_parts_pictures_are_synced_once_and_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folders above them once a day: they were new when the first part came."""
    with PictureSink(tmp_path) as sink:
        synced = record_syncs(monkeypatch, tmp_path)
        sink.write(inspection(Verdict.NG, 1))
        first = list(synced)
        sink.write(inspection(Verdict.NG, 2))

    assert first == [(DAY, names(1)), (PICTURES, ["2026-11-21"]), (".", [PICTURES])]
    assert synced[len(first) :] == [(DAY, names(1, 2))]


def test_a_new_day_is_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with PictureSink(tmp_path, every_ok=1) as sink:
        sink.write(inspection(Verdict.OK, 1))
        synced = record_syncs(monkeypatch, tmp_path)
        sink.write(
            replace(inspection(Verdict.OK, 2), inspected_at=NOON + timedelta(days=1)),
        )

    assert (PICTURES, ["2026-11-21", "2026-11-22"]) in synced


def test_where_nothing_is_kept_nothing_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = record_syncs(monkeypatch, tmp_path)
    with PictureSink(tmp_path) as sink:
        sink.write(inspection(Verdict.OK))

    assert synced == []


def test_a_disk_that_takes_no_names_has_no_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_syncs(monkeypatch, tmp_path)
    with PictureSink(tmp_path) as sink:
        written = sink.write(inspection(Verdict.NG))

    assert (written.verdict, written.alarm) == (Verdict.NG, Alarm.PICTURE_NOT_SAVED)
    assert written.pictures == {}


def test_those_saved_before_the_disk_filled_are_synced_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([10**9, 10**9, 0])
    with PictureSink(tmp_path, free=lambda folder: next(free), least_share=0) as sink:
        synced = record_syncs(monkeypatch, tmp_path)
        written = sink.write(inspection(Verdict.NG))

    assert sorted(written.pictures) == ["crop", "overlay"]
    assert synced[0] == (DAY, names(1)[:2])


def test_the_note_of_what_goes_has_its_name_before_anything_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / PICTURES).mkdir()
    synced = record_syncs(monkeypatch, tmp_path)
    note_retired(tmp_path, date(2026, 1, 1), Tier.OK, "age", NOON)

    assert synced == [(PICTURES, [NOTE])]
