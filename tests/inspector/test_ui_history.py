"""The history page on a real database: filters, pages, detail."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import shiboken6
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from engine.types import DatabaseError
from inspector.camera.base import PartIdentity
from inspector.db.changes import Changes
from inspector.db.history import History, HistoryFilter, Record, Review
from inspector.db.review import Opinion, review_part
from inspector.pipeline.inspection import Inspection, Verdict
from inspector.pipeline.kept import picture_path
from inspector.ui.filter_bar import IDENTITIES, OWN_RANGE
from inspector.ui.history_view import PAGE, HistorySource, HistoryView
from inspector.ui.theme import Scale
from tests.inspector.db_parts import inspection
from tests.inspector.people_parts import cheap_hashes, logged_in, make_people
from tests.inspector.pipeline_parts import NOON
from tests.inspector.ui_parts import write_database


def clock() -> datetime:
    return NOON + timedelta(minutes=30)


@contextmanager
def view_on(qtbot: QtBot, source: HistorySource, folder: Path) -> Iterator[HistoryView]:
    view = HistoryView(source, folder, Scale(96), clock)
    view.resize(1200, 700)
    view.show()
    try:
        yield view
    finally:
        view.close_background()
        shiboken6.delete(view)


@contextmanager
def view_of(qtbot: QtBot, folder: Path, parts: Sequence[Inspection]) -> Iterator[HistoryView]:
    path = folder / "inspector.db"
    write_database(path, parts)
    with History(path) as history, view_on(qtbot, history, folder) as view:
        yield view


def verdicts(view: HistoryView) -> list[str]:
    return [view.model.row(place).verdict.value for place in range(view.model.rowCount())]


def few_parts() -> list[Inspection]:
    return [
        inspection(1, Verdict.OK),
        inspection(2, Verdict.NG),
        inspection(3, Verdict.FAULT),
        replace(inspection(4, Verdict.OK), product="label"),
    ]


def test_all_records_newest_first(qtbot: QtBot, tmp_path: Path) -> None:
    with view_of(qtbot, tmp_path, few_parts()) as view:
        qtbot.waitUntil(lambda: verdicts(view) == ["OK", "FAULT", "NG", "OK"])
        qtbot.waitUntil(lambda: view.summary.text() == "4 parts:   2 OK   1 NG   1 FAULT")


def test_the_verdict_filters(qtbot: QtBot, tmp_path: Path) -> None:
    with view_of(qtbot, tmp_path, few_parts()) as view:
        view.filters.choose_verdict(Verdict.NG)
        qtbot.waitUntil(lambda: verdicts(view) == ["NG"])
        view.filters.choose_verdict(None)
        qtbot.waitUntil(lambda: len(verdicts(view)) == 4)


def test_the_product_filters_and_stays_chosen(qtbot: QtBot, tmp_path: Path) -> None:
    with view_of(qtbot, tmp_path, few_parts()) as view:
        qtbot.waitUntil(lambda: view.filters.product.count() == 3)
        view.filters.product.setCurrentText("label")
        qtbot.waitUntil(lambda: verdicts(view) == ["OK"])
        assert view.model.row(0).product == "label"
        assert view.filters.product.currentText() == "label"


def test_the_time_filters(qtbot: QtBot, tmp_path: Path) -> None:
    old = replace(inspection(5, Verdict.NG), inspected_at=NOON - timedelta(hours=2))
    with view_of(qtbot, tmp_path, [old, inspection(6)]) as view:
        qtbot.waitUntil(lambda: verdicts(view) == ["OK", "NG"])
        view.filters.range.setCurrentText("Last hour")
        qtbot.waitUntil(lambda: verdicts(view) == ["OK"])
        view.filters.range.setCurrentText(OWN_RANGE)
        view.filters.until.setDateTime(view.filters.until.dateTime().addSecs(-3600))
        qtbot.waitUntil(lambda: verdicts(view) == ["NG"])


def test_further_pages_come_on_scrolling(qtbot: QtBot, tmp_path: Path) -> None:
    parts = [inspection(number) for number in range(2 * PAGE + 7)]
    with view_of(qtbot, tmp_path, parts) as view:
        qtbot.waitUntil(lambda: view.model.rowCount() == PAGE)
        while view.model.rowCount() < len(parts):
            before = view.model.rowCount()
            view.table.scrollToBottom()
            qtbot.waitUntil(lambda before=before: view.model.rowCount() > before)
        ids = [view.model.row(place).id for place in range(view.model.rowCount())]
        assert ids == sorted((one.id for one in parts), reverse=True)
        assert not view.model.canFetchMore(view.table.rootIndex())


def test_a_row_is_shown_in_detail_with_its_overlay(qtbot: QtBot, tmp_path: Path) -> None:
    one = inspection(1, Verdict.NG)
    overlay = tmp_path / one.pictures["overlay"]
    overlay.parent.mkdir()
    cv2.imwrite(str(overlay), np.full((20, 30, 3), 90, np.uint8))
    with view_of(qtbot, tmp_path, [one]) as view:
        qtbot.waitUntil(lambda: view.model.rowCount() == 1)
        view.table.selectRow(0)
        qtbot.waitUntil(lambda: view.detail.picture.shown.picture is not None)
        picture = view.detail.picture.shown.picture
        assert (picture.width(), picture.height()) == (30, 20)
        assert view.detail.text("Why") == "Defect found"
        assert view.detail.text("Score") == "0.9   limit 0.5"
        assert view.detail.text("Defects") == "1, the largest 16 px"


def test_a_part_is_found_by_its_name_and_shows_what_a_person_said(
    qtbot: QtBot, tmp_path: Path
) -> None:
    parts = few_parts()
    named = PartIdentity(part="P-7", lot="L1", serial="0042")
    parts[1] = replace(parts[1], frame=replace(parts[1].frame, part=named))
    path = tmp_path / "inspector.db"
    write_database(path, parts)
    with cheap_hashes(), Changes(make_people(path)) as changes:
        review_part(changes, logged_in(changes, "emil"), parts[1].id, Opinion.OK, "a hair")
    with History(path) as history, view_on(qtbot, history, tmp_path) as view:
        qtbot.waitUntil(lambda: view.model.rowCount() == len(parts))
        field = view.filters.wanted_name
        qtbot.keyClicks(field, "0042")
        assert view.model.rowCount() == len(parts)  # half a name is none
        qtbot.keyClick(field, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: view.model.rowCount() == 1)
        view.table.selectRow(0)
        assert view.detail.text("ID") == parts[1].id
        assert view.detail.text("Part") == "part P-7   lot L1   serial 0042"
        qtbot.waitUntil(lambda: view.detail.text("Review").startswith("OK by emil, "))
        assert view.detail.text("Review").endswith(": a hair")
        view.filters.identity.setCurrentIndex(IDENTITIES.index("lot"))
        qtbot.waitUntil(lambda: view.summary.text().startswith("0 parts"))
        field.clear()
        qtbot.waitUntil(lambda: view.model.rowCount() == len(parts))
        view.table.selectRow(0)
        assert view.detail.text("Review") == "–"


def test_a_picture_that_is_gone_is_said(qtbot: QtBot, tmp_path: Path) -> None:
    with view_of(qtbot, tmp_path, [inspection(1, Verdict.NG)]) as view:
        qtbot.waitUntil(lambda: view.model.rowCount() == 1)
        view.table.selectRow(0)
        sentence = "The picture a-overlay.png is no longer on the disk."
        qtbot.waitUntil(lambda: view.detail.picture.shown.sentence == sentence)


def test_the_picture_of_a_part_that_was_reviewed_meanwhile_is_found_by_its_new_name(
    qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "inspector.db"
    name = picture_path(inspection(1).id, NOON, "picture", ok=True, suffix=".png")
    (tmp_path / name).parent.mkdir(parents=True)
    cv2.imwrite(str(tmp_path / name), np.full((20, 30, 3), 90, np.uint8))
    write_database(path, [inspection(1, pictures={"picture": name})])
    with cheap_hashes(), History(path) as history, view_on(qtbot, history, tmp_path) as view:
        qtbot.waitUntil(lambda: view.model.rowCount() == 1)
        make_people(path)
        with Changes(path) as changes:
            review_part(changes, logged_in(changes, "olga"), inspection(1).id, Opinion.NG, "")
        assert not (tmp_path / name).exists()
        view.table.selectRow(0)
        qtbot.waitUntil(lambda: view.detail.picture.shown.picture is not None)


class LockedHistory:
    """A database that refuses every question."""

    def page(self, wanted: HistoryFilter, *, before: str | None, limit: int) -> Sequence[Record]:
        raise DatabaseError("The database is locked: close the other program.")

    def counts(self, wanted: HistoryFilter) -> Mapping[Verdict, int]:
        raise DatabaseError("The database is locked: close the other program.")

    def products(self) -> Sequence[str]:
        return []

    def pictures(self, inspection_id: str) -> Mapping[str, Path]:
        return {}

    def last_review(self, inspection_id: str) -> Review | None:
        return None


def test_a_database_that_refuses_is_said(qtbot: QtBot, tmp_path: Path) -> None:
    with view_on(qtbot, LockedHistory(), tmp_path) as view:
        sentence = "The database is locked: close the other program."
        qtbot.waitUntil(lambda: view.summary.text() == sentence)
        assert not view.model.canFetchMore(view.table.rootIndex())
