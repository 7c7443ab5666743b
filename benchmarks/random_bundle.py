"""A bundle of some configuration with random weights: it takes as long as a trained one."""

from datetime import UTC, datetime
from pathlib import Path

import torch

from engine import manifest
from engine.bundle import PromptTable, PromptWords, write_bundle
from training.config import ModelConfig, config_named, over
from training.graphs import export_graphs
from training.model.backbone import Axes, Backbone, backbone_named
from training.model.promptmad import PromptMAD

STEPS = 10


def random_bundle(
    folder: Path, name: str, trunk: str | None, side_px: int, products: int = 3
) -> Path:
    """Written at ``folder`` unless it is there; ``trunk`` None is the configuration's own."""
    if folder.exists():
        return folder
    model = random_model(name, trunk, side_px, products)
    config = model.config
    names = tuple(f"product_{i}" for i in range(products))
    said = manifest.Manifest(
        products=names,
        name=folder.name,
        model=name,
        created=datetime.now(UTC),
        project_version="0",
        input=manifest.Size(height=side_px, width=side_px),
        map=manifest.Size(height=config.map_px, width=config.map_px),
        refinement=manifest.Refinement(
            mode=config.refinement,
            trained_steps=config.refinement_steps,
            default_steps=STEPS,
            noise_share=tuple(model.noise_share),
        ),
        text=manifest.TextEncoder(encoder="random", dim=config.text_dim),
        backbone=manifest.Backbone(
            name=config.backbone.name, weights="random", weights_sha256=None, licence="none"
        ),
        training=manifest.Training(snapshot_sha256="0" * 64, seed=0, pictures=0, minutes=0),
        licence="none",
    )
    words = PromptWords(normal=("whole",), abnormal=("broken",))
    embeddings = torch.randn(products, 2, config.text_dim).numpy()
    table = PromptTable(dict.fromkeys(names, words), embeddings)
    write_bundle(folder, said, export_graphs(model), table)
    return folder


def random_model(name: str, trunk: str | None, side_px: int, products: int) -> PromptMAD:
    """Weights that no training has seen, banks full of noise, one look at the picture."""
    torch.manual_seed(0)
    size: dict[str, object] = {"input_px": side_px, "context_px": 0}
    if trunk is not None:
        size["backbone"] = backbone_named(trunk).model_dump()
    config = ModelConfig.model_validate(
        over(config_named(name).model_dump(), {"model": size})["model"]
    )
    backbone = Backbone(config.backbone, side_px)
    prompts = torch.randn(products, 2, config.text_dim)
    model = PromptMAD(config.within(backbone.channels), backbone, prompts).eval()
    with torch.no_grad():
        for tensor in model.buffers():
            if tensor.dtype == torch.half:  # tokens and details
                tensor.copy_(torch.randn(tensor.shape))
        for part in model.modules():
            if isinstance(part, Axes):  # else every picture would have the same tokens
                part.weight.normal_(0, 1)
        for tensor in model.denoiser.last.parameters():
            tensor.normal_(0, 0.1)
    return model
