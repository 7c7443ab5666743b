"""What is misspelt, too long or in the way is one sentence, and leaves nothing on the disk."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from calibration.recipe import write_recipe
from inspector.cli import app
from inspector.db.log import InspectionLog
from tests.inspector.db_parts import run_info
from tests.inspector.pipeline_parts import RECIPE

TOO_LONG = "x" * 300
WHY = ("--reason", "x", "--as", "emil", "--database")


def run(*arguments: object, given: str | bytes = "") -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], input=given)


def said(result: Result) -> str:
    """The one sentence of an error."""
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with InspectionLog(path := tmp_path / "line" / "station.sqlite", run_info()):
        pass
    return path


@pytest.mark.parametrize(
    "command",
    [
        ("db", "check"),
        ("db", "verify"),
        ("db", "outbox"),
        ("db", "upgrade"),
        ("db", "backup", "{line}"),
        ("db", "restore", "{line}"),
        ("audit",),
        ("users", "list", "--database"),
        ("users", "role", "emil", "engineer", *WHY),
        ("users", "add", "ada", "--role", "administrator", "--database"),
        ("review", "1", "NG", "--database"),
    ],
)
def test_a_name_that_no_disk_takes_is_one_sentence(path: Path, command: tuple[str, ...]) -> None:
    before = sorted(path.parent.iterdir())
    words = [word.format(line=path) for word in command]
    sentence = said(run(*words, path.with_name(TOO_LONG)))

    assert TOO_LONG in sentence
    assert sorted(path.parent.iterdir()) == before


@pytest.mark.parametrize("words", [("db", "backup"), ("db", "restore")])
def test_a_source_of_a_name_that_no_disk_takes_is_one_sentence(
    path: Path, words: tuple[str, ...]
) -> None:
    assert TOO_LONG in said(run(*words, path.with_name(TOO_LONG), path.with_name("copy.sqlite")))


@pytest.mark.parametrize(
    "command",
    [
        ("users", "role", "emil", "engineer", *WHY),
        ("users", "disable", "emil", *WHY),
        ("users", "password", "emil", *WHY),
        ("threshold", "{recipe}", "disc", "0.7", *WHY),
    ],
)
def test_a_misspelt_database_is_said_before_anything_is_asked_and_none_is_made(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    write_recipe(RECIPE, recipe := tmp_path / "recipe.json")
    words = [word.format(recipe=recipe) for word in command]
    sentence = said(run(*words, tmp_path / "recrods" / "station.sqlite"))

    assert "There is no database at" in sentence
    assert list(tmp_path.iterdir()) == [recipe]


def test_a_file_in_the_place_of_a_folder_is_said(tmp_path: Path) -> None:
    (notes := tmp_path / "notes.txt").write_text("mine")
    words = ("users", "add", "ada", "--role", "administrator", "--database")

    for path in (notes / "station.sqlite", notes / "line" / "station.sqlite"):
        assert f"There can be no database at {path}" in said(run(*words, path))
    assert notes.read_text() == "mine"


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_a_folder_is_no_place_for_a_copy(path: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    (folder := tmp_path / "copies").mkdir()

    assert "is a folder: name a file in it" in said(run("db", "backup", path, folder, *more))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copies", "line"]


def test_what_is_in_the_way_of_a_copy_is_said(path: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.sqlite.part").mkdir()

    assert "copy.sqlite cannot be written" in said(
        run("db", "backup", path, tmp_path / "copy.sqlite")
    )


def test_numbers_that_no_calendar_and_no_database_takes_are_refused(path: Path) -> None:
    assert run("db", "check", path, "--pictures-of-days", 800_000).exit_code == 2
    assert run("db", "check", path, "--pictures-of-days", 36_500).exit_code == 0
    assert run("audit", path, "--limit", 10**20).exit_code == 2
    assert run("audit", path, "--limit", 1_000_000).exit_code == 0


def test_a_password_that_is_no_text_is_refused_and_not_repeated(tmp_path: Path) -> None:
    words = ("users", "add", "ada", "--role", "administrator", "--database")
    result = run(*words, tmp_path / "new.sqlite", given=b"seven gr\xfcn bicycles\n")

    assert "'New password of ada' is no UTF-8" in said(result)
    assert "bicycles" not in result.output


def test_words_that_are_no_text_name_nothing(path: Path) -> None:
    odd = "Ger\udce4t"  # as a shell hands over a byte that is no UTF-8

    assert "has no inspection 'Ger\\udce4t'" in said(run("review", odd, "NG", "--database", path))
    assert "has no inspection" in said(run("replay", odd, "--database", path))
    assert run("audit", path, "--object", odd, "--who", odd).exit_code == 0
