"""Axes fitted on good parts, in units of what those differ by."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.micro import MODEL, SIDE, micro_model
from training.axes import fit_axes
from training.model.bank import cells
from training.neighbours import Neighbours
from training.pictures import Good
from training.rows import stacked


@pytest.fixture(scope="module")
def goods() -> list[Good]:
    """The same waves on every part, a few pixels off and with a little noise."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:SIDE, :SIDE]
    made = []
    for i in range(24):
        dy, dx = rng.uniform(-1.5, 1.5, 2)
        waves = 120 + 60 * np.sin((row + dy) / 5) * np.cos((column + dx) / 7)
        noisy = waves[..., None] + rng.normal(0, 3, (SIDE, SIDE, 3))
        made.append(Good(i, 0, np.clip(noisy, 0, 255).astype(np.uint8)))
    return made


def _rows(features: Tensor) -> Tensor:
    """Places of all pictures, one picture after the other."""
    return features.permute(0, 2, 3, 1).flatten(0, 2)


def _neighbours(tokens: Tensor, pictures: int) -> Neighbours:
    side = MODEL.input_px // 8
    place = cells(side, side).repeat(pictures, 1)
    owner = torch.arange(pictures).repeat_interleave(side**2)
    return Neighbours(tokens, place, owner, torch.Generator().manual_seed(0))


@torch.no_grad()
def test_good_parts_differ_by_about_one_on_every_axis(goods: list[Good]) -> None:
    model = micro_model(products=1)
    fit_axes(model, goods, seed=0)
    tokens = _rows(model.features(stacked([g.image for g in goods])).tokens)
    found = _neighbours(tokens, len(goods))
    noise = (tokens[found.asking] - tokens[found.nearest(found.pull)]).square().mean(0)
    assert noise.shape == (MODEL.neck_dim,)
    assert 0.3 < noise.min() < noise.max() < 2.0


def test_fitted_again_they_are_the_same(goods: list[Good]) -> None:
    first, again = micro_model(products=1), micro_model(products=1)
    for model in (first, again):
        fit_axes(model, goods, seed=0)
    assert torch.equal(first.neck.axes.weight, again.neck.axes.weight)
    assert torch.equal(first.detail.weight, again.detail.weight)


def test_axes_of_spread_keep_what_varies_most_alike(goods: list[Good]) -> None:
    """As a singular value decomposition has them; one size for all, so that large stays large."""
    model = micro_model(config=MODEL.model_copy(update={"axes": "spread"}))
    fit_axes(model, goods, seed=0)
    _, f8, f16 = model.backbone(stacked([g.image for g in goods]))
    features = _rows(model.neck.concatenate(f8, f16))
    tokens = _rows(model.neck(f8, f16))
    kept = tokens.shape[1]
    strengths = torch.linalg.svdvals(features - features.mean(0))[:kept] / len(features) ** 0.5
    ours = torch.linalg.svdvals(tokens - tokens.mean(0)) / len(tokens) ** 0.5
    # The axes were fitted in slightly other light, which makes for a little more spread.
    torch.testing.assert_close(ours / ours[0], strengths / strengths[0], atol=0.02, rtol=0.1)
    assert tokens.square().mean().item() == pytest.approx(1.0, rel=0.25)
    assert model.detail.weight.abs().sum() > 0
