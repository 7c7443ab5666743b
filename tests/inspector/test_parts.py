"""Simulated parts: the same seed gives the same part, and a mask says exactly what changed."""

import re

import cv2
import numpy as np
import pytest

from engine.types import InputError
from inspector.camera.parts import optics
from inspector.camera.parts.ean13 import modules
from inspector.camera.parts.lettering import GLYPHS, strokes
from inspector.camera.parts.render import (
    FAMILIES,
    LEAST_AREA,
    MEAN_CHANGE,
    VISIBLE,
    part_seed,
    render,
)
from inspector.camera.parts.words import caption

DEFECTIVE = [(name, kind) for name, family in FAMILIES.items() for kind in family.defects]


def change(family: str, kind: str, size: int, seed: int) -> np.ndarray:
    """Grey levels by which a defect changes the picture of an ideal sensor, (H, W)."""
    good = render(family, size, seed, noise=False)
    spoilt = render(family, size, seed, kind, noise=False)
    return cv2.absdiff(good.image, spoilt.image).max(2)


def test_there_are_four_products_and_six_kinds_of_defect_or_more() -> None:
    assert len(FAMILIES) >= 4
    assert len({kind for _, kind in DEFECTIVE}) >= 6


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [64, 256, 1024])
def test_a_good_part_is_a_picture_with_an_empty_mask(family: str, size: int) -> None:
    part = render(family, size, seed=3)
    assert part.image.shape == (size, size, 3)
    assert part.image.dtype == np.uint8
    assert part.image.flags.c_contiguous
    assert part.mask.shape == (size, size)
    assert not part.mask.any()
    assert (part.defect, part.caption) == ("good", f"a good {family}")
    assert part.image.std() > 10
    assert np.mean((part.image == 0) | (part.image == 255)) < 0.01  # neither dark nor blown out


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_gives_the_same_bytes_and_another_another_part(family: str) -> None:
    once, again, other = (render(family, 128, seed, "stain") for seed in (7, 7, 8))
    assert once.image.tobytes() == again.image.tobytes()
    assert np.array_equal(once.mask, again.mask)
    assert once.caption == again.caption
    assert once.image.tobytes() != other.image.tobytes()


@pytest.mark.parametrize("family", FAMILIES)
def test_good_parts_differ_by_more_than_noise_yet_look_alike(family: str) -> None:
    one, other = (render(family, 128, seed, noise=False).image.astype(int) for seed in (1, 2))
    assert 2 < np.abs(one - other).mean() < 60
    assert abs(one.mean() - other.mean()) < 20


@pytest.mark.parametrize(("family", "kind"), DEFECTIVE)
def test_the_mask_is_what_changed_and_a_person_sees_it(family: str, kind: str) -> None:
    for seed in (11, 12):
        part = render(family, 256, seed, kind)
        changed = change(family, kind, 256, seed)
        assert np.array_equal(part.mask, changed >= VISIBLE)
        assert part.mask.sum() >= LEAST_AREA * 256**2
        assert changed[part.mask].mean() >= MEAN_CHANGE
        assert part.mask.mean() < 0.2
        assert part.defect == kind


@pytest.mark.parametrize("size", [64, 1024])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_defect_is_exact_and_plain_at_every_size(family: str, size: int) -> None:
    for kind in ("crack", "particle"):
        part = render(family, size, 5, kind)
        changed = change(family, kind, size, 5)
        assert np.array_equal(part.mask, changed >= VISIBLE)
        assert changed[part.mask].mean() >= MEAN_CHANGE


def test_a_defect_is_the_same_at_another_size() -> None:
    small = render("disc", 256, 21, "stain").mask
    large = render("disc", 512, 21, "stain").mask.astype(np.uint8)
    halved = cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA) > 0
    assert (small & halved).sum() / (small | halved).sum() > 0.7


def test_a_defect_moves_neither_the_part_nor_its_noise() -> None:
    good, spoilt = render("board", 128, 4), render("board", 128, 4, "missing")
    untouched = cv2.dilate(spoilt.mask.astype(np.uint8), np.ones((25, 25))) == 0
    assert untouched.mean() > 0.5
    assert np.array_equal(good.image[untouched], spoilt.image[untouched])


@pytest.mark.parametrize(("family", "kind"), DEFECTIVE)
def test_a_caption_says_what_how_large_and_where(family: str, kind: str) -> None:
    part = render(family, 128, 9, kind)
    said = re.fullmatch(
        r"(?:an? |extra )\S.* (\d+) px (?:long across|wide at) the "
        r"(?:(upper|centre|lower) (left|middle|right)|centre)",
        part.caption,
    )
    assert said, part.caption
    rows, columns = np.nonzero(part.mask)
    diagonal = np.hypot(np.ptp(rows) + 1, np.ptp(columns) + 1)
    assert 0.5 * diagonal <= int(said[1]) <= diagonal + 2


def test_a_caption_names_the_third_of_the_picture_and_the_length() -> None:
    mask = np.zeros((90, 90), np.bool_)
    mask[10, 5:25] = True
    assert caption("disc", "a scratch", mask) == "a scratch 20 px long across the upper left"
    mask[:] = False
    mask[40:50, 75:85] = True
    assert caption("disc", "a dent", mask) == "a dent 10 px wide at the centre right"


def test_the_lamp_drifts_slowly_and_brightens_the_picture() -> None:
    lamp = [optics.drift(index) for index in range(optics.DRIFT_PERIOD)]
    assert max(np.abs(np.diff(lamp))) < 0.001
    assert max(lamp) - min(lamp) > 0.05
    dim, bright = (render("label", 64, 1, exposure=value).image.mean() for value in (0.9, 1.1))
    assert bright > dim + 10


def test_noise_grows_with_light_as_shot_noise_does() -> None:
    rng = np.random.default_rng(0)
    dark, bright = (
        optics.add_noise(np.full((200, 200, 3), level, np.float32), rng).std()
        for level in (0.05, 0.8)
    )
    assert bright / dark == pytest.approx((0.8 / 0.05) ** 0.5, rel=0.1)


def test_the_corners_get_less_light_than_the_middle() -> None:
    light = optics.project(np.ones((76, 76, 3), np.float32), 64, PLAIN, None, 1.0)
    assert light[:2, :2].max() < light[31:33, 31:33].min()
    assert light[-2:, -2:].max() < light[:2, :2].min()  # the lamp stands at the upper left


PLAIN = optics.View(turn_deg=0, shift=(0, 0), zoom=1, blur=0, gain=1)


def test_sources_never_share_a_part() -> None:
    seeds = {part_seed(source, seed, i) for source in "ab" for seed in (0, 1) for i in range(50)}
    assert len(seeds) == 200


@pytest.mark.parametrize(
    ("family", "size", "kind", "said"),
    [
        ("gear", 64, None, "no simulated product 'gear': take disc, label, fabric, board"),
        ("fabric", 64, "dent", "simulated fabric has no defect 'dent': take crack"),
        ("disc", 32, None, "cannot be 32 px wide: take 64 to 2048"),
        ("disc", 4096, None, "cannot be 4096 px wide"),
    ],
)
def test_what_cannot_be_pictured_is_said(
    family: str, size: int, kind: str | None, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        render(family, size, 1, kind)


def test_the_bar_code_is_an_ean_13() -> None:
    bars = "".join("01"[int(bar)] for bar in modules("4006381333931"))
    assert bars == (  # as any EAN-13 generator draws this number
        "101"
        "0001101" "0100111" "0101111" "0111101" "0001001" "0110011"
        "01010"
        "1000010" "1000010" "1000010" "1110100" "1000010" "1100110"
        "101"
    )  # fmt: skip


def test_letters_are_centred_and_one_unit_tall() -> None:
    points = np.concatenate(strokes("H0H"))
    assert points.min(0) + points.max(0) == pytest.approx([0, 0])
    assert np.ptp(points[:, 1]) == pytest.approx(1)
    assert all(set(glyph) <= set("0123456 |") for glyph in GLYPHS.values())
