"""On a GPU nothing is left behind on the CPU, and what comes out is the same: asked of a pretended
device, since no machine that runs the tests has a GPU.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.types import MissingError
from tests.training.micro import CONFIG, MODEL, SIDE, micro_model
from tests.training.pretend import DEVICE, Pretending, Recording, There, move
from training.axes import fit_axes
from training.config import FAMILIES, ModelConfig
from training.datasets.sample import Sample
from training.model.promptmad import PromptMAD
from training.pictures import Good, Pictures
from training.prepare import Goods, fill_prompt
from training.processes import device_here, precision_here
from training.ranking import rank
from training.refinement import measure_steps
from training.rows import RowMaker
from training.scales import fit_scales
from training.stages import stages

CPU = torch.device("cpu")
KINDS: dict[str, dict[str, Any]] = {
    "one bank": {},
    "two banks": {
        "axes": "spread",
        "memory_tokens": 12,
        "outline_channels": 8,
        "agreement": 1.0,
        "reconstruction": False,
        "context_px": SIDE // 2,
    },
    "a picture": {"prompt": "picture"},
}


@pytest.fixture
def device() -> Iterator[torch.device]:
    with Pretending():
        yield DEVICE


@pytest.fixture(scope="module")
def goods() -> list[Good]:
    rng = np.random.default_rng(0)
    return [Good(i, i % 2, rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)) for i in range(8)]


def _pair(**changes: Any) -> tuple[PromptMAD, PromptMAD]:
    """The same model on the device and on the CPU."""
    config = ModelConfig.model_validate(MODEL.model_dump() | changes)
    there, here = micro_model(config=config), micro_model(config=config)
    move(there)
    return there, here


def _same(there: torch.Tensor, here: torch.Tensor) -> None:
    assert isinstance(there, There)
    torch.testing.assert_close(there.here, here, atol=1e-5, rtol=1e-4)


def test_two_devices_in_one_operation_are_refused(device: torch.device) -> None:
    there = torch.ones(3).to(device)
    assert (there.device, (there + 1).device) == (device, device)
    with pytest.raises(RuntimeError, match="1 tensors on the device, 1 on the CPU"):
        _ = there + torch.ones(3)
    _same((there * 2).sum(), torch.tensor(6.0))


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_what_is_fitted_before_training(kind: str, device: torch.device, goods: list[Good]) -> None:
    there, here = _pair(**KINDS[kind])
    for model in (there, here):
        fit_axes(model, goods, seed=0)
        fill_prompt(model, Goods(goods, []), seed=0)
    _same(there.neck.axes.weight, here.neck.axes.weight)
    _same(there.prompt.tokens.float(), here.prompt.tokens.float())


@pytest.mark.parametrize("kind", KINDS)
def test_rows(kind: str, device: torch.device, goods: list[Good]) -> None:
    there, here = _pair(**KINDS[kind])
    pictures = Pictures(goods, [g.image for g in goods], seed=0, clean_share=0.3)
    a, b = (
        RowMaker(model, pictures).batch(np.arange(4), where)
        for model, where in ((there, device), (here, CPU))
    )
    _same(a.features.tokens, b.features.tokens)
    _same(a.prompt.tokens, b.prompt.tokens)
    _same(a.mask, b.mask)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("refinement", ["bridge", "ddpm"])
def test_every_stage_learns_there_as_here(
    device: torch.device, goods: list[Good], family: str, refinement: str
) -> None:
    switches = {**FAMILIES[family].get("model", {}), "refinement": refinement}
    switches |= {"outline_channels": 8}
    if switches.get("prompt") != "picture":
        switches |= {"memory_tokens": 12}
    there, here = _pair(**switches)
    pictures = Pictures(goods, [goods[0].image], seed=0, clean_share=0.3)
    for stage in stages(CONFIG.model_copy(update={"jitter": 1.0})):
        for model, where in ((there, device), (here, CPU)):
            batch = RowMaker(model, pictures).batch(np.arange(4), where)
            stage.loss(model, batch, torch.Generator().manual_seed(0)).backward()
        pairs = zip(stage.parameters(there), stage.parameters(here), strict=True)
        learnt = [(a.grad, b.grad) for a, b in pairs if b.grad is not None]
        assert learnt
        for a, b in learnt:
            assert a is not None
            assert b is not None
            _same(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_training(kind: str, device: torch.device, goods: list[Good]) -> None:
    there, here = _pair(**KINDS[kind])
    for model in (there, here):
        fit_scales(model, goods)
    _same(there.fusion.spread, here.fusion.spread)
    samples = [Sample(Path(f"{g.id}.png"), "a", "train") for g in goods]
    a, b = (rank(model, goods, samples, lambda *_: None) for model in (there, here))
    assert [r.score for r in a] == pytest.approx([r.score for r in b], rel=1e-3, abs=1e-4)
    quality = [measure_steps(model, goods[:2], seed=0)[0].mean for model in (there, here)]
    assert quality[0] == pytest.approx(quality[1], abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_whole_pass_can_be_recorded(kind: str, device: torch.device) -> None:
    there, here = _pair(**KINDS[kind])
    image = torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    product = torch.tensor([0, 1])
    given = image.to(device), product.to(device)
    with Recording():
        found = there(*given)
    for a, b in zip(found, here(image, product), strict=True):
        _same(a, b)


@pytest.mark.parametrize("asked", [lambda x: x.to(DEVICE), lambda x: x.nonzero().sum()])
def test_what_waits_for_the_cpu_cannot_be_recorded(asked: Any, device: torch.device) -> None:
    there = torch.ones(3).to(device)
    with Recording(), pytest.raises(RuntimeError, match="cannot be recorded"):
        _ = asked(torch.ones(3)) + there


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
