"""The trunk's own training sees crops that show what there is to learn."""

import numpy as np

from training.pictures import Good
from training.pretrain import _crops

SIDE = 128


def _good() -> Good:
    rng = np.random.default_rng(0)
    return Good(0, 3, rng.integers(90, 150, (SIDE, SIDE, 3), dtype=np.uint8))


def test_a_picture_gives_a_crop_of_the_damage_and_one_of_anywhere() -> None:
    for seed in range(30):
        (image, mask, product), other = _crops([_good()], np.random.default_rng(seed))
        assert mask.any()
        assert image.shape == other[0].shape == (SIDE // 2, SIDE // 2, 3)
        assert mask.shape == other[1].shape == (SIDE // 2, SIDE // 2)
        assert product == other[2] == 3


def test_crops_lie_everywhere_in_the_picture() -> None:
    good = _good()
    good.image[:4], good.image[-4:], good.image[:, :4], good.image[:, -4:] = 1, 2, 3, 4
    drawn = [_crops([good], np.random.default_rng(seed))[1][0] for seed in range(40)]
    edges = {level for level in (3, 4) if any((crop == level).all(2).any() for crop in drawn)}
    assert edges == {3, 4}
