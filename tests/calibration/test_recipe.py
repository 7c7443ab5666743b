"""A recipe comes back as it was written, and a wrong one says what is wrong."""

import hashlib
import json
from pathlib import Path

import pytest

from calibration.area import Area
from calibration.recipe import Recipe, Threshold, read_recipe, write_recipe
from engine.types import InputError, UnknownProductError
from inspector.demo.assets import RECIPE as SHIPPED

LIMIT = Threshold(score=3.5, map=4.5, interval=(3.0, 4.0), false_reject_rate=0.01, goods=120)
RECIPE = Recipe(name="line 4", bundle_sha256="a" * 64, products={"disc": LIMIT})


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "recipe.json"
    write_recipe(RECIPE, path)
    assert read_recipe(path) == RECIPE
    assert [p.name for p in path.parent.iterdir()] == ["recipe.json"]
    assert RECIPE.threshold("disc") == LIMIT


def test_an_unknown_product_is_named() -> None:
    with pytest.raises(UnknownProductError, match=r"'cup': the recipe line 4 .* knows disc"):
        RECIPE.threshold("cup")


def test_a_missing_recipe_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make one with 'inspector calibrate'"):
        read_recipe(tmp_path / "recipe.json")


def test_a_recipe_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match=r"recipe .* cannot be read: .*; name the file that"):
            read_recipe(path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"surprise": 1}, "surprise"),
        ({"products": {"disc": {"score": 1}}}, r"products\.disc\.map"),
        ({"products": {"disc": {"score": "NaN"}}}, r"products\.disc\.score"),
    ],
)
def test_a_wrong_recipe_names_the_place(
    tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(RECIPE.model_dump(mode="json") | change))
    with pytest.raises(InputError, match=f"is not usable: {sentence}"):
        read_recipe(path)


def test_no_json_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_bytes(b"\x00\xff")
    with pytest.raises(InputError, match="is not usable: the file"):
        read_recipe(tmp_path / "recipe.json")


def test_an_interval_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValueError, match="lower end is above"):
        Threshold(score=1, map=1, interval=(2, 1), false_reject_rate=0.01, goods=9)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match=r"recipe\.json cannot be written"):
        write_recipe(RECIPE, tmp_path / "file" / "recipe.json")


def test_another_limit_leaves_everything_else(tmp_path: Path) -> None:
    one = LIMIT.model_copy(update={"map": LIMIT.score})
    two = RECIPE.model_copy(update={"products": {"disc": one, "gear": LIMIT}})
    changed = two.with_limit("disc", 5.0)
    assert changed.limits == {"disc": 5.0, "gear": 3.5}
    back = changed.with_limit("disc", 3.5)
    assert (back, back.sha256) == (two, two.sha256)
    assert changed.sha256 != two.sha256
    write_recipe(changed, tmp_path / "recipe.json")
    assert read_recipe(tmp_path / "recipe.json") == changed


@pytest.mark.parametrize(
    ("score", "wide", "limit", "expected"), [(1, 1, 2, 2), (2, 1, 3, 1), (2, 1, 0.5, 0.5)]
)
def test_the_maps_limit_is_never_above_the_scores(
    score: float, wide: float, limit: float, expected: float
) -> None:
    before = LIMIT.model_copy(update={"score": score, "map": wide})
    after = RECIPE.model_copy(update={"products": {"disc": before}}).with_limit("disc", limit)
    assert (after.threshold("disc").score, after.threshold("disc").map) == (limit, expected)


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_no_number_is_no_limit(score: float) -> None:
    with pytest.raises(InputError, match="give a number"):
        RECIPE.with_limit("disc", score)
    with pytest.raises(UnknownProductError):
        RECIPE.with_limit("cup", 1.0)


def test_an_area_comes_back_as_it_was_written(tmp_path: Path) -> None:
    area = Area(width=640, height=480, roi=(((0, 0), (9, 0), (9, 9)),), mm_per_px=0.05)
    drawn = RECIPE.model_copy(
        update={"products": {"disc": LIMIT.model_copy(update={"area": area})}}
    )
    write_recipe(drawn, tmp_path / "recipe.json")

    assert read_recipe(tmp_path / "recipe.json") == drawn
    assert read_recipe(tmp_path / "recipe.json").threshold("disc").area == area


def test_a_recipe_older_than_areas_keeps_its_text_and_its_hash() -> None:
    """Its hash stands in the rows that it judged."""
    read = read_recipe(SHIPPED)

    assert read.model_dump_json(indent=2) + "\n" == SHIPPED.read_text(encoding="utf-8")
    assert (
        hashlib.sha256(read.model_dump_json().encode()).hexdigest().startswith("d57436da7723bc67")
    )


@pytest.mark.parametrize(
    ("area", "place"),
    [
        ({"width": 8, "height": 6, "roi": [[[0, 0], [1, 1]]]}, r"area\.roi\.0: .* at least 3"),
        ({"width": 8, "height": 6, "ignore": [[[0, 0], [9, 0], [0, 5]]]}, "area: .* leaves the"),
        ({"width": 8, "height": 6, "small_regions": "ignore"}, '"ignore" needs min_area_px'),
        (
            {"width": 8, "height": 6, "small_regions": "ignore"}
            | {"mm_per_px": 1.0, "min_area_mm2": 4.0},
            '"ignore" needs a map limit that is not above the score',
        ),
    ],
)
def test_nonsense_in_an_area_is_told_by_file_and_place(
    tmp_path: Path, area: dict[str, object], place: str
) -> None:
    said = RECIPE.model_dump(mode="json")
    said["products"]["disc"]["area"] = area
    (tmp_path / "recipe.json").write_text(json.dumps(said))

    with pytest.raises(InputError, match=rf"recipe\.json is not usable: .*{place}"):
        read_recipe(tmp_path / "recipe.json")


@pytest.mark.parametrize(
    ("px", "mm2", "smallest"), [(0, 1.0, 4), (9, 1.0, 9), (3, 1.0, 4), (3, None, 3)]
)
def test_of_two_smallest_areas_the_larger_holds(px: int, mm2: float | None, smallest: int) -> None:
    area = Area(width=8, height=6, mm_per_px=0.5, min_area_mm2=mm2, small_regions="ignore")
    said = {"map": LIMIT.score, "min_area_px": px, "area": area}
    limit = Threshold(**(LIMIT.model_dump() | said))

    assert limit.smallest_px == smallest
    assert limit.ignores_small
