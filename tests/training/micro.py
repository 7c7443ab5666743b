"""A PromptMAD small enough for tests: 64 px, a tiny trunk with weights made here, three steps."""

from pathlib import Path

import cv2
import numpy as np
import timm
import torch
from safetensors.torch import save_file

from training.config import BackboneConfig, ModelConfig, TrainConfig
from training.model.backbone import Backbone
from training.model.bank import Bank, Tokens
from training.model.promptmad import PromptMAD

SIDE = 64
MODEL = ModelConfig(
    backbone=BackboneConfig(name="test_resnet"),
    input_px=SIDE,
    neck_dim=16,
    detail_dim=4,
    bank_tokens=32,
    width=16,
    heads=2,
    decoder_layers=1,
    neighbour_window=3,
    text_dim=8,
    segmentor_width=16,  # two channels a group: of one, a group norm would cancel the biases
    guide_channels=16,
    refiner_channels=8,
    refinement_steps=3,
)
CONFIG = TrainConfig(
    name="micro",
    model=MODEL,
    minutes=600,  # so that steps, not a busy machine, decide when a stage ends
    pictures=24,
    batch=4,
    segmentor_steps=6,
    refiner_steps=4,
    precision="32-true",
)


def micro_model(products: int = 2, seed: int = 0, config: ModelConfig = MODEL) -> PromptMAD:
    """A model with random weights everywhere, also where training starts from zero."""
    torch.manual_seed(seed)
    backbone = Backbone(config.backbone, config.input_px)
    model = PromptMAD(config, backbone, torch.randn(products, 2, config.text_dim))
    with torch.no_grad():
        for tensor in (
            model.neck.axes.weight,
            model.detail.weight,
            model.prompt.tokens,
            model.prompt.details,
            model.denoiser.last.weight,
        ):
            tensor.copy_(0.3 * torch.randn(tensor.shape))
        if model.outline:
            model.outline.add.weight.copy_(0.3 * torch.randn(model.outline.add.weight.shape))
        if isinstance(model.prompt, Bank):
            _scatter(model.prompt)
        for memory in (model.memory, model.context):
            if memory:
                _scatter(memory.tokens)
                for tensor in (memory.neck.axes.weight, memory.tokens.tokens):
                    tensor.copy_(0.3 * torch.randn(tensor.shape))
    return model.eval()


def _scatter(bank: Tokens) -> None:
    bank.place.copy_(0.3 * torch.randn(bank.place.shape))
    bank.pull[1:] = 0.5  # one product where place counts, one where it does not


def write_weights(path: Path, seed: int = 0) -> Path:
    """Trunk weights made here, where no hub is reached."""
    torch.manual_seed(seed)
    save_file(timm.create_model(MODEL.backbone.name).state_dict(), path)
    return path


def write_goods(data: Path, product: str, count: int = 8, defects: int = 0) -> Path:
    """Stripes with a little noise, in MVTec-AD layout; defects are bright squares with masks."""
    rng = np.random.default_rng(len(product))
    train, test = data / product / "train" / "good", data / product / "test"
    for i in range(count):
        _write(train / f"{i:03}.png", _stripes(rng))
        _write(test / "good" / f"{i:03}.png", _stripes(rng))
    for i in range(defects):
        image, mask = _stripes(rng), np.zeros((SIDE, SIDE), np.uint8)
        mask[20:34, 24:40] = 255
        image[mask > 0] = 255
        _write(test / "spot" / f"{i:03}.png", image)
        _write(data / product / "ground_truth" / "spot" / f"{i:03}_mask.png", mask)
    return data


def _stripes(rng: np.random.Generator) -> np.ndarray:
    wave = 110 + 60 * np.sin(np.arange(SIDE) / 3)
    noisy = wave[None, :, None] + rng.normal(0, 4, (SIDE, SIDE, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
