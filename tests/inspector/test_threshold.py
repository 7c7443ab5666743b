"""A threshold changes with its audit entry or not at all, and never by an operator."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import exc
from typer.testing import CliRunner, Result

from calibration.recipe import read_recipe, write_recipe
from engine.types import AccessError, DatabaseError, InputError
from inspector.app import NoScreen, run_headless
from inspector.cli import app
from inspector.db.audit import read_trail, verify_trail
from inspector.db.changes import Changes
from inspector.people.session import Session
from inspector.station import StationSession
from inspector.threshold import change_threshold
from tests.inspector.people_parts import PASSWORDS, logged_in, make_people
from tests.inspector.pipeline_parts import RECIPE
from tests.inspector.station_parts import make_station

pytestmark = pytest.mark.usefixtures("cheap")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return make_people(tmp_path / "station.sqlite")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    write_recipe(RECIPE, tmp_path / "recipes" / "recipe.json")
    return tmp_path / "recipes" / "recipe.json"


@pytest.fixture
def changes(database: Path) -> Iterator[Changes]:
    with Changes(database, busy_ms=20) as changes:
        yield changes


def actions(database: Path) -> list[str]:
    return [entry.action for entry in reversed(read_trail(database))][3:]  # less those who are


def command(recipe: Path, database: Path, who: str, *more: str, value: str = "0.7") -> Result:
    options = ["--database", str(database), "--as", who, *more]
    arguments = ["threshold", *options, "--", str(recipe), "disc", value]
    return CliRunner().invoke(app, arguments, input=f"{PASSWORDS[who]}\n")


def test_an_engineer_changes_it_and_the_trail_says_all(recipe: Path, database: Path) -> None:
    said = command(recipe, database, "emil", "--reason", "fewer false alarms")
    assert said.exit_code == 0, said.output
    after = read_recipe(recipe)
    assert (after.threshold("disc").score, after.threshold("disc").map) == (0.7, 0.7)
    assert after.bundle_sha256 == RECIPE.bundle_sha256
    entry = read_trail(database)[0]
    assert (entry.who, entry.role, entry.action) == ("emil", "engineer", "threshold_changed")
    assert entry.object == "threshold disc of recipe test"
    assert entry.old == f"score 0.5, map 0.5, recipe {RECIPE.sha256}"
    assert entry.new == f"score 0.7, map 0.7, recipe {after.sha256}"
    assert entry.reason == "fewer false alarms"
    assert verify_trail(database).walk.broken is None
    assert [path.name for path in recipe.parent.iterdir()] == ["recipe.json"]


@pytest.mark.parametrize(
    ("who", "value", "reason", "told"),
    [
        ("olga", "0.7", "I am tired of it", "olga is operator and may not change a threshold"),
        ("emil", "0.7", "  ", "not changed without a reason"),
        ("emil", "nan", "why not", "give a number"),
        ("emil", "0.5", "the same", "is 0.5 already"),
    ],
)
def test_what_is_refused_changes_nothing(
    recipe: Path, database: Path, who: str, value: str, reason: str, told: str
) -> None:
    before = recipe.read_bytes()
    said = command(recipe, database, who, "--reason", reason, value=value)
    assert said.exit_code == 2
    assert told in said.stderr
    assert recipe.read_bytes() == before
    assert actions(database) == []
    assert [path.name for path in recipe.parent.iterdir()] == ["recipe.json"]


def test_a_reason_has_to_be_given(recipe: Path, database: Path) -> None:
    assert command(recipe, database, "emil").exit_code == 2


def test_a_wrong_password_changes_nothing(recipe: Path, database: Path) -> None:
    before = recipe.read_bytes()
    arguments = ["threshold", str(recipe), "disc", "0.7", "--database", str(database)]
    said = CliRunner().invoke(
        app, [*arguments, "--reason", "x", "--as", "emil"], input="not the password\n"
    )
    assert said.exit_code == 2
    assert recipe.read_bytes() == before


def test_the_recipe_stays_where_the_entry_cannot_be_committed(
    recipe: Path, database: Path, changes: Changes
) -> None:
    before, emil = recipe.read_bytes(), logged_in(changes, "emil")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="is locked by another program"):
            change_threshold(changes, emil, recipe, "disc", 0.7, "fewer false alarms")
        other.execute("ROLLBACK")
        assert recipe.read_bytes() == before
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'x'); END"
        )
        with pytest.raises(exc.IntegrityError):
            change_threshold(changes, emil, recipe, "disc", 0.7, "fewer false alarms")
    assert recipe.read_bytes() == before
    assert actions(database) == []
    assert [path.name for path in recipe.parent.iterdir()] == ["recipe.json"]


def test_somebody_elses_recipe_is_not_overwritten(
    recipe: Path, database: Path, changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calibrated anew between reading and writing, at the worst moment: after the commit."""
    anew, make = RECIPE.with_limit("disc", 0.6), changes.make

    def meanwhile(*arguments: object) -> object:
        entry = make(*arguments)  # type: ignore[arg-type]
        if entry.action == "threshold_changed":
            write_recipe(anew, recipe)
        return entry

    monkeypatch.setattr(changes, "make", meanwhile)
    with pytest.raises(InputError, match="changed by somebody else meanwhile"):
        change_threshold(changes, logged_in(changes, "emil"), recipe, "disc", 0.7, "less alarms")
    assert read_recipe(recipe) == anew
    assert actions(database) == ["threshold_changed", "threshold_not_changed"]
    undone, done = read_trail(database, limit=2)
    assert (undone.old, undone.new) == (done.new, done.old)
    assert (
        undone.reason == f"entry {done.number} was not carried out: the recipe could not be written"
    )


def test_a_recipe_that_cannot_be_written_leaves_no_entry(
    recipe: Path, database: Path, changes: Changes
) -> None:
    recipe.with_name("recipe.json.new").mkdir()  # in the way of the file, for root as well
    before = recipe.read_bytes()
    with pytest.raises(InputError, match=r"recipe\.json\.new cannot be written"):
        change_threshold(changes, logged_in(changes, "emil"), recipe, "disc", 0.7, "less")
    assert recipe.read_bytes() == before
    assert actions(database) == []


def test_a_session_that_ended_changes_nothing(recipe: Path, changes: Changes) -> None:
    now, before = 0.0, recipe.read_bytes()
    session = Session(logged_in(changes, "emil").person, lambda: now)
    now = 601.0
    with pytest.raises(AccessError, match="log in again"):
        change_threshold(changes, session, recipe, "disc", 0.7, "fewer false alarms")
    assert recipe.read_bytes() == before


def test_a_station_judges_by_it_and_its_run_names_the_recipe_of_the_entry(tmp_path: Path) -> None:
    """Beside a station's own rows, and bound to its plan as before."""
    settings = make_station(tmp_path, "sim:disc?parts=2&size=64")
    session = StationSession(settings)
    run_headless(session, NoScreen())
    make_people(session.database)
    more = ("--reason", "all are bad", "--plan", str(settings.plan))
    said = command(settings.recipe, session.database, "emil", *more, value="-1e6")
    assert said.exit_code == 0, said.output
    run_headless(StationSession(settings), NoScreen())
    with closing(sqlite3.connect(session.database)) as connection:
        judged = connection.execute(
            "SELECT verdict, recipe_sha256 FROM inspection JOIN run ON run.id = run_id"
            " ORDER BY inspected_at"
        ).fetchall()
    entry = read_trail(session.database)[0]
    assert [verdict for verdict, _ in judged] == ["OK", "OK", "NG", "NG"]
    for (_, used), value in zip(judged[1:3], (entry.old, entry.new), strict=True):
        assert value is not None
        assert value.endswith(f"recipe {used}")


def test_a_recipe_of_another_bundle_is_not_changed_for_this_plan(
    recipe: Path, database: Path, tmp_path: Path
) -> None:
    settings = make_station(tmp_path, "sim:disc?parts=1&size=64")
    said = command(recipe, database, "emil", "--reason", "x", "--plan", str(settings.plan))
    assert said.exit_code == 2
    assert "was measured with another bundle" in said.stderr
    assert read_recipe(recipe) == RECIPE
