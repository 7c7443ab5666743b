"""The map at stride 2: what the picture adds, and that nothing is added untaught."""

import numpy as np
import pytest
import torch
from torch import Tensor, optim

from tests.training.micro import MODEL, SIDE, micro_model
from training.cache import FeatureCache
from training.config import LossConfig, ModelConfig
from training.model.outline import Outline, outlined, pixels
from training.model.segmentor import double
from training.pictures import Good, Pictures
from training.rows import Batch, RowMaker
from training.stages import RefineStage

DRAWN = MODEL.model_copy(update={"outline_channels": 8})
CPU = torch.device("cpu")


def _image(count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, SIDE, SIDE, 3), dtype=torch.uint8, generator=generator)


def test_the_map_has_stride_2_and_begins_as_the_segmentors() -> None:
    model = micro_model(config=DRAWN)
    with torch.no_grad():
        assert model(_image(), torch.tensor([0]))[0].shape == (1, SIDE // 2, SIDE // 2)
        coarse = model.look(_image(), torch.tensor([0]))
        fresh = Outline(DRAWN)(coarse.guide, pixels(_image()))
        torch.testing.assert_close(outlined(coarse.logit, fresh), double(coarse.logit))
        assert (model.finished(coarse) - double(model.refine(coarse))).abs().max() > 0.01
    assert micro_model()(_image(), torch.tensor([0]))[0].shape == (1, SIDE // 4, SIDE // 4)


def test_pixels_are_on_the_pictures_own_scale() -> None:
    image = _image()
    darker = (image // 2).to(torch.uint8)
    assert pixels(image).shape == (1, 4, SIDE // 2, SIDE // 2)
    assert 0.75 < pixels(darker).std() / pixels(image).std() < 1  # and not a half
    assert pixels(torch.full_like(image, 40)).abs().max() < 1e-3
    corner = pixels(image)[0, :, 0, 0]
    grey = image[0, :2, :2].float().mean(2).flatten()
    assert torch.equal(corner.argsort(), grey.argsort())


def test_an_outline_learns_what_stride_4_cannot_show() -> None:
    """A bright pixel-wide line: where in its cell it lies, only the picture knows."""
    torch.manual_seed(0)
    head = Outline(DRAWN)
    optimiser = optim.Adam(head.parameters(), 0.02)
    image = torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8)
    image[:, 20:22] = 200
    wanted = torch.zeros(1, 1, SIDE // 2, SIDE // 2)
    wanted[..., 10, :] = 1
    guide, logit = torch.zeros(1, 16, SIDE // 4, SIDE // 4), torch.zeros(1, 1, SIDE // 4, SIDE // 4)
    for _ in range(60):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            outlined(logit, head(guide, pixels(image))), wanted
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = outlined(logit, head(guide, pixels(image)))[0, 0]
    assert found[10].min() > found[torch.arange(SIDE // 2) != 10].max()


def test_a_cache_keeps_what_the_outline_needs(tmp_path) -> None:
    rng = np.random.default_rng(0)
    goods = [Good(i, 0, rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)) for i in range(4)]
    maker = RowMaker(micro_model(config=DRAWN), Pictures(goods, [goods[0].image], 1, 0.3))
    cache = FeatureCache(tmp_path, 8, maker.model)
    cache.fill(maker, CPU)
    rows = np.arange(8)
    kept, made = cache.batch(rows, CPU), maker.batch(rows, CPU)
    assert kept.features.picture is not None
    torch.testing.assert_close(kept.features.picture, made.features.picture, atol=5e-3, rtol=0)
    torch.testing.assert_close(kept.fine_mask, made.fine_mask, atol=1e-3, rtol=0)
    assert kept.fine_mask.shape[-1] == SIDE // 2


def test_the_refiner_learns_for_the_map_that_is_drawn() -> None:
    """The same refined logit, judged with an outline that is right and with one that is not."""
    model, image = micro_model(config=DRAWN), torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)
    image[:, 16:48, 16:48] = 200
    product, fine = torch.tensor([0, 1]), torch.zeros(2, 1, SIDE // 2, SIDE // 2)
    fine[..., 8:24, 8:24] = 1
    f = model.features(image)
    mask = torch.nn.functional.avg_pool2d(fine, 2)
    batch = Batch(f, model.ask(f, product), None, mask, fine, product)
    losses = []
    for sign in (1, -1):
        right = sign * (8 * fine - 4)
        model.outline.forward = lambda *_, right=right: right
        stage = RefineStage(LossConfig())
        losses.append(stage.loss(model, batch, torch.Generator().manual_seed(0)).item())
    assert losses[0] < 0.7 * losses[1]


def test_channels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="outline_channels is a multiple of 8"):
        ModelConfig(outline_channels=12)
