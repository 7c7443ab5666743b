import cv2
import numpy as np
import pytest

from engine.types import Image
from training.config import DamageConfig
from training.datasets import shapes
from training.datasets.anomalies import KINDS, SPECKS
from training.datasets.ribbons import band, beyond, crack
from training.datasets.seen import VISIBLE_LEVELS, grain, solid, two_levels
from training.datasets.synthesis import SMALLEST_SHARE, Synthetic, spoil, vary
from training.datasets.whole import WHOLE

SIDE = 96
SHAPES = (
    shapes.islands,
    shapes.blob,
    shapes.patch,
    shapes.stroke,
    shapes.area,
    band,
    crack,
    beyond,
)


@pytest.fixture
def part() -> np.ndarray:
    yy, xx = np.mgrid[:SIDE, :SIDE]
    rings = 120 + 50 * np.sin(np.hypot(yy - 40, xx - 50) / 4)
    return np.uint8(np.repeat(rings[..., None], 3, 2) * [1.0, 0.9, 0.8])


@pytest.fixture
def donor() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def test_the_mask_is_where_the_picture_visibly_changed(part, donor) -> None:
    for seed in range(20):
        result = spoil(part, donor, np.random.default_rng(seed))
        change = np.abs(np.int16(result.image) - part).max(2)
        np.testing.assert_array_equal(result.mask, change > VISIBLE_LEVELS)
        assert result.mask.mean() >= SMALLEST_SHARE


def test_the_same_seed_spoils_alike_and_another_otherwise(part, donor) -> None:
    first, again, other = (spoil(part, donor, np.random.default_rng(s)) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.image, again.image)
    assert (first.image != other.image).any()


def test_every_kind_is_drawn_and_leaves_most_of_the_part_alone(part, donor) -> None:
    made = [spoil(part, donor, np.random.default_rng(s)) for s in range(150)]
    assert {m.kind for m in made} == set(KINDS)
    assert np.median([m.mask.mean() for m in made]) < 0.1


@pytest.mark.parametrize("kind", WHOLE)
def test_some_damage_is_marked_whole(part, donor, kind) -> None:
    wanted = DamageConfig.model_validate({kind: 1.0})
    made = [spoil(part, donor, np.random.default_rng(s), wanted) for s in range(60)]
    whole = [m for m in made if m.kind == kind]
    assert len(whole) > 40  # the others did not show
    for m in whole:
        change = np.abs(np.int16(m.image) - part).max(2)
        around = cv2.dilate(np.uint8(m.mask), np.ones((31, 31))).astype(bool)
        assert change[m.mask].mean() > 2
        assert (change[~around] > VISIBLE_LEVELS).sum() < 0.02 * change.size


def test_each_kind_has_its_own_look(part, donor) -> None:
    def made(kind: str) -> list[Synthetic]:
        wanted = DamageConfig.model_validate({kind: 1.0})
        found = [spoil(part, donor, np.random.default_rng(s), wanted) for s in range(60)]
        return [f for f in found if f.kind == kind]

    step = lambda f: np.abs(np.int16(f.image) - part).max(2)[f.mask].mean()  # noqa: E731
    assert np.median([m.mask.mean() for m in made("worn")]) > 0.04
    assert np.median([m.mask.mean() for m in made("crack")]) < 0.02
    faint, worn = (np.median([step(m) for m in made(kind)]) for kind in ("faint", "worn"))
    assert faint < 0.6 * worn


def test_shares_are_kept(part, donor) -> None:
    wanted = DamageConfig(faint=0.3, crack=0.2)
    kinds = [spoil(part, donor, np.random.default_rng(s), wanted).kind for s in range(300)]
    assert 0.2 < kinds.count("faint") / 300 < 0.36
    assert 0.12 < kinds.count("crack") / 300 < 0.28
    assert "worn" not in kinds
    with pytest.raises(ValueError, match="more than all anomalies together"):
        DamageConfig(worn=0.5, faint=0.4, crack=0.2)


def test_specks_are_small_and_as_many_as_asked_for() -> None:
    plain = np.full((256, 256, 3), 120, np.uint8)
    wanted = DamageConfig(specks=0.4)
    made = [spoil(plain, plain, np.random.default_rng(s), wanted) for s in range(200)]
    specks = [m for m in made if m.kind in SPECKS]
    assert 0.25 < len(specks) / 200 < 0.5
    assert {m.kind for m in specks} == {*SPECKS} - {"nick"}  # a plain part covered by itself
    across = [m.mask.sum() ** 0.5 for m in specks]
    assert np.quantile(across, 0.9) < 20
    assert min(across) < 6


def test_a_person_marks_neither_pinholes_nor_crumbs() -> None:
    grainy = np.zeros((256, 256), bool)
    grainy[40:80, 60:120] = np.random.default_rng(0).random((40, 60)) < 0.6
    grainy[200, 200] = True
    grainy[150:154, 150:154] = True
    marked = solid(grainy)
    assert marked[42:78, 62:118].mean() > 0.95  # of 0.6
    assert not marked[200, 200]
    assert marked[150:154, 150:154].all()
    assert marked.sum() < 1.05 * (40 * 60 + 16)
    assert not solid(np.zeros((64, 64), bool)).any()


def test_damage_on_a_grain_is_marked_solid_where_that_is_asked_for() -> None:
    grain = np.random.default_rng(0).normal(120, 5, (128, 128, 1))
    plate = np.uint8(np.repeat(grain, 3, 2))

    def crumbs(wanted: DamageConfig) -> int:
        made = [spoil(plate, plate, np.random.default_rng(s), wanted) for s in range(40)]
        sizes = [cv2.connectedComponentsWithStats(np.uint8(m.mask))[2][1:, -1] for m in made]
        return int((np.concatenate(sizes) < 3).sum())

    assert crumbs(DamageConfig()) > 100
    assert crumbs(DamageConfig(solid=True)) == 0


def test_what_cannot_be_seen_is_no_damage() -> None:
    black = np.zeros((SIDE, SIDE, 3), np.uint8)
    wanted = DamageConfig(worn=0.3, faint=0.4, crack=0.3)
    for seed in range(40):
        found = spoil(black, black, np.random.default_rng(seed), wanted)
        assert found.mask.any() == found.image.any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_changes_nothing_far_from_its_shape(part, donor, kind) -> None:
    rng = np.random.default_rng(1)
    shape = shapes.blob(SIDE, rng, radius=(0.06, 0.08))
    spoilt = KINDS[kind][0](np.float32(part), shape, np.float32(donor), rng)
    rows = np.flatnonzero(shape.max(1) > 0)
    away = np.ones(SIDE, bool)
    away[max(0, rows[0] - 16) : rows[-1] + 17] = False
    np.testing.assert_allclose(spoilt[away], part[away], atol=1e-3)


def test_a_grey_picture_stays_grey(part, donor) -> None:
    grey = np.repeat(part[..., :1], 3, 2)
    for seed in range(10):
        image = spoil(grey, donor, np.random.default_rng(seed)).image
        assert (np.ptp(np.int16(image), axis=2) == 0).all()


def _tracks(low: int, high: int) -> Image:
    """Two levels, with edges as resizing leaves them."""
    large = np.full((4 * SIDE, 4 * SIDE), high, np.uint8)
    for x in range(30, 4 * SIDE - 40, 80):
        large[:, x : x + 21] = low
    grey = cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.repeat(grey[..., None], 3, 2)


def test_a_binarised_picture_stays_binarised(donor) -> None:
    tracks = _tracks(5, 250)
    assert two_levels(tracks[..., 0]) == (5, 250)
    spoilt = [spoil(tracks, donor, np.random.default_rng(s)) for s in range(40)]
    changed = np.concatenate([s.image[..., 0][s.mask] for s in spoilt])
    assert ((changed > 30) & (changed < 225)).mean() < 0.25  # narrow edges
    assert {5, 250} <= set(changed.tolist())


def test_a_binarised_picture_has_nothing_worn_or_faint(donor) -> None:
    image, wanted = _tracks(5, 250), DamageConfig(faint=0.4, worn=0.3, crack=0.3)
    kinds = {spoil(image, donor, np.random.default_rng(s), wanted).kind for s in range(40)}
    assert "crack" in kinds
    assert not kinds & {"faint", "worn"}


def test_a_crack_is_a_gap_on_a_grey_part_and_a_hairline_on_a_binarised_one(part, donor) -> None:
    def widest_px(image: Image) -> float:
        made = [
            spoil(image, donor, np.random.default_rng(s), DamageConfig(crack=1)) for s in range(60)
        ]
        cracks = [np.uint8(m.mask) for m in made if m.kind == "crack"]
        return 2 * max(cv2.distanceTransform(m, cv2.DIST_L2, 5).max() for m in cracks)

    assert widest_px(_tracks(5, 250)) < 0.06 * SIDE < 0.08 * SIDE < widest_px(part)


@pytest.fixture(scope="module")
def soft() -> Image:
    """A part of 64 px, enlarged."""
    taken = np.random.default_rng(5).integers(90, 150, (64, 64, 3), dtype=np.uint8)
    return cv2.resize(taken, (4 * 64, 4 * 64))


def _sharpness(spoilt: Image, good: Image) -> float:
    """Steepest change of the change between neighbours, by its height."""
    change = np.abs(np.int16(spoilt) - good).max(2)
    steps = np.abs(np.diff(change, axis=0)).max(), np.abs(np.diff(change, axis=1)).max()
    return float(max(steps) / change.max())


def test_damage_on_an_enlarged_picture_is_as_soft_as_the_picture(soft) -> None:
    taken, made = DamageConfig(crack=1.0, as_taken=True), DamageConfig(crack=1.0)
    sharpness = [
        [
            _sharpness(spoil(soft, soft, np.random.default_rng(s), wanted, 64).image, soft)
            for s in range(10)
        ]
        for wanted in (taken, made)
    ]
    assert np.median(sharpness[0]) < 0.6 * np.median(sharpness[1])


def test_what_was_not_spoilt_of_an_enlarged_picture_is_as_it_was(soft) -> None:
    wanted = DamageConfig(as_taken=True)
    for seed in range(10):
        found = spoil(soft, soft, np.random.default_rng(seed), wanted, 64)
        assert found.image.shape == soft.shape
        assert found.mask.shape == soft.shape[:2]
        assert found.mask.any()
        assert (found.image == soft).all(2).mean() > 0.3


@pytest.mark.parametrize("taken_px", [None, SIDE, 3 * SIDE])
def test_a_picture_that_was_not_enlarged_is_spoilt_at_its_size(part, donor, taken_px) -> None:
    as_taken = spoil(part, donor, np.random.default_rng(1), DamageConfig(as_taken=True), taken_px)
    usual = spoil(part, donor, np.random.default_rng(1), DamageConfig())
    assert (as_taken.image == usual.image).all()


def test_the_smallest_picture_still_takes_shapes(donor) -> None:
    tiny = np.full((SIDE, SIDE, 3), 128, np.uint8)
    found = spoil(tiny, donor, np.random.default_rng(2), DamageConfig(as_taken=True), 3)
    assert found.mask.any()


def test_grain_is_how_rough_a_picture_is() -> None:
    rng, flat = np.random.default_rng(0), np.full((SIDE, SIDE, 3), 120.0)
    rough = [np.uint8(flat + rng.normal(0, s, (SIDE, SIDE, 1))) for s in (0, 4, 12)]
    smooth, some, much = (grain(r) for r in rough)
    assert smooth == pytest.approx(0.5, abs=1e-3)
    assert 3 < some < 6
    assert 9 < much < 15


def test_what_has_more_levels_is_not_binarised(part) -> None:
    assert two_levels(part[..., 0]) is None
    assert two_levels(_tracks(100, 180)[..., 0]) is None  # a low contrast proves nothing
    assert two_levels(np.full((64, 64), 255, np.uint8)) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_soft_masks_of_the_right_size(shape) -> None:
    drawn = [shape(SIDE, np.random.default_rng(s)) for s in range(30)]
    assert {d.shape for d in drawn} == {(SIDE, SIDE)}
    assert min(d.min() for d in drawn) >= 0
    assert max(d.max() for d in drawn) <= 1 + 1e-5
    assert np.mean([(d > 0.3).any() for d in drawn]) > 0.8


def test_features_are_drawn_where_there_is_something_to_see() -> None:
    picture = np.full((SIDE, SIDE), 90, np.float32)
    picture[60:70, 20:30] = 200
    rng = np.random.default_rng(0)
    places = np.array([shapes.feature(picture, rng) for _ in range(200)])
    near = (np.abs(places - [25, 65]) < 12).all(1)
    assert near.mean() > 0.9


def test_a_moved_shape_is_the_same_shape_elsewhere() -> None:
    shape = shapes.blob(SIDE, np.random.default_rng(2), radius=(0.05, 0.06))
    there = shapes.moved(shape, (30, 50))
    ys, xs = np.nonzero(there > 0.3)
    assert abs(xs.mean() - 30) < 1
    assert abs(ys.mean() - 50) < 1
    assert there.sum() == pytest.approx(shape.sum(), rel=0.02)
    assert shapes.reach(there) == pytest.approx(shapes.reach(shape), abs=1)
    empty = np.zeros((SIDE, SIDE), np.float32)
    assert shapes.moved(empty, (3, 3)) is empty


def test_vary_keeps_order_of_grey_and_stays_near(part) -> None:
    varied = vary(part, np.random.default_rng(0))
    assert 0 < np.abs(np.int16(varied) - part).mean() < 25
    order = np.argsort(part.ravel(), kind="stable")
    assert (np.diff(np.int16(varied.ravel()[order])) >= 0).all()
