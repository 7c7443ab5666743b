"""The second bank: what it is asked, and what it decides."""

import pytest
import torch
from torch import Tensor

from engine.types import InputError
from tests.training.micro import MODEL, SIDE, micro_model
from training.config import ModelConfig, config_named
from training.model.backbone import Neck
from training.model.promptmad import PromptMAD

PRODUCT = torch.tensor([1])


def _with_memory(tokens: int = 40) -> PromptMAD:
    sizes = {"neighbourhood": 1, "memory_tokens": tokens, "memory_dim": 24}
    return micro_model(config=MODEL.model_copy(update=sizes))


def _image() -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (1, SIDE, SIDE, 3), dtype=torch.uint8, generator=generator)


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
