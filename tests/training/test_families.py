"""The three families, and what each switch takes away."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.types import InputError
from tests.training.micro import MODEL, SIDE, micro_model
from training.config import CONFIGS, FAMILIES, SIZES, ModelConfig, config_named
from training.model.picture import Picture, medoid
from training.model.promptmad import PromptMAD
from training.model.settled import settled
from training.pictures import Good
from training.prepare import Goods, fill_prompt
from training.rows import stacked
from training.stages import SegmentStage


def _model(**switches: object) -> PromptMAD:
    return micro_model(config=ModelConfig.model_validate(MODEL.model_dump() | switches))


def _answer(model: PromptMAD, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (1, SIDE, SIDE, 3), dtype=torch.uint8, generator=generator)
    found: torch.Tensor = model(image, torch.tensor([0]))[0]
    return found


def test_every_family_comes_in_every_size() -> None:
    assert set(CONFIGS) == {f"{family}-{size}" for family in FAMILIES for size in SIZES}
    assert (
        config_named("onenip-small").model.neck_dim
        == config_named("promptmad-small").model.neck_dim
    )
    assert config_named("promptmad-bank-tiny").model == ModelConfig()
    with pytest.raises(InputError, match="choose from onenip-tiny"):
        config_named("promptmad")


def test_the_baseline_has_none_of_promptmads_parts() -> None:
    config = config_named("onenip-tiny")
    names = {name for name, _ in _model(**FAMILIES["onenip"]["model"]).named_parameters()}
    assert not any("words" in n or "text" in n or "blocks" in n or "fine" in n for n in names)
    assert (config.loss.focal, config.refiner_steps) == (0, 0)


@pytest.mark.parametrize(
    "switch",
    [
        {"text": False},
        {"laterals": False},
        {"segmentor_layers": 0},
        {"prompt": "picture"},
        {"reconstruction": False},
        {"fusion": False},
    ],
)
def test_a_switch_leaves_a_part_out(switch: dict[str, object]) -> None:
    count = lambda model: sum(p.numel() for p in model.parameters())  # noqa: E731
    assert count(_model(**switch)) < count(_model())
    assert torch.isfinite(_answer(_model(**switch))).all()


def test_ablations_are_named_after_what_they_leave_out() -> None:
    config = config_named("promptmad-bank-small+no-text+ddpm")
    assert config.name == "promptmad-bank-small+no-text+ddpm"
    assert (config.model.text, config.model.refinement) == (False, "ddpm")
    plain = config_named("promptmad-bank-small")
    assert config.model.neck_dim == plain.model.neck_dim
    assert (plain.model.text, plain.model.refinement) == (True, "bridge")
    assert config_named("promptmad-tiny+no-focal").loss.focal_gamma == 0
    assert plain.loss.focal_gamma == 0
    assert config_named("promptmad-bank-small+focal").loss == config_named("promptmad-small").loss
    assert not plain.model.reconstruction
    assert config_named("promptmad-bank-small+reconstruction").model.reconstruction
    with pytest.raises(InputError, match="bank-small is as 'no-focal' would make it"):
        config_named("promptmad-bank-small+no-focal")
    with pytest.raises(InputError, match=r"bank-small\+no-fusion': .* there is no fusion to leave"):
        config_named("promptmad-bank-small+no-fusion")  # which rebuilds nothing
    assert config_named("promptmad-small+no-dice").loss.dice == 0
    with pytest.raises(InputError, match="no ablation 'no-words': choose from no-text"):
        config_named("promptmad-tiny+no-words")


def test_a_narrow_trunk_gives_fewer_axes() -> None:
    config = config_named("promptmad-bank-small").model
    assert config.within([64, 128, 256]) == config
    narrow = config.within([8, 32, 96])  # MobileNetV2's, but for the first
    assert (narrow.neck_dim, narrow.detail_dim) == (128, 8)
    assert narrow.residual_channels == 128 + 2
    assert narrow.model_copy(update={"reconstruction": True}).residual_channels == 2 * 128 + 2


@pytest.mark.parametrize("family", [*FAMILIES, "promptmad-bank-small"])
def test_every_weight_of_a_family_learns(family: str) -> None:
    """A weight that no loss reaches would be dead, and would hang training on several devices."""
    switches = FAMILIES.get(family, {"model": {"reconstruction": False}}).get("model", {})
    model = _model(**switches)
    image = torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    product, times = torch.tensor([0, 1]), torch.arange(2)
    f = model.features(image)
    c = model.coarse(f, model.ask(f, product), product)
    film = model.denoiser.film_table(2, c.text)[times, times]
    condition = model.denoiser.condition(c.logit, c.guide, c.lateral)
    refined = model.denoiser(c.logit, c.logit, condition, film)
    assert (c.reconstruction is None) == (model.reconstructor is None)
    answers = [refined, c.logit, *([] if c.reconstruction is None else [c.reconstruction])]
    sum((a.square().mean() for a in answers), torch.zeros(())).backward()
    dead = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert [n for n in dead if not n.startswith("backbone.")] == []


def test_the_published_prompt_is_the_same_picture_for_every_query() -> None:
    prompt = Picture(2, 4, 3, 2)
    prompt.tokens.copy_(torch.randn(2, 3, 4, 4))
    found = prompt(torch.randn(5, 3, 4, 4), torch.tensor([1, 0, 1, 1, 0]))
    torch.testing.assert_close(found.tokens[0], prompt.tokens[1].float())
    torch.testing.assert_close(found.tokens[4], prompt.tokens[0].float())
    assert not found.away.any()


@torch.no_grad()
def test_the_prompt_picture_is_none_of_those_kept_back() -> None:
    model = _model(prompt="picture")
    draw = np.random.default_rng(0).integers
    goods = [Good(i, 0, draw(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)) for i in range(4)]
    goods[1:] = [replace(good, image=goods[1].image) for good in goods[1:]]  # the medoid, thrice
    fill_prompt(model, Goods(goods[:1], goods[1:]), 0)
    own = model.features(stacked([goods[0].image])).tokens[0]
    torch.testing.assert_close(model.prompt.tokens[0], own.half())


def test_the_medoid_is_the_most_usual_picture() -> None:
    tokens = torch.randn(9, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    tokens[4] = tokens.mean(0)
    tokens[7] += 10
    assert medoid(tokens) == 4


def test_jitter_is_a_share_of_a_tokens_size() -> None:
    from training.stages import _jittered

    tokens = torch.full((1, 400, 8, 8), 3.0)
    moved = _jittered(tokens, 0.5, torch.Generator().manual_seed(0)) - tokens
    assert moved.std().item() == pytest.approx(1.5, rel=0.02)
    assert SegmentStage(config_named("promptmad-tiny").loss).jitter == 0


@pytest.mark.parametrize("switch", [{}, {"prompt": "picture"}, {"fusion": False}, {"text": False}])
def test_what_is_worked_out_once_answers_as_what_is_not(switch: dict[str, object]) -> None:
    model = _model(**switch)
    image = torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    product = torch.tensor([1, 0])
    with torch.no_grad():
        torch.testing.assert_close(
            settled(model).look(image, product).logit, model.look(image, product).logit
        )
