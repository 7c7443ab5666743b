"""`inspector db`: what it says, its exit codes, and what it leaves on the disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from inspector import cli
from inspector.db.connect import writing_engine
from inspector.db.history import History
from inspector.db.log import InspectionLog
from inspector.db.migrate import newest_revision
from inspector.db.outbox import Forwarder, Item, Patience, RowRefusedError
from inspector.db.writer import Writer
from inspector.lock import alone_in
from inspector.pipeline.inspection import Verdict
from tests.inspector.db_parts import count, inspection, run_info
from tests.inspector.test_db_schema import first_schema


def db(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["db", *map(str, arguments)])


def said(result: Result) -> str:
    """The one sentence of an error."""
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr


def spoil(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Six parts, one of them NG, whose picture is there."""
    path = tmp_path / "line" / "station.sqlite"
    recipe = '{"name": "gears"}'
    run = replace(run_info(), recipe=recipe, recipe_sha256=sha256(recipe.encode()).hexdigest())
    with InspectionLog(path, run) as log:
        for n in range(6):
            log.write(inspection(n, Verdict.NG if n == 3 else Verdict.OK))
    picture = path.parent / "pictures" / "a-overlay.png"
    picture.parent.mkdir()
    picture.touch()
    return path


def test_a_sound_database_is_sound(path: Path) -> None:
    result = db("check", path)

    assert (result.exit_code, result.stdout) == (0, f"{path}: sound.\n")


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DELETE FROM inspection WHERE sequence = 1", "Run run-1 has 5 parts, numbered 2 to 6."),
        ("DELETE FROM inspection WHERE sequence = 2", "Run run-1 has 5 parts, numbered 1 to 6."),
        ("DELETE FROM plan", "Row 1 of run names a row of plan that is not there."),
        ("UPDATE recipe_version SET recipe = '{}'", "is not the one that has this hash."),
        ("UPDATE inspection SET crop = 'gone.png' WHERE sequence = 6", "The picture gone.png is"),
    ],
)
def test_each_flaw_is_found_and_the_answer_is_no(path: Path, statement: str, sentence: str) -> None:
    spoil(path, statement)
    result = db("check", path)

    assert result.exit_code == 1
    assert sentence in result.stdout
    assert result.stdout.count("\n") == 1


def test_an_index_that_lies_is_found(path: Path) -> None:
    """quick_check, which the station runs, does not look there."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'serial IS NOT NULL', 'serial IS NULL')"
            " WHERE name = 'inspection_by_serial'"
        )
    result = db("check", path)

    assert result.exit_code == 1
    assert "inspection_by_serial" in result.stdout


def test_pictures_older_than_asked_may_be_retired(path: Path) -> None:
    (path.parent / "pictures" / "a-overlay.png").unlink()

    assert db("check", path).exit_code == 1
    assert db("check", path, "--pictures-of-days", 0).exit_code == 0


def test_many_missing_pictures_are_counted_not_listed(path: Path) -> None:
    with InspectionLog(path, run_info("run-2")) as log:
        for n in range(30, 60):
            log.write(inspection(n, pictures={"picture": Path(f"p{n}.png")}))
    result = db("check", path)

    assert result.stdout.count("is not on the disk") == 20
    assert "… and 10 more pictures." in result.stdout


@pytest.mark.parametrize("command", ["check", "upgrade", "outbox"])
def test_no_database_is_said_and_none_is_made(tmp_path: Path, command: str) -> None:
    assert "There is no database at" in said(db(command, tmp_path / "none.sqlite"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["check", "upgrade", "outbox"])
def test_a_file_that_is_no_database_is_said(tmp_path: Path, command: str) -> None:
    (path := tmp_path / "a.sqlite").write_bytes(b"\x89PNG\r\n" + bytes(range(256)) * 20)

    assert "is not a database" in said(db(command, path))


def test_a_backup_of_a_station_that_writes_is_whole(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite"
    with InspectionLog(path, run_info("run-2")) as log:
        log.write(inspection(7))
        result = db("backup", path, target)
        log.write(inspection(8))

    assert (result.exit_code, result.stdout) == (0, f"{target}\n")
    with History(target) as history:
        assert [record.frame_id for record in history.page()] == [7, 5, 4, 3, 2, 1, 0]


def test_a_backup_replaces_only_what_it_is_told_to(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite"
    target.write_text("something else")

    assert "--overwrite" in said(db("backup", path, target))
    assert target.read_text() == "something else"
    assert db("backup", path, target, "--overwrite").exit_code == 0
    assert db("check", target, "--pictures-of-days", 0).exit_code == 0
    said(db("backup", path, path, "--overwrite"))
    assert "There is no folder" in said(db("backup", path, tmp_path / "none" / "copy.sqlite"))


@pytest.fixture
def backup(path: Path, tmp_path: Path) -> Path:
    """A copy of six parts; the database has gone on to seven."""
    target = tmp_path / "copy.sqlite"
    assert db("backup", path, target).exit_code == 0
    with InspectionLog(path, run_info("run-2")) as log:
        log.write(inspection(7))
    return target


def test_a_restore_keeps_what_was_there(path: Path, backup: Path) -> None:
    result = db("restore", backup, path)

    assert result.exit_code == 0, result.stderr
    (replaced,) = path.parent.glob("station.sqlite.replaced-*")
    assert str(replaced) in result.stdout
    assert (count(path), count(replaced), count(backup)) == (6, 7, 6)
    with InspectionLog(path, run_info("run-3")) as log:
        log.write(inspection(9))


def test_a_lost_database_is_restored(path: Path, backup: Path) -> None:
    path.unlink()

    assert db("restore", backup, path).stdout == f"{path}: restored.\n"
    assert count(path) == 6


def test_a_damaged_database_is_restored(path: Path, backup: Path) -> None:
    path.write_bytes(b"\x5a" * 8192)

    assert db("restore", backup, path).exit_code == 0
    assert count(path) == 6


def opened_by_a_station(path: Path) -> Iterator[None]:
    with InspectionLog(path, run_info("run-3")):
        yield


def opened_by_a_window(path: Path) -> Iterator[None]:
    with History(path) as history:
        history.page()
        yield


@pytest.mark.parametrize("holder", [opened_by_a_station, opened_by_a_window])
def test_what_somebody_has_open_is_not_replaced(path: Path, backup: Path, holder: object) -> None:
    assert callable(holder)
    for _ in holder(path):
        assert "is open in another program" in said(db("restore", backup, path))

    assert count(path) == 7
    assert not [each for each in path.parent.iterdir() if "restored" in each.name]


def test_a_backup_that_is_unsound_or_newer_or_anothers_replaces_nothing(
    path: Path, backup: Path, tmp_path: Path
) -> None:
    before = backup.read_bytes()
    spoil(backup, "UPDATE alembic_version SET version_num = '9999'")
    assert "newer version" in said(db("restore", backup, path))
    spoil(backup, "DROP TABLE alembic_version")
    assert "belongs to another program" in said(db("restore", backup, path))
    backup.write_bytes(before[:20000] + b"\x5a" * 8192 + before[28192:])
    assert "damaged" in said(db("restore", backup, path))
    assert "the database itself" in said(db("restore", path, path))

    left = {each.name for each in path.parent.iterdir()} | {
        each.name for each in tmp_path.iterdir()
    }
    assert not [name for name in left if "restored" in name or "replaced" in name or "part" in name]
    assert count(path) == 7


def test_an_upgrade_copies_first_and_says_what_it_did(tmp_path: Path) -> None:
    path = tmp_path / "station.sqlite"
    engine = writing_engine(path)
    first_schema(engine)
    engine.dispose()
    now = newest_revision()

    done, again = db("upgrade", path), db("upgrade", path)

    copy = tmp_path / f"station.before-{now}.sqlite"
    assert done.stdout == f"{path}: schema 0001 → {now}; what was there is {copy}.\n"
    assert copy.is_file()
    assert again.stdout == f"{path}: schema {now}, up to date.\n"


def test_the_database_of_a_station_that_runs_is_not_upgraded(path: Path, tmp_path: Path) -> None:
    old = tmp_path / "old" / "station.sqlite"
    old.parent.mkdir()
    engine = writing_engine(old)
    first_schema(engine)
    engine.dispose()
    before = old.read_bytes()

    with alone_in(old.parent), alone_in(path.parent):
        assert "Another station writes into" in said(db("upgrade", old))
        assert "up to date" in db("upgrade", path).stdout

    assert old.read_bytes() == before


def test_a_newer_database_is_not_upgraded(path: Path) -> None:
    spoil(path, "UPDATE alembic_version SET version_num = '9999'")

    assert "newer version" in said(db("upgrade", path))


@pytest.mark.parametrize("url", ["mysql://a/b", "://", "postgresql+nonsense://"])
def test_a_url_that_is_none_is_said(url: str) -> None:
    assert db("upgrade", url).exit_code in (2, 3)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://ada:secret@127.0.0.1:1/x?sslmode=disable", "ada:***@127.0.0.1:1/x?sslmode"),
        ("postgresql://ada@127.0.0.1:1/x?password=secret", "ada@127.0.0.1:1/x does not answer"),
        ("postgresql://ada@127.0.0.1:1/x?sslmod=on&PassWord=secret", "x?sslmod=on does not answer"),
        ("postgresql://ada:secret@server:54x2/x", "is a number"),
        ("ada:secret@server://x", "is no URL of a database"),
    ],
)
def test_a_slip_in_a_url_is_said_without_its_password(url: str, told: str) -> None:
    pytest.importorskip("psycopg", reason="the extra postgresql is not installed")
    sentence = said(db("upgrade", url))

    assert told in sentence
    assert "secret" not in sentence


def test_the_outbox_shows_its_dead_letters(path: Path) -> None:
    def refuse(item: Item) -> None:
        raise RowRefusedError("Not here.")

    with Writer(path) as writer:
        with InspectionLog(path, run_info("run-2"), outbox=True, writer=writer) as log:
            log.write(inspection(7))
        assert db("outbox", path).exit_code == 0
        Forwarder(writer, refuse, patience=Patience(tries=1)).forward_once()
        log_says = db("outbox", path)

    assert log_says.exit_code == 1
    assert f"{inspection(7).id} after 1 tries: Not here." in log_says.stdout


def test_all_that_was_refused_is_counted_and_some_of_it_listed(path: Path) -> None:
    def refuse(item: Item) -> None:
        raise RowRefusedError("Not here.")

    with Writer(path) as writer:
        with InspectionLog(path, run_info("run-2"), outbox=True, writer=writer) as log:
            for n in range(10, 131):
                log.write(inspection(n))
        Forwarder(writer, refuse, patience=Patience(tries=1, batch=200)).forward_once()
    lines = db("outbox", path).stdout.splitlines()

    assert lines[0] == f"{path}: 0 rows wait to be sent, 121 were refused."
    assert len(lines) == 21
