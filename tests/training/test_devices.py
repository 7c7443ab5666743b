"""On a GPU nothing is left behind on the CPU: asked of PyTorch's fake tensors, which have a device
and no values, since no machine of ours has a GPU. They know no backward pass without one.
"""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from engine.types import MissingError
from tests.training.micro import CONFIG, MODEL, SIDE, micro_model
from training.config import FAMILIES, ModelConfig
from training.model.promptmad import PromptMAD
from training.processes import device_here, precision_here
from training.rows import Batch, Good, RowMaker
from training.stages import stages

GPU = torch.device("cuda:0")


@pytest.fixture
def fake() -> Iterator[FakeTensorMode]:
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        yield mode


def _on_gpu(mode: FakeTensorMode, config: ModelConfig = MODEL) -> PromptMAD:
    with torch._subclasses.fake_tensor.unset_fake_temporarily():
        model = micro_model(config=config)
    for part in model.modules():
        for tensors in (part._parameters, part._buffers):
            for name, tensor in tensors.items():
                if tensor is None:
                    continue
                moved = mode.from_tensor(tensor.detach()).to(GPU)
                trained = isinstance(tensor, nn.Parameter)
                tensors[name] = nn.Parameter(moved, tensor.requires_grad) if trained else moved
    return model


def _pictures() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8), torch.tensor([0, 1])


def test_pictures_go_where_the_model_is(fake: FakeTensorMode) -> None:
    model = _on_gpu(fake)
    image, product = _pictures()
    coarse = model.look(image, product, leave_out=torch.tensor([3, 4]))
    fused, score = model.fusion(model.finished(coarse), coarse.distance, product)
    assert (coarse.logit.device, fused.device, score.device) == (GPU, GPU, GPU)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("refinement", ["bridge", "ddpm"])
def test_every_stage_learns_on_the_device_of_its_batch(
    fake: FakeTensorMode, family: str, refinement: str
) -> None:
    switches = {**FAMILIES[family].get("model", {}), "refinement": refinement}
    switches |= {"outline_channels": 8}
    if switches.get("prompt") != "picture":
        switches |= {"memory_tokens": 12}
    model = _on_gpu(fake, ModelConfig.model_validate(MODEL.model_dump() | switches))
    image, product = _pictures()
    f = model.features(image)
    prompt = model.ask(f, product.to(GPU))
    mask, fine = (torch.zeros(2, 1, SIDE // s, SIDE // s, device=GPU) for s in (4, 2))
    batch = Batch(f, prompt, f.tokens, mask, fine, product.to(GPU))
    config = CONFIG.model_copy(update={"jitter": 1.0})
    for stage in stages(config):
        assert stage.loss(model, batch, torch.Generator()).device == GPU


def test_rows_are_made_where_the_model_is(fake: FakeTensorMode) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    goods = [Good(i, i, picture) for i in range(2)]
    maker = RowMaker(_on_gpu(fake), goods, [picture], seed=0, clean_share=0.5)
    made = maker.batch(np.arange(4), GPU)
    of = (made.features.tokens, made.prompt.tokens, made.clean, made.mask, made.product)
    assert {tensor.device for tensor in of} == {GPU}


def test_a_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert (device_here("auto"), device_here("cpu")) == ("cuda", "cpu")
    assert precision_here("auto", "cuda") == "bf16-mixed"
    assert precision_here("32-true", "cuda") == "32-true"


def test_a_gpu_asked_for_in_vain_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_here("auto") == "cpu"
    with pytest.raises(MissingError, match=r"finds no NVIDIA GPU here: .* --device cpu"):
        device_here("cuda")
