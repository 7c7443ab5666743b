"""The parts of the model keep the promises their design rests on."""

import itertools

import pytest
import torch

from tests.training.micro import MODEL, SIDE, micro_model
from training.model.backbone import Axes
from training.model.promptmad import Coarse, Features, PromptMAD
from training.model.reconstruct import DecoderLayer, Reconstructor, pack, unpack
from training.model.refine import Denoiser, abar, bridge, noise_share, step_down, to_map


def _image(count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, SIDE, SIDE, 3), dtype=torch.uint8, generator=generator)


def _coarse(model: PromptMAD, features: Features, product: torch.Tensor) -> Coarse:
    return model.coarse(features, model.ask(features, product), product)


def test_pack_and_unpack_are_inverse() -> None:
    tokens = torch.randn(2, 6, 8, 8)
    torch.testing.assert_close(unpack(pack(tokens), 4), tokens)


def test_an_untrained_reconstruction_is_the_prompt_itself() -> None:
    net, prompt = Reconstructor(MODEL), torch.randn(1, 16, 8, 8)
    rebuilt = net(torch.randn(1, 16, 8, 8), prompt, torch.randn(1, 1, 16))
    torch.testing.assert_close(rebuilt, prompt)


def test_the_decoders_picture_stream_sees_the_prompt() -> None:
    """The fault of OneNIP's first code: the third step left the prompt out."""
    layer = DecoderLayer(16, 2)
    x, pos, text = torch.randn(1, 4, 16), torch.zeros(1, 4, 16), torch.randn(1, 1, 16)
    every = torch.ones(4, 4, dtype=torch.bool)
    _, seen = layer(torch.randn(1, 4, 16), x, pos, text, every)
    _, seen_other = layer(torch.randn(1, 4, 16), x, pos, text, every)
    assert (seen - seen_other).abs().max() > 1e-3


def test_attention_never_looks_at_its_own_neighbourhood() -> None:
    net = Reconstructor(MODEL)
    side = SIDE // 16
    allowed = net.allowed.reshape(side, side, side, side)
    assert not allowed[1, 1, :3, :3].any()
    assert allowed[1, 1, 3, :].all()
    assert allowed.any((2, 3)).all()


def test_words_change_the_map_of_a_product() -> None:
    model = micro_model()
    features = model.features(_image(1))
    first = _coarse(model, features, torch.tensor([0])).logit
    assert model.words is not None
    model.words.table[0] = torch.randn(2, MODEL.text_dim)
    assert (_coarse(model, features, torch.tensor([0])).logit - first).abs().max() > 1e-6


def test_axes_see_faint_damage_through_loud_differences_of_good_parts() -> None:
    """Damage moves one direction by 1; good parts differ by 10 in the others."""
    generator = torch.Generator().manual_seed(0)
    mix = torch.linalg.qr(torch.randn(20, 20, generator=generator)).Q
    noise = torch.randn(4000, 20, generator=generator) * torch.tensor([0.1] + 19 * [10.0])
    signal = torch.eye(20)[:1].repeat(50, 1) + 0.01 * torch.randn(50, 20, generator=generator)
    axes = Axes(20, 1)
    axes.fit(noise @ mix + 3, signal @ mix, noise @ mix)
    see = lambda rows: axes((rows @ mix + 3).T[None, :, :, None]).flatten()  # noqa: E731
    goods, damaged = see(noise), see(noise + signal[0])
    assert (damaged - goods).abs().mean() > 5 * goods.std()
    torch.testing.assert_close(goods.mean(), torch.tensor(0.0), atol=0.02, rtol=0)


@pytest.mark.parametrize("mode", ["bridge", "ddpm"])
def test_the_schedule_rises_from_mask_to_coarse_map(mode: str) -> None:
    model = MODEL.model_copy(update={"refinement": mode, "refinement_steps": 10})
    h = noise_share(model)
    assert (h[0], h[-1], len(h)) == (0.0, 1.0, 11)
    assert all(low < high for low, high in itertools.pairwise(h))


def test_the_bridge_ends_at_mask_and_at_coarse_map() -> None:
    mask, coarse, noise = (torch.randn(1, 1, 4, 4) for _ in range(3))
    at = lambda share: bridge(mask, coarse, torch.tensor(share), noise, 0.0)  # noqa: E731
    torch.testing.assert_close(at(0.0), mask)
    torch.testing.assert_close(at(1.0), coarse)


def test_the_sampler_lands_on_the_predicted_map_and_stays_on_the_bridge() -> None:
    h, x0, coarse = noise_share(MODEL), torch.tensor(-1.0), torch.tensor(0.5)
    x = coarse
    for t in range(MODEL.refinement_steps, 0, -1):
        torch.testing.assert_close(x, (1 - h[t]) * x0 + h[t] * coarse)
        x = step_down(x, x0, h[t - 1] / h[t])
    torch.testing.assert_close(x, x0)


def test_the_diffusions_sampler_is_ddim() -> None:
    """In the paper's own coordinates, x = sqrt(abar) y: the same steps, and the same end."""
    config = MODEL.model_copy(update={"refinement": "ddpm", "refinement_steps": 10})
    h, a = noise_share(config), abar(config)
    assert a[10] == pytest.approx(0.904, abs=1e-3)  # it can refine a map, never make one of noise
    x0, y = torch.tensor(-0.7), torch.tensor(0.5)
    x = a[10] ** 0.5 * y
    for t in range(10, 0, -1):
        eps = (x - a[t] ** 0.5 * x0) / (1 - a[t]) ** 0.5
        x = a[t - 1] ** 0.5 * x0 + (1 - a[t - 1]) ** 0.5 * eps
        y = step_down(y, x0, h[t - 1] / h[t])
        torch.testing.assert_close(x, a[t - 1] ** 0.5 * y, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(y, x0)


def test_an_untrained_refiner_leaves_the_coarse_map_as_it_is() -> None:
    model = micro_model()
    model.denoiser = Denoiser(MODEL, model.backbone.channels[0] + MODEL.detail_dim)
    features = model.features(_image())
    coarse = _coarse(model, features, torch.tensor([0, 1]))
    torch.testing.assert_close(model.refine(coarse), coarse.logit)


def test_the_split_first_convolution_is_the_whole_one() -> None:
    net = Denoiser(MODEL, 5)
    x, coarse, guide, lateral = (torch.randn(1, c, 8, 8) for c in (1, 1, 16, 5))
    split = net.from_x(x) + net.condition(coarse, guide, lateral)
    weight = torch.cat([net.from_x.weight, net.from_guide.weight], 1)
    whole = torch.cat([x, to_map(coarse), guide, lateral], 1)
    torch.testing.assert_close(
        split, torch.conv2d(whole, weight, net.from_guide.bias, padding=1), atol=1e-5, rtol=1e-4
    )


def test_the_whole_model_answers_every_picture_of_a_batch_as_alone() -> None:
    model, image = micro_model(), _image(3)
    product = torch.tensor([0, 1, 0])
    maps, scores = model(image, product)
    alone = [model(image[i : i + 1], product[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(maps, torch.cat([m for m, _ in alone]), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(scores, torch.cat([s for _, s in alone]), atol=1e-4, rtol=1e-4)
    assert maps.shape == (3, SIDE // 4, SIDE // 4)
