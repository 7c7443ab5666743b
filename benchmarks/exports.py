"""Models of anomalib as ONNX with random weights, which take as long as trained ones."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import timm
import torch

LAYERS = ["layer1", "layer2", "layer3"]
BANK = 20_000
"""Tokens of PatchCore: a tenth of some 800 pictures' at 256 px."""
PATCH_PX = 14


def stfpm() -> torch.nn.Module:
    from anomalib.models.image.stfpm.torch_model import STFPMModel

    return STFPMModel(layers=LAYERS, backbone="resnet18")


def padim() -> torch.nn.Module:
    from anomalib.models.image.padim.torch_model import PadimModel

    model = PadimModel("resnet18", LAYERS, pre_trained=False)
    model.train()
    for _ in range(4):  # something to have a mean of
        model(torch.rand(8, 3, 256, 256))
    model.fit()
    return model


def fastflow() -> torch.nn.Module:
    from anomalib.models.image.fastflow.torch_model import FastflowModel

    return FastflowModel((256, 256), "resnet18", pre_trained=False)


def patchcore() -> torch.nn.Module:
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    model = PatchcoreModel(layers=LAYERS[1:], backbone="resnet18", pre_trained=False)
    model.memory_bank = torch.rand(BANK, 384)
    return model


def efficient_ad() -> torch.nn.Module:
    from anomalib.models.image.efficient_ad.torch_model import (
        EfficientAdModel,
        EfficientAdModelSize,
    )

    return EfficientAdModel(384, EfficientAdModelSize.S)


def supersimplenet() -> torch.nn.Module:
    from anomalib.models.image.supersimplenet.torch_model import SupersimplenetModel

    return SupersimplenetModel()


def dinomaly() -> torch.nn.Module:
    from anomalib.models.image.dinomaly.torch_model import DinomalyModel

    return DinomalyModel("vit_small_patch14_reg4_dinov2")


PEERS: dict[str, Callable[[], torch.nn.Module]] = {
    "STFPM, resnet18": stfpm,
    "FastFlow, resnet18": fastflow,
    "PaDiM, resnet18": padim,
    "PatchCore, resnet18, 20k": patchcore,
    "EfficientAD-S": efficient_ad,
    "Dinomaly, ViT-S": dinomaly,
    "SuperSimpleNet, WRN50": supersimplenet,
}


class Answer(torch.nn.Module):
    """Map and score alone."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.model(x)
        return found.anomaly_map, found.pred_score


def exported(work: Path, name: str, side_px: int) -> Path:
    """One of :data:`PEERS` for one picture of ``side_px``, written unless it is there.

    A transformer whose patches do not fill that picture sees the largest that they do.
    """
    side_px = side_px // PATCH_PX * PATCH_PX if "ViT" in name else side_px
    path = work / f"{name.split(',')[0]}_{side_px}.onnx"
    if not path.exists():
        model = Answer(_random(name)).eval()
        picture = torch.rand(1, 3, side_px, side_px)
        torch.onnx.export(model, (picture,), path, dynamo=False, opset_version=17)
    return path


def _random(name: str) -> torch.nn.Module:
    """No hub is asked for weights."""
    create = timm.create_model

    def unasked(*args: object, **kwargs: object) -> torch.nn.Module:
        return create(*args, **kwargs | {"pretrained": False})

    with patch.object(timm, "create_model", unasked):
        return PEERS[name]().eval()
