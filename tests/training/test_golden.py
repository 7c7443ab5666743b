"""Golden pictures as training makes them."""

import numpy as np
import torch

from tests.training.micro import CONFIG, SIDE, micro_model
from training.golden import answered, one_of_each, shown_by
from training.pictures import Good


def _goods() -> list[Good]:
    rng = np.random.default_rng(3)
    draw = lambda: rng.integers(90, 160, (SIDE, SIDE, 3), dtype=np.uint8)  # noqa: E731
    return [Good(i, i % 2, draw(), SIDE) for i in range(5)]


def test_every_product_shows_one_part_whole_and_spoilt() -> None:
    goods = _goods()
    shown = one_of_each(goods, CONFIG.damage, seed=0)
    assert [(s.product, s.defective) for s in shown] == [
        (0, False),
        (0, True),
        (1, False),
        (1, True),
    ]
    for whole, spoilt, good in zip(shown[::2], shown[1::2], goods[:2], strict=True):
        np.testing.assert_array_equal(whole.image, good.image)
        assert not np.array_equal(spoilt.image, good.image)
    again = one_of_each(goods, CONFIG.damage, seed=0)
    np.testing.assert_array_equal(shown[1].image, again[1].image)


def test_the_answers_are_the_networks_own() -> None:
    model = micro_model()
    golden = answered(model, one_of_each(_goods(), CONFIG.damage, seed=0))
    with torch.no_grad():
        maps, scores = model(torch.from_numpy(golden.image), torch.from_numpy(golden.product))
    np.testing.assert_allclose(golden.map, maps.numpy(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(golden.score, scores.numpy(), rtol=1e-4, atol=1e-4)
    again = answered(model, shown_by(golden))
    np.testing.assert_array_equal(again.image, golden.image)
    np.testing.assert_array_equal(again.defective, golden.defective)
    np.testing.assert_array_equal(again.map, golden.map)
    assert shown_by(None) == []
