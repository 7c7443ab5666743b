"""The second bank: what it is asked, and what it decides."""

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.types import InputError
from tests.training.micro import MODEL, SIDE, micro_model
from training.axes import fit_axes
from training.config import ModelConfig, config_named
from training.model.backbone import Neck
from training.model.promptmad import PromptMAD, enlarge
from training.pictures import Good
from training.prepare import Goods, fill_prompt

PRODUCT = torch.tensor([1])


def _with_memory(tokens: int = 40, **more: int) -> PromptMAD:
    sizes = {"neighbourhood": 1, "memory_tokens": tokens, "memory_dim": 24} | more
    return micro_model(config=MODEL.model_copy(update=sizes))


def _image() -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (1, SIDE, SIDE, 3), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def goods() -> list[Good]:
    rng = np.random.default_rng(0)
    return [Good(i, i % 2, rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)) for i in range(6)]


def test_the_memory_says_how_strange_a_place_is_and_the_prompt_what_it_should_show() -> None:
    model = _with_memory()
    assert model.memory
    f = model.features(_image())
    assert f.means is not None
    found, prompt = model.ask(f, PRODUCT), model.prompt(f.tokens, PRODUCT)
    remembered = model.memory.tokens.nearest(f.means, PRODUCT)
    torch.testing.assert_close(found.strange, remembered.strange)
    assert not torch.allclose(found.strange, prompt.strange, rtol=0.05)
    torch.testing.assert_close(found.tokens, prompt.tokens)
    coarse = model.look(_image(), PRODUCT)
    torch.testing.assert_close(coarse.distance, remembered.strange)


def test_a_pictures_own_tokens_answer_in_neither_bank() -> None:
    model = _with_memory()
    assert model.memory
    f = model.features(_image())
    assert f.means is not None
    for bank, tokens in ((model.prompt, f.tokens), (model.memory.tokens, f.means)):
        own = tokens[0].flatten(1).T
        bank.tokens[1, : len(own)] = own[: bank.tokens.shape[1]].half()
        bank.owner[1, : len(own)] = 5
        bank.tokens[1, 0] = 9.0  # a stranger's, far from all
        bank.owner[1, 0] = 6
    known, left_out = (model.ask(f, PRODUCT, who) for who in (None, torch.tensor([5])))
    assert left_out.strange.min() > 10 * known.strange.median()
    assert (left_out.tokens == 9).all()


def test_a_second_look_knows_larger_things_and_leaves_the_segmentor_alone() -> None:
    one, two = _with_memory(), _with_memory(context_px=SIDE // 2)
    assert two.context
    two.load_state_dict(one.state_dict(), strict=False)
    near, both = (m.look(_image(), PRODUCT) for m in (one, two))
    torch.testing.assert_close(near.logit, both.logit)
    smaller = two.from_afar(_image())
    assert smaller.shape[-1] == SIDE // 16
    strange = two.context.tokens.nearest(smaller, PRODUCT).strange
    torch.testing.assert_close(2 * both.distance - near.distance, enlarge(strange, near.distance))
    assert not torch.allclose(both.distance, near.distance, rtol=0.05)


def test_a_second_look_is_smaller_and_needs_a_memory() -> None:
    assert _with_memory(context_px=SIDE).context is None
    with pytest.raises(ValueError, match="context_px needs memory_tokens"):
        ModelConfig(context_px=128)


def test_a_vit_looks_once() -> None:
    """It sees all of a picture at once, and only pictures of its own size."""
    settings = MODEL.model_dump() | {"memory_tokens": 8, "context_px": 32}
    settings["backbone"] = {"name": "vit_tiny_patch16_224"}
    config = ModelConfig.model_validate(settings)
    model = micro_model(config=config)
    assert model.context is None
    image = torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8)
    assert model.look(image, torch.tensor([0])).logit.shape == (1, 1, SIDE // 4, SIDE // 4)


def test_a_second_look_changes_no_other_bank(goods: list[Good]) -> None:
    one, two = _with_memory(), _with_memory(context_px=SIDE // 2)
    for model in (one, two):
        fit_axes(model, goods, 0)
        with torch.no_grad():
            fill_prompt(model, Goods(goods, []), 0)
    kept = one.state_dict()
    same = [k for k in kept if k.startswith(("neck.", "prompt.", "memory."))]
    assert all(torch.equal(two.state_dict()[k], kept[k]) for k in same)
    assert two.context
    assert two.context.tokens.tokens.abs().sum() > 0
    assert set(two.context.tokens.owner.flatten().tolist()) <= {g.id for g in goods}


def test_tokens_without_a_mean_see_one_cell() -> None:
    f8, f16 = torch.zeros(1, 4, 8, 8), torch.zeros(1, 4, 4, 4)
    f8[..., 3, 3] = 1.0
    fine, mean = (Neck(8, 8, around).concatenate(f8, f16) for around in (1, 3))
    assert int((fine > 0).any(1).sum()) == 1
    assert int((mean > 0).any(1).sum()) == 9


@pytest.mark.parametrize("wrong", [{"memory_tokens": 5}, {"reconstruction": False}])
def test_a_picture_as_prompt_takes_no_memory_and_is_rebuilt_from(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="takes no memory_tokens, and needs reconstruction"):
        ModelConfig.model_validate({"prompt": "picture"} | wrong)
    assert config_named("promptmad-small").model.memory_tokens == 0
    with pytest.raises(InputError, match="no-memory"):
        config_named("promptmad-small+nothing")
