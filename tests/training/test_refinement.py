from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.micro import SIDE, micro_model, write_goods
from training.datasets.dataset import read_dataset
from training.model.promptmad import Coarse, PromptMAD
from training.prepare import read_goods
from training.refinement import Quality, fewest, measure_steps


def _quality(tmp_path: Path, model: PromptMAD) -> dict[int, Quality]:
    samples = read_dataset(write_goods(tmp_path, "a", 20)).train_goods(["a"])
    return measure_steps(model, read_goods(samples, SIDE, 0.5, 0).held_out, 0)


def test_a_refiner_that_does_nothing_is_left_out(tmp_path: Path) -> None:
    model = micro_model(1)
    torch.nn.init.zeros_(model.denoiser.last.weight)
    quality = _quality(tmp_path, model)
    assert set(quality) == {0, 1, 2}  # the model has three steps
    assert quality[0] == quality[2]
    assert 0 < quality[0].pixel_ap < 1
    assert fewest(quality) == 0


def test_a_refiner_that_ruins_the_map_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = micro_model(1)
    monkeypatch.setattr(model.denoiser, "forward", lambda x, coarse, *_: -coarse)
    quality = _quality(tmp_path, model)
    assert quality[1] == quality[2]  # both end on the last prediction, which is the same
    if quality[0].mean < quality[1].mean:  # of random weights, either may be the better map
        layer = model.segmentor.logit
        for tensor in (layer.weight, layer.bias):
            tensor.data.neg_()
        quality = _quality(tmp_path, model)
    assert quality[0].mean > quality[1].mean
    assert fewest(quality) == 0


def test_a_part_is_measured_beside_a_bank_without_its_own_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    look = PromptMAD.look

    def spied(model: PromptMAD, image: Tensor, product: Tensor, leave_out: Tensor) -> Coarse:
        asked.append(int(leave_out))
        return look(model, image, product, leave_out)

    monkeypatch.setattr(PromptMAD, "look", spied)
    samples = read_dataset(write_goods(tmp_path, "a", 20)).train_goods(["a"])
    held_out = read_goods(samples, SIDE, 0.5, 0).held_out
    measure_steps(micro_model(1), held_out, 0)
    own = [good.id for good in held_out]
    assert sorted(asked) == sorted([*own, *own])  # as it is, and spoilt


@pytest.mark.parametrize(
    ("quality", "wanted"),
    [
        ({0: 0.50, 1: 0.55, 10: 0.60}, 10),
        ({0: 0.50, 1: 0.5995, 10: 0.60}, 1),
        ({0: 0.60, 1: 0.55, 10: 0.50}, 0),
    ],
)
def test_the_fewest_steps_that_do_as_well(quality: dict[int, float], wanted: int) -> None:
    assert fewest({k: Quality(v, v) for k, v in quality.items()}) == wanted


def test_steps_that_buy_one_figure_with_the_other_are_not_taken() -> None:
    measured = {0: Quality(0.50, 0.80), 1: Quality(0.51, 0.80), 10: Quality(0.60, 0.79)}
    assert fewest(measured) == 1


def test_a_model_takes_the_steps_it_was_given() -> None:
    model, product = micro_model(), torch.tensor([0])
    image = torch.randint(0, 256, (1, SIDE, SIDE, 3), dtype=torch.uint8)
    f = model.features(image)
    coarse = model.coarse(f, model.ask(f, product), product)
    for model.steps in (0, 1, 3):
        assert torch.equal(model.refine(coarse), model.refine(coarse, model.steps))
    assert not torch.equal(model.refine(coarse), model.refine(coarse, 1))
