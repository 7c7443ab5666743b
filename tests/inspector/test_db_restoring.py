"""A restore is an administrator's where anybody has an account, and the restored trail says so."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from inspector.cli import app
from inspector.db.audit import read_trail, verify_trail
from inspector.db.changes import Changes
from inspector.db.connect import writing_engine
from inspector.db.log import InspectionLog
from inspector.db.migrate import newest_revision
from inspector.db.people import add
from inspector.db.writer import Writer
from inspector.people.roles import Role
from tests.inspector.db_parts import inspection, run_info
from tests.inspector.people_parts import PASSWORDS, logged_in, make_people
from tests.inspector.test_db_schema import first_schema

ZOES = "three slow elevators"


pytestmark = pytest.mark.usefixtures("cheap")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = make_people(tmp_path / "line" / "station.sqlite")
    with InspectionLog(path, run_info()) as log:
        log.write(inspection(1))
    return path


@pytest.fixture
def backup(path: Path, tmp_path: Path) -> Path:
    """Of the time before zoe was made an administrator."""
    target = tmp_path / "copy.sqlite"
    assert CliRunner().invoke(app, ["db", "backup", str(path), str(target)]).exit_code == 0
    with Changes(path) as changes:
        add(changes, logged_in(changes, "ada"), "zoe", Role.ADMINISTRATOR, ZOES, None)
    return target


def restore(backup: Path, path: Path, *more: str, lines: tuple[str, ...] = ()) -> Result:
    command = ["db", "restore", str(backup), str(path), *more]
    return CliRunner().invoke(app, command, input="".join(f"{line}\n" for line in lines))


def files(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def test_an_administrator_of_the_replaced_one_restores_and_the_trail_has_both_heads(
    path: Path, backup: Path
) -> None:
    replaced, kept = read_trail(path)[0], read_trail(backup)[0]
    said = restore(backup, path, "--as", "zoe", "--reason", "wrong roles", lines=(ZOES,))

    assert said.exit_code == 0, said.output
    entry, before = read_trail(path, limit=2)
    assert (entry.who, entry.role, entry.action) == ("zoe", "administrator", "database_restored")
    assert (entry.old, entry.new) == (
        f"4 entries, head {replaced.hash}",
        f"3 entries, head {kept.hash}",
    )
    assert (entry.object, entry.reason) == ("database", "wrong roles")
    assert before == kept
    check = verify_trail(path)
    assert (check.walk.broken, check.walk.count, check.strangers) == (None, 4, ())
    (aside,) = path.parent.glob("station.sqlite.replaced-*[0-9]Z")
    assert read_trail(aside)[0] == replaced
    assert len(read_trail(backup)) == 3


@pytest.mark.parametrize(
    ("who", "reason", "password", "told"),
    [
        ("emil", "x", PASSWORDS["emil"], "emil is engineer and may not restore the database"),
        ("olga", "x", PASSWORDS["olga"], "olga is operator and may not restore the database"),
        ("ada", "x", "a wrong password", "Name or password is wrong"),
        ("ada", " ", PASSWORDS["ada"], "database is not changed without a reason"),
    ],
)
def test_what_is_refused_replaces_nothing(
    path: Path, backup: Path, who: str, reason: str, password: str, told: str
) -> None:
    before, beside = read_trail(path), files(backup.parent)
    said = restore(backup, path, "--as", who, "--reason", reason, lines=(password,))

    assert said.exit_code == 2
    assert told in said.stderr
    assert read_trail(path) == before
    assert not [n for n in files(path.parent) | beside if "restored" in n or "replaced" in n]
    assert files(backup.parent) == beside


def test_a_reason_has_to_be_given_before_a_password(path: Path, backup: Path) -> None:
    assert "without a reason" in restore(backup, path, "--as", "ada").stderr


def spoil(path: Path) -> None:
    path.write_bytes(b"\x5a" * 8192)


def begin_anew(path: Path) -> None:
    path.unlink()
    with Writer(path):
        pass


@pytest.mark.parametrize(
    ("lose", "old"),
    [
        (Path.unlink, "no readable trail"),
        (spoil, "no readable trail"),
        (begin_anew, "no entry"),
    ],
)
def test_where_the_replaced_one_knows_nobody_the_backup_does(
    path: Path, backup: Path, lose: Callable[[Path], None], old: str
) -> None:
    lose(path)
    why = ("--reason", "the disk broke")
    assert restore(backup, path, "--as", "emil", *why, lines=(PASSWORDS["emil"],)).exit_code == 2
    assert restore(backup, path, "--as", "zoe", *why, lines=(ZOES,)).exit_code == 2
    assert restore(backup, path, "--as", "ada", *why, lines=(PASSWORDS["ada"],)).exit_code == 0

    assert (read_trail(path)[0].who, read_trail(path)[0].old) == ("ada", old)
    assert verify_trail(path).walk.broken is None
    assert len(read_trail(backup)) == 3


def test_an_older_backup_is_brought_up_to_date_and_takes_the_entry(
    path: Path, tmp_path: Path
) -> None:
    engine = writing_engine(old := tmp_path / "old.sqlite")
    first_schema(engine)
    engine.dispose()
    content = old.read_bytes()
    more = ("--as", "ada", "--reason", "back to the beginning")
    assert restore(old, path, *more, lines=(PASSWORDS["ada"],)).exit_code == 0

    assert old.read_bytes() == content
    assert [entry.who for entry in read_trail(path)] == ["ada"]
    said = CliRunner().invoke(app, ["db", "upgrade", str(path)])
    assert said.stdout == f"{path}: schema {newest_revision()}, up to date.\n"
    assert not [name for name in files(path.parent) if "before" in name or "restored" in name]
