"""A person's later word: a row, an audit entry, and a picture that outlives its OK days."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.types import AccessError, DatabaseError
from inspector.cli import app
from inspector.db import review as room
from inspector.db.audit import read_trail, verify_trail
from inspector.db.changes import Changes
from inspector.db.history import History, Record
from inspector.db.log import InspectionLog
from inspector.db.review import Opinion, review_part
from inspector.pipeline.inspection import Verdict
from inspector.pipeline.kept import Tier, picture_path
from inspector.pipeline.retention import aged, retire
from tests.inspector.db_parts import inspection, run_info
from tests.inspector.durable_parts import needs_sync, record_syncs, refuse_syncs
from tests.inspector.people_parts import PASSWORDS, Clock, logged_in, make_people
from tests.inspector.pipeline_parts import NOON

OK_PART, NG_PART = inspection(1).id, inspection(2).id
KEEP = {Tier.OK: 30, Tier.NG: 180}
PIXELS = b"what the camera saw"


pytestmark = pytest.mark.usefixtures("cheap")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An OK part and an NG part, the first with its picture."""
    path = tmp_path / "out" / "station.sqlite"
    name = picture_path(OK_PART, NOON, "picture", ok=True, suffix=".png")
    (path.parent / name).parent.mkdir(parents=True)
    (path.parent / name).write_bytes(PIXELS)
    with InspectionLog(path, run_info()) as log:
        log.write(inspection(1, pictures={"picture": name}))
        log.write(inspection(2, Verdict.NG, pictures={}))
    return make_people(path)


def review(path: Path, *arguments: str, who: str = "olga", password: str | None = None) -> Result:
    command = ["review", *arguments, "--database", str(path), "--as", who]
    return CliRunner().invoke(app, command, input=f"{password or PASSWORDS[who]}\n")


def rows(path: Path) -> list[tuple[object, ...]]:
    query = "SELECT inspection_id, who, verdict, comment FROM review ORDER BY at, id"
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def pictures(path: Path) -> list[Path]:
    return sorted(each for each in (path.parent / "pictures").rglob("*") if each.is_file())


def record(path: Path) -> Record:
    with History(path) as history:
        return next(each for each in history.page() if each.id == OK_PART)


def test_an_operator_says_ng_and_the_trail_and_the_row_say_so(path: Path) -> None:
    said = review(path, OK_PART, "NG", "--note", "scratch at the rim")

    assert said.exit_code == 0, said.output
    assert said.stdout == (
        f"inspection {OK_PART}: NG by olga, was OK by the station (audit entry 4).\n"
    )
    assert rows(path) == [(OK_PART, "olga", "NG", "scratch at the rim")]
    assert record(path).verdict is Verdict.OK
    entry = read_trail(path)[0]
    assert (entry.who, entry.role, entry.action) == ("olga", "operator", "part_reviewed")
    assert (entry.old, entry.new) == ("OK by the station", "NG by olga")
    assert entry.reason == "scratch at the rim"
    assert verify_trail(path).walk.broken is None


def test_the_last_word_is_the_old_value_of_the_next(path: Path) -> None:
    for opinion, who in (("UNSURE", "olga"), ("NG", "emil"), ("OK", "emil")):
        assert review(path, NG_PART, opinion, who=who).exit_code == 0

    assert [row[1:3] for row in rows(path)] == [
        *(("olga", "UNSURE"), ("emil", "NG"), ("emil", "OK"))
    ]
    entries = [entry for entry in reversed(read_trail(path)) if entry.action == "part_reviewed"]
    assert [entry.old for entry in entries] == ["NG by the station", "UNSURE by olga", "NG by emil"]
    assert {entry.reason for entry in entries} == {None}


def test_a_part_called_ok_is_no_defect_of_the_month(path: Path) -> None:
    def bars() -> int:
        with History(path) as history:
            return len(history.pareto(NOON, NOON + timedelta(days=1)))

    assert bars() == 1
    assert review(path, NG_PART, "OK").exit_code == 0
    assert bars() == 0


@pytest.mark.parametrize("unknown", [inspection(9).id, "42", "", "x' OR '1'='1"])
def test_an_unknown_part_is_said_before_a_password_is_asked(path: Path, unknown: str) -> None:
    said = CliRunner().invoke(app, ["review", unknown, "NG", "--database", str(path)])

    assert said.exit_code == 2
    assert said.stderr.count("\n") == 1
    assert "has no inspection" in said.stderr
    assert rows(path) == []


@pytest.mark.parametrize(
    ("more", "password", "told"),
    [
        ((), "a wrong password", "Name or password is wrong"),
        (("--note", "two\nlines"), None, "cannot be written into the audit trail"),
    ],
)
def test_what_is_refused_writes_nothing(
    path: Path, more: tuple[str, ...], password: str | None, told: str
) -> None:
    said = review(path, OK_PART, "OK", *more, password=password)

    assert said.exit_code == 2
    assert told in said.stderr
    assert rows(path) == []
    assert len(read_trail(path)) == 3  # of those who are


def test_only_three_words_are_taken(path: Path) -> None:
    assert review(path, OK_PART, "FAULT").exit_code == 2
    assert rows(path) == []


def test_no_database_is_said_and_none_is_made(tmp_path: Path) -> None:
    said = review(tmp_path / "none.sqlite", OK_PART, "NG")

    assert said.exit_code == 2
    assert "There is no database at" in said.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opinion", ["NG", "UNSURE"])
def test_the_picture_of_a_part_that_is_doubted_outlives_its_ok_days(
    path: Path, opinion: str
) -> None:
    assert review(path, OK_PART, opinion).exit_code == 0
    later = NOON + timedelta(days=100)
    for days in range(4):  # other days have pictures: the clock is right
        (path.parent / "pictures" / f"{later - timedelta(days=days):%Y-%m-%d}").mkdir()
    gone = [retire(path.parent, batch, "age", later) for batch in aged(path.parent, KEEP, later)]

    assert gone == []
    (kept,) = pictures(path)
    assert kept == path.parent / record(path).pictures["picture"]
    assert kept.read_bytes() == PIXELS
    assert CliRunner().invoke(app, ["db", "check", str(path)]).exit_code == 0


@needs_sync
def test_the_kept_picture_has_its_new_name_on_the_disk_before_the_row_gives_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = pictures(path)[0].name
    synced = record_syncs(monkeypatch, path.parent)
    assert review(path, OK_PART, "NG").exit_code == 0

    day = pictures(path)[0].parent.relative_to(path.parent).as_posix()
    assert synced == [(day, sorted([old, pictures(path)[0].name]))]


@needs_sync
def test_a_new_name_that_the_disk_does_not_take_is_in_no_row(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_syncs(monkeypatch, path.parent)
    said = review(path, OK_PART, "NG")

    assert said.exit_code == 2
    assert "cannot be written" in said.stderr
    assert rows(path) == []
    assert record(path).pictures["picture"].name.endswith("-ok.png")


def test_the_picture_of_a_part_that_is_ok_stays_an_ok_picture(path: Path) -> None:
    before = pictures(path)
    assert review(path, OK_PART, "OK").exit_code == 0
    assert pictures(path) == before
    assert path.parent / record(path).pictures["picture"] == before[0]


def test_a_review_of_a_part_whose_picture_was_taken_is_written(path: Path) -> None:
    pictures(path)[0].unlink()
    before = record(path).pictures

    assert review(path, OK_PART, "NG").exit_code == 0
    assert record(path).pictures == before
    assert len(rows(path)) == 1


def test_a_picture_that_cannot_be_kept_leaves_all_as_it_was(path: Path) -> None:
    name = record(path).pictures["picture"].name.replace("-ok", "")
    (pictures(path)[0].parent / name).mkdir()  # in the way of the file, for root as well
    before = pictures(path)
    said = review(path, OK_PART, "NG")

    assert said.exit_code == 2
    assert f"{name} cannot be written" in said.stderr
    assert rows(path) == []
    assert pictures(path) == before


def test_where_the_row_is_not_taken_the_old_picture_stays(path: Path) -> None:
    with Changes(path, busy_ms=20) as changes:
        olga = logged_in(changes, "olga")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseError, match="locked"):
                review_part(changes, olga, OK_PART, Opinion.NG, "")

    assert rows(path) == []
    assert (path.parent / record(path).pictures["picture"]).read_bytes() == PIXELS


def test_whoever_was_disabled_meanwhile_says_nothing(path: Path) -> None:
    with Changes(path, clock=Clock()) as changes:
        olga = logged_in(changes, "olga")
        with changes.transaction() as connection:
            connection.exec_driver_sql("UPDATE user_account SET disabled = 1 WHERE name = 'olga'")
        with pytest.raises(AccessError, match="is disabled"):
            review_part(changes, olga, NG_PART, Opinion.OK, "")
    assert rows(path) == []


def test_beside_a_station_that_writes(path: Path) -> None:
    with InspectionLog(path, run_info("run-2")) as log:
        log.write(inspection(5))
        assert review(path, inspection(5).id, "UNSURE").exit_code == 0
        log.write(inspection(6))

    assert room.last_word(path, inspection(5).id) == room.Word("UNSURE", "olga", None)


def test_a_clock_that_was_ahead_does_not_silence_later_words(path: Path) -> None:
    clock = Clock()
    with Changes(path, clock=clock) as changes:
        clock.wait(24 * 60)
        review_part(changes, logged_in(changes, "olga"), NG_PART, Opinion.NG, "")
        clock.wait(-24 * 60)
        for opinion in (Opinion.UNSURE, Opinion.OK):
            review_part(changes, logged_in(changes, "emil"), NG_PART, opinion, "")

    assert [row[1:3] for row in rows(path)] == [
        *(("olga", "NG"), ("emil", "UNSURE"), ("emil", "OK"))
    ]
    assert str(room.last_word(path, NG_PART)) == "OK by emil"
    with History(path) as history:
        assert history.pareto(NOON, NOON + timedelta(days=1)) == ()
        word = history.last_review(NG_PART)
    assert word is not None
    assert (word.verdict, word.who) == ("OK", "emil")
