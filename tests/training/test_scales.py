"""Scales come from good parts alone, and neither map can silence the other."""

import numpy as np
import pytest
import torch

from tests.training.micro import MODEL, SIDE, micro_model
from training.model.promptmad import Fusion, PromptMAD
from training.pictures import Good
from training.prepare import Goods, fill_prompt
from training.rows import stacked
from training.scales import fit_scales


def goods(count: int) -> list[Good]:
    rng = np.random.default_rng(3)
    levels = (SIDE, SIDE, 3)
    return [Good(i, i % 2, rng.integers(0, 256, levels, dtype=np.uint8)) for i in range(count)]


def channels(model: PromptMAD, good: Good) -> torch.Tensor:
    product, image = torch.tensor([good.product]), stacked([good.image])
    f = model.features(image)
    c = model.coarse(f, model.ask(f, product), product)
    return model.fusion.channels(model.refine(c), c.distance, product)


@torch.no_grad()
def test_on_both_maps_the_median_is_0_and_the_strangest_in_fifty_1() -> None:
    model, held_out = micro_model(), goods(22)
    fit_scales(model, held_out)
    for product in range(2):
        z = torch.cat([channels(model, g) for g in held_out if g.product == product])
        medians = z.transpose(0, 1).flatten(1).median(1).values
        torch.testing.assert_close(medians, torch.zeros(2), atol=1e-4, rtol=0)
        scores = torch.stack([model.fusion.score(z[:, i]) for i in range(2)])
        strange = torch.quantile(scores, 0.98, dim=1)
        torch.testing.assert_close(strange, torch.ones(2), atol=1e-4, rtol=1e-4)
        assert (scores.max(1).values > 1).all()


@torch.no_grad()
def test_goods_that_the_bank_knows_set_the_scales_that_they_would_as_strangers() -> None:
    roomy = MODEL.model_copy(update={"bank_tokens": 22 * (SIDE // 8) ** 2})
    known, unknown = (micro_model(config=roomy) for _ in range(2))
    fitted, held_out = goods(22)[:20], goods(22)[20:]  # one of each product
    for model, kept_back in ((known, held_out), (unknown, [])):
        fill_prompt(model, Goods(fitted, kept_back), 0)
        model.prompt.pull.zero_()
        fit_scales(model, held_out)
    assert set(known.prompt.owner.flatten().tolist()) == set(range(22))
    torch.testing.assert_close(known.fusion.spread, unknown.fusion.spread)
    torch.testing.assert_close(known.fusion.centre, unknown.fusion.centre)


@torch.no_grad()
def test_where_maps_add_up_their_sum_is_on_the_scale_and_neither_map_counts_for_more() -> None:
    alone, model = micro_model(), micro_model()
    model.fusion.agreement = 1.0
    held_out = goods(22)
    for either in (alone, model):
        fit_scales(either, held_out)
    for product in range(2):
        own = torch.tensor([product])
        fused = torch.cat(
            [
                model.fusion.joined(*channels(model, g).unbind(1))
                for g in held_out
                if g.product == own
            ]
        )
        strange = torch.quantile(model.fusion.score(fused), 0.98)
        assert float(strange) == pytest.approx(1, abs=1e-4)
    stretched = model.fusion.spread / alone.fusion.spread
    torch.testing.assert_close(stretched[:, 0], stretched[:, 1])


@pytest.mark.parametrize("agreement", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("loud", [0, 1])
def test_what_one_map_says_the_other_cannot_silence(loud: int, agreement: float) -> None:
    fusion = Fusion(1, score_top=0.01, agreement=agreement)
    level = 5.0 if loud == 0 else 1.9
    maps = [torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)]
    quiet, _ = fusion(maps[0], maps[1], torch.tensor([0]))
    maps[loud][..., 4:8, 4:8] = level
    maps[1 - loud][..., 4:8, 4:8] = -9.0
    fused, score = fusion(maps[0], maps[1], torch.tensor([0]))
    assert quiet.max() == 0
    assert fused[0, 5, 5] == pytest.approx(level)
    assert score[0] == pytest.approx(level)


def test_two_maps_that_agree_are_surer_than_one() -> None:
    one, two = torch.full((1, 1, 8, 8), 2.0), torch.full((1, 1, 8, 8), 3.0)
    for agreement, wanted in ((0.0, 3.0), (0.5, 4.0), (1.0, 5.0)):
        fused, score = Fusion(1, 0.04, agreement=agreement)(one, two, torch.tensor([0]))
        assert (float(fused.mean()), float(score)) == pytest.approx((wanted, wanted))


@pytest.mark.parametrize("drawn", [0.5, 1.0])
@pytest.mark.parametrize("agreement", [0.0, 1.0])
def test_the_score_is_the_maps_own_so_that_one_limit_serves_both(
    agreement: float, drawn: float
) -> None:
    fusion = Fusion(1, score_top=0.04, agreement=agreement, drawn=drawn)
    for seed in range(5):
        logit, distance = torch.randn(2, 1, 1, 24, 24, generator=torch.manual_seed(seed))
        fused, score = fusion(logit, distance, torch.tensor([0]))
        assert score.item() == pytest.approx(fusion.score(fused).item(), rel=1e-6)
        assert fused.max() >= score  # never an NG without a place over the limit


def test_a_share_of_the_memory_is_drawn_and_all_of_it_scored() -> None:
    """Both loud at the left, one of them each in the middle and at the right."""
    one, two = torch.zeros(1, 1, 8, 12), torch.zeros(1, 1, 8, 12)
    one[..., :8], two[..., :4], two[..., 8:] = 3.0, 2.0, 2.0
    whole, score = Fusion(1, 0.1, around=1, agreement=1.0)(one, two, torch.tensor([0]))
    half, same = Fusion(1, 0.1, around=1, agreement=1.0, drawn=0.5)(one, two, torch.tensor([0]))
    assert whole[0, 0, [0, 5, 10]].tolist() == [5, 3, 2]
    assert half[0, 0, [0, 5, 10]].tolist() == pytest.approx([5, 3.75, 1.25])
    assert score == same == 5


def test_what_nothing_is_strange_about_is_not_turned_over() -> None:
    quiet = torch.full((1, 1, 8, 8), -1.0)
    fused, score = Fusion(1, 0.1, agreement=1.0, drawn=0.5)(quiet, quiet, torch.tensor([0]))
    assert score == -1
    assert fused.max() <= 0


def test_a_sure_segmentor_marks_alone_and_its_score_never_falls_below_its_own() -> None:
    fusion = Fusion(1, score_top=0.04)
    strange = torch.full((1, 1, 16, 16), 3.0)
    marks, scores = [], []
    for level in (0.0, 1.9, 2.5, 3.5, 4.5):
        segmented = torch.zeros(1, 1, 16, 16)
        segmented[..., 4:10, 4:10] = level
        fused, score = fusion(segmented, strange, torch.tensor([0]))
        marks.append(float(fused[0, 15, 15]))
        scores.append(float(score) - level)
    assert marks == pytest.approx([3.0, 3.0, 2.25, 0.75, 0.0])
    assert min(scores) >= -1e-6
