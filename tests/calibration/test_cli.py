"""`inspector calibrate`: from a plan and good parts to a recipe."""

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from calibration.cli import calibrate
from calibration.recipe import read_recipe
from engine.build import build
from engine.bundle import read_bundle
from engine.files import sha256_of
from engine.known import KnownGood
from engine.plan import PLAN
from engine.sealed import seal
from engine.types import InputError, UnknownProductError
from inspector.cli import app
from tests.engine.test_pictures import save
from tests.engine.tiny import grey_picture, make_tiny_bundle


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, a plan, and twelve good parts of each product."""
    home = tmp_path_factory.mktemp("line")
    for i, product in enumerate(("disc", "label")):
        for seed in range(12):
            save(
                home / "data" / product / "train" / "good" / f"{seed}.png",
                grey_picture(seed=seed + i),
            )
    known = KnownGood("label", sha256_of(home / "data" / "label" / "train" / "good" / "0.png"), 0.5)
    build(make_tiny_bundle(home / "bundle", goods=[known]), home / "plan")
    return home


def call(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(calibrate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_recipe_is_written_and_told(line: Path, tmp_path: Path) -> None:
    out = tmp_path / "line-4.json"
    rate = ("--false-reject-rate", 0.1)
    done = call(
        line / "plan", line / "data", "--products", "disc, label", "--out", out, *rate, "--json"
    )
    assert done.exit_code == 0, done.output
    recipe = read_recipe(out)
    assert json.loads(done.stdout) == recipe.model_dump(mode="json")
    assert recipe.name == "line-4"
    assert recipe.bundle_sha256 == read_bundle(line / "bundle").sha256
    assert {p: t.goods for p, t in recipe.products.items()} == {"disc": 12, "label": 12}
    assert recipe.products["label"].false_reject_rate == 0.1


def test_verify_says_which_program_built_the_plan(line: Path, tmp_path: Path) -> None:
    plan = shutil.copytree(line / "plan", tmp_path / "plan")
    for version, words in (("0.0.9", "inspector 0.0.9"), ("", "before plans said its version")):
        said = json.loads((plan / PLAN).read_text()) | {"project_version": version}
        (plan / PLAN).write_text(json.dumps(said))
        seal(plan)
        done = CliRunner().invoke(app, ["verify", str(plan), "--json"])
        assert json.loads(done.stdout)["project_version"] == version
        done = CliRunner().invoke(app, ["verify", str(plan)])
        assert done.stdout.strip().endswith(words)


def test_a_recipe_that_cannot_be_written_is_told_before_the_first_picture(
    line: Path, tmp_path: Path
) -> None:
    for out, words in ((tmp_path, "is a folder"), (line / "plan" / "r.json", "lie in the plan")):
        done = call(line / "plan", tmp_path / "none", "--out", out)
        assert isinstance(done.exception, InputError)
        assert words in str(done.exception)


def test_without_products_all_are_calibrated(line: Path, tmp_path: Path) -> None:
    done = call(line / "plan", line / "data", "--out", tmp_path / "r.json")
    disc, label = done.stdout.splitlines()
    assert disc.startswith("disc: ")
    assert disc.endswith("from 12 goods")
    assert "does not say which good parts taught it" in done.stderr
    assert "(disc)" in done.stderr
    assert label.endswith("from 12 goods, 1 of which taught the model")


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        (("--products", "disc,cup"), UnknownProductError, "'cup'"),
        (("--split", "held-out"), InputError, "There is no folder"),
        (("--false-reject-rate", "1.5"), InputError, "choose one between 0 and 1"),
    ],
)
def test_what_cannot_be_calibrated_leaves_no_recipe(
    line: Path, tmp_path: Path, options: tuple[str, ...], kind: type[Exception], sentence: str
) -> None:
    done = call(line / "plan", line / "data", "--out", tmp_path / "r.json", *options)
    assert isinstance(done.exception, kind)
    assert sentence in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_areas_of_an_older_recipe_hold_in_measuring_and_in_the_new_one(
    line: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    measured = (line / "plan", line / "data", "--products", "disc,label")
    assert call(*measured, "--out", first).exit_code == 0
    said = json.loads(first.read_text())
    area = {"width": 64, "height": 64, "roi": [[[0, 0], [31, 0], [31, 31], [0, 31]]]}
    said["products"]["disc"] |= {"area": area, "min_area_px": 5}
    del said["products"]["label"]
    first.write_text(json.dumps(said))

    done = call(*measured, "--out", second, "--areas", first)
    assert done.exit_code == 0, done.output
    before, after = read_recipe(first).products, read_recipe(second).products
    assert (after["disc"].area, after["disc"].min_area_px) == (before["disc"].area, 5)
    assert after["disc"].score <= before["disc"].score
    assert after["label"].area is None
