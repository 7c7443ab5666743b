"""`inspector replay` on what a real station stored: the same, another, or not to be told."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner, Result

from calibration.area import Area
from calibration.recipe import read_recipe, write_recipe
from engine.build import build
from engine.pictures import read_picture
from inspector.app import NoScreen, run_headless
from inspector.cli import app
from inspector.db.history import History, HistoryFilter, Record
from inspector.pipeline.inspection import Reason, Verdict
from inspector.pipeline.loop import inspect
from inspector.pipeline.replay import Recorded
from inspector.pipeline.replay import replay as judge_again
from inspector.station import DATABASE, StationSession
from tests.inspector.pipeline_parts import (
    LIMIT,
    RECIPE,
    ScriptedDetector,
    frame,
    numbered_ids,
    picture,
    prediction,
)
from tests.inspector.station_parts import make_station


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station that judged six parts twice and kept every picture; some frames were black.

    First with a limit below all, then with one amid their scores and small regions left out.
    """
    folder = tmp_path_factory.mktemp("replay")
    camera = "sim:disc?parts=6&size=96&black=0.2&seed=3"
    settings = make_station(folder, camera, -1e6, pictures={"every_ok": 1})
    run_headless(StationSession(settings), NoScreen())
    scores = sorted(record.score for record in records(folder) if record.score is not None)
    recipe = read_recipe(settings.recipe)
    threshold = recipe.threshold("disc").model_copy(
        update={"score": scores[1], "map": scores[1] * 0.8, "min_area_px": 20}
    )
    products = dict.fromkeys(recipe.products, threshold)
    write_recipe(recipe.model_copy(update={"products": products}), settings.recipe)
    run_headless(StationSession(settings), NoScreen())
    return folder


@pytest.fixture
def station(ran: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ran, tmp_path / "station"))


def records(station: Path, verdict: Verdict | None = None) -> tuple[Record, ...]:
    with History(station / "out" / DATABASE) as history:
        return history.page(HistoryFilter(verdict=verdict))


def replay(station: Path, inspection: str, *more: str) -> Result:
    database = str(station / "out" / DATABASE)
    command = ["replay", inspection, "--database", database]
    return CliRunner().invoke(app, [*command, *(more or ("--plan", str(station / "plan")))])


def test_what_a_station_judged_is_judged_the_same_again(station: Path) -> None:
    both = [record for record in records(station) if record.score is not None]
    second, first = both[: len(both) // 2], both[len(both) // 2 :]
    assert {record.verdict for record in first} == {Verdict.NG}
    assert {record.verdict for record in second} == {Verdict.OK, Verdict.NG}
    assert any(len(record.regions) > 1 for record in second)
    recipe = ("--plan", str(station / "plan"), "--recipe", str(station / "recipe.json"))
    for record, more in [*((r, ()) for r in first), *((r, recipe) for r in second)]:
        said = replay(station, record.id, *more)
        assert said.exit_code == 0, said.output
        same = f"is the same to the last bit: {record.verdict}, score {record.score!r}"
        assert same in said.stdout
        assert f"{len(record.regions)} regions" in said.stdout


def test_the_recipe_of_then_is_taken_and_another_refused(station: Path) -> None:
    more = ("--plan", str(station / "plan"), "--recipe", str(station / "recipe.json"))
    (record, *_) = records(station, Verdict.NG)
    assert replay(station, record.id, *more).exit_code == 0
    recipe = read_recipe(station / "recipe.json")
    write_recipe(recipe.with_limit("disc", 5.0), station / "recipe.json")
    said = replay(station, record.id, *more)
    assert said.exit_code == 2
    assert "is not the one that" in said.stderr


def test_where_the_database_names_plan_and_recipe_neither_is_asked_for(station: Path) -> None:
    recipe = read_recipe(station / "recipe.json").model_dump_json()
    with closing(sqlite3.connect(station / "out" / DATABASE)) as connection:
        connection.execute("UPDATE run SET plan_path = ?", [str(station / "plan")])
        connection.execute("UPDATE recipe_version SET recipe = NULL")
        newest = "(SELECT recipe_sha256 FROM run ORDER BY started_at DESC LIMIT 1)"
        connection.execute(
            f"UPDATE recipe_version SET recipe = ? WHERE sha256 = {newest}", [recipe]
        )
        connection.commit()
        for record in records(station):
            if record.score is not None:
                said = replay(station, record.id, "--threads", "1")
                assert said.exit_code == 0, said.output
        connection.execute("UPDATE recipe_version SET recipe = ?", [recipe])
        connection.commit()
    said = replay(station, records(station)[-1].id, "--threads", "1")
    assert said.exit_code == 2
    assert "The recipe in the database" in said.stderr


def test_a_recipe_that_breaks_a_later_rule_is_told_in_one_sentence(station: Path) -> None:
    recipe = read_recipe(station / "recipe.json")
    area = Area(width=96, height=96, small_regions="ignore")
    limits = {"score": 1.0, "map": 2.0, "area": area}
    disc = recipe.threshold("disc").model_copy(update=limits)
    older = recipe.model_copy(update={"products": {"disc": disc}}).model_dump_json()
    with closing(sqlite3.connect(station / "out" / DATABASE)) as connection:
        connection.execute("UPDATE recipe_version SET recipe = ?", [older])
        connection.commit()
    (record, *_) = records(station, Verdict.NG)
    said = replay(station, record.id)
    assert said.exit_code == 2
    assert f"The recipe of {record.id} in the database is not usable: products.disc" in said.stderr


def test_a_changed_picture_is_different(station: Path) -> None:
    (record, *_) = records(station, Verdict.NG)
    path = station / "out" / record.pictures["picture"]
    changed = 255 - read_picture(path)
    path.write_bytes(cv2.imencode(".png", changed)[1].tobytes())
    said = replay(station, record.id)
    assert said.exit_code == 1
    assert f"{record.id} is different: score " in said.stdout
    assert f", was {record.score!r} (" in said.stdout


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "UPDATE inspection SET verdict = 'OK', reason = NULL WHERE score IS NOT NULL",
            "verdict NG (defect), was OK",
        ),
        ("UPDATE inspection SET threshold = 1e6", "verdict OK, was NG (defect)"),
        ("UPDATE inspection SET score = score + 1e-12", "score "),
        ("UPDATE defect SET x = x + 1 WHERE rank = 0", "region 0 "),
        ("DELETE FROM defect", " regions, were 0"),
    ],
)
def test_an_edited_record_is_different(station: Path, statement: str, told: str) -> None:
    (record, *_) = records(station, Verdict.NG)
    with closing(sqlite3.connect(station / "out" / DATABASE)) as connection:
        connection.execute(statement)
        connection.commit()
    recipe = ("--plan", str(station / "plan"), "--recipe", str(station / "recipe.json"))
    said = replay(station, record.id, *recipe)
    assert said.exit_code == 1
    assert told in said.stdout


def test_another_plan_is_refused_and_none_is_asked_for(station: Path) -> None:
    (record, *_) = records(station, Verdict.NG)
    build(station / "bundle", station / "other", runtime="onnxruntime", steps=3)
    for plan, told in (("other", "is not the one that judged"), ("no", "There is no plan")):
        said = replay(station, record.id, "--plan", str(station / plan))
        assert said.exit_code == 2
        assert told in said.stderr
        assert said.stderr.count("\n") == 1
    with closing(sqlite3.connect(station / "out" / DATABASE)) as connection:
        connection.execute("UPDATE run SET plan_path = NULL")
        connection.commit()
    said = replay(station, record.id, "--threads", "1")
    assert said.exit_code == 2
    assert "name it with --plan" in said.stderr


def test_what_cannot_be_replayed_is_told_in_one_sentence(station: Path) -> None:
    (black,) = [record for record in records(station) if record.reason is Reason.BLACK_FRAME][:1]
    said = replay(station, black.id)
    assert said.exit_code == 2
    assert "has no score to compare: it was FAULT (black_frame)" in said.stderr
    assert "has no inspection" in replay(station, "none").stderr
    (record, *_) = records(station, Verdict.NG)
    (station / "out" / record.pictures["picture"]).unlink()
    said = replay(station, record.id)
    assert said.exit_code == 2
    assert "cannot be read" in said.stderr
    with closing(sqlite3.connect(station / "out" / DATABASE)) as connection:
        connection.execute("UPDATE inspection SET picture = 'x.jpg' WHERE id = ?", [record.id])
        connection.commit()
        assert "only those kept as PNG" in replay(station, record.id).stderr
        connection.execute("UPDATE inspection SET picture = NULL WHERE id = ?", [record.id])
        connection.commit()
    assert "No picture of" in replay(station, record.id).stderr


RECORD = Recorded(
    *("id-1", "disc", Verdict.NG, Reason.DEFECT, 0.75, 0.5, 0.5, (), "x.png", "p" * 64, "r" * 64)
)


def answer(score: float) -> ScriptedDetector:
    return ScriptedDetector(iter([prediction(score, [(5, 6)])]))


def test_small_regions_count_unless_the_recipe_leaves_them_out() -> None:
    for least, told in ((17, ()), (16, ("1 regions, were 0",))):
        recipe = LIMIT.model_copy(update={"min_area_px": least, "score": 9.0, "map": 9.0})
        assert judge_again(RECORD, picture(1), answer(0.75), recipe).differences == told
    assert judge_again(RECORD, picture(1), answer(0.75)).differences == ("1 regions, were 0",)


def test_of_a_late_result_the_score_alone_is_compared() -> None:
    late = replace(RECORD, verdict=Verdict.FAULT, reason=Reason.LATE_RESULT)
    assert judge_again(late, picture(1), answer(0.75)).differences == ()
    (said,) = judge_again(late, picture(1), answer(0.25)).differences
    assert said == "score 0.25, was 0.75 (-0.5)"


@pytest.mark.parametrize(
    ("spots", "deadline_ms", "size", "score", "reason"),
    [
        ([(40, 20)], None, 60, 0.0, None),  # strange outside alone
        ([(5, 6), (40, 20)], None, 60, 0.9, Reason.DEFECT),
        ([(5, 6), (40, 20)], 0.0, 60, 0.9, Reason.LATE_RESULT),
        ([(5, 6), (40, 20)], None, 61, 1.5, Reason.WRONG_FORMAT),  # no score inside of another size
    ],
)
def test_a_masked_part_is_judged_the_same_again(
    spots: list[tuple[int, int]],
    deadline_ms: float | None,
    size: int,
    score: float,
    reason: Reason | None,
) -> None:
    """The graph says 1.5 of the whole picture, whose left half alone counts."""
    area = Area(width=size, height=40, roi=(((0, 0), (29, 0), (29, 39), (0, 39)),))
    limit = LIMIT.model_copy(update={"area": area})
    recipe = RECIPE.model_copy(update={"products": {"disc": limit}})
    detector = ScriptedDetector(repeat(prediction(1.5, spots)))
    judged = inspect(
        [frame(1)],
        detector,
        recipe,
        triggered=False,
        new_id=numbered_ids(),
        deadline_ms=deadline_ms,
    )
    ((row, kept),) = [(one, one.prediction) for one in judged]
    assert kept is not None
    assert (row.reason, kept.score) == (reason, pytest.approx(score))
    record = replace(
        RECORD, verdict=row.verdict, reason=reason, score=kept.score, regions=row.regions
    )
    assert judge_again(record, picture(1), detector, limit).differences == ()


def test_a_score_that_is_no_number_is_different() -> None:
    assert (
        judge_again(RECORD, picture(1), answer(float("nan"))).differences[0].startswith("score nan")
    )
