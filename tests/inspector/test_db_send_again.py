"""`inspector db outbox --retry`: by an engineer, on the trail, beside a station that sends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from inspector.cli import app
from inspector.db.audit import read_trail, verify_trail
from inspector.db.log import InspectionLog
from inspector.db.outbox import Forwarder, Item, Patience, Round, RowRefusedError, dead, pending
from inspector.db.send_again import MOST_NAMED
from inspector.db.writer import Writer
from tests.inspector.db_parts import inspection, run_info
from tests.inspector.people_parts import PASSWORDS, make_people

FIRST = inspection(1).id


def refuse(item: Item) -> None:
    raise RowRefusedError("Not here.")


pytestmark = pytest.mark.usefixtures("cheap")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.sqlite"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    """A station that stays open; two of its three parts were refused for good, one waits."""
    with Writer(path) as writer:
        with InspectionLog(path, run_info(), outbox=True, writer=writer) as log:
            for n in (1, 2):
                log.write(inspection(n))
            Forwarder(writer, refuse, patience=Patience(tries=1)).forward_once()
            log.write(inspection(3))
        yield writer


def retry(path: Path, who: str = "emil", *more: str, password: str | None = None) -> Result:
    arguments = ["db", "outbox", str(path), "--retry", "--as", who, *more]
    return CliRunner().invoke(app, arguments, input=f"{password or PASSWORDS[who]}\n")


def test_an_engineer_sends_again_beside_the_station_and_the_trail_says_it(
    path: Path, writer: Writer
) -> None:
    make_people(path)
    said = retry(path, "emil", "--reason", "the site has the new schema")

    assert said.exit_code == 0, said.output
    assert said.stdout.endswith("2 refused rows wait to be sent again (audit entry 4).\n")
    entry = read_trail(path)[0]
    assert (entry.who, entry.role, entry.action) == ("emil", "engineer", "records_sent_again")
    assert entry.object == "outbox"
    assert entry.old == f"refused: {FIRST}, {inspection(2).id}"
    assert (entry.new, entry.reason) == ("waiting", "the site has the new schema")
    assert verify_trail(path).walk.broken is None
    got: list[Item] = []
    assert Forwarder(writer, got.append).forward_once() == Round(3, 0)
    assert [item.attempts for item in got] == [0, 0, 0]


@pytest.mark.parametrize(
    ("who", "reason", "password", "told"),
    [
        ("olga", "again", None, "olga is operator and may not send refused records again"),
        ("emil", "again", "a wrong password", "Name or password is wrong"),
        ("emil", " ", None, "not changed without a reason"),
    ],
)
def test_what_is_refused_changes_nothing(
    path: Path, writer: Writer, who: str, reason: str, password: str | None, told: str
) -> None:
    make_people(path)
    said = retry(path, who, "--reason", reason, password=password)

    assert said.exit_code == 2
    assert told in said.stderr
    assert said.stderr.count("Error:") == 1
    assert (len(dead(path)), pending(path)) == (2, 1)
    assert len(read_trail(path)) == 3  # of those who are


def test_where_nobody_has_an_account_nobody_is_asked(path: Path, writer: Writer) -> None:
    said = CliRunner().invoke(app, ["db", "outbox", str(path), "--retry"])

    assert said.exit_code == 0, said.output
    assert said.stdout.endswith("2 refused rows wait to be sent again (no audit entry).\n")
    assert (len(dead(path)), pending(path)) == (0, 3)
    assert read_trail(path) == ()


def test_where_nothing_was_refused_nobody_is_asked(path: Path) -> None:
    make_people(path)
    said = CliRunner().invoke(app, ["db", "outbox", str(path), "--retry"])

    assert (said.exit_code, said.stdout) == (0, f"{path}: no row was refused.\n")


def test_the_trail_bears_more_letters_than_fit_into_a_field(path: Path) -> None:
    many = 3 * MOST_NAMED
    with Writer(path) as writer:
        with InspectionLog(path, run_info(), outbox=True, writer=writer) as log:
            for n in range(many):
                log.write(inspection(n))
        patience = Patience(tries=1, batch=many)
        Forwarder(writer, refuse, patience=patience).forward_once()
    make_people(path)
    assert retry(path, "emil", "--reason", "mended").exit_code == 0

    assert str(read_trail(path)[0].old).endswith(f", and {many - MOST_NAMED} more")
    assert pending(path) == many


def test_no_database_is_said_and_none_is_made(path: Path) -> None:
    said = CliRunner().invoke(app, ["db", "outbox", str(path), "--retry"])

    assert said.exit_code == 2
    assert "There is no database at" in said.stderr
    assert not path.exists()
