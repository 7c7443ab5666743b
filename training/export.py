"""The last line of torch: a trained model becomes a bundle, which needs no torch."""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from safetensors import safe_open

from engine.bundle import PromptTable, PromptWords, write_bundle
from engine.golden import Golden
from engine.known import KnownGood
from engine.manifest import Backbone, Manifest, Refinement, Size, TextEncoder, Training
from training.graphs import export_graphs
from training.model.promptmad import PromptMAD
from training.prompts import Table
from training.run import Run
from training.spec import RunSpec

LICENCE = "licence"
ORIGIN = "origin"
"""Keys in a weight file's metadata that a bundle passes on."""


def export_bundle(
    model: PromptMAD,
    table: Table,
    run: Run,
    goods: Sequence[KnownGood],
    golden: Golden,
    pictures: int,
    backbone: Backbone,
) -> Path:
    """Write ``RUN/bundle``; an earlier bundle of the same run is replaced whole."""
    words = {p: PromptWords.model_validate(w) for p, w in table.words.items()}
    training = Training(
        snapshot_sha256=run.spec.data_sha256,
        seed=run.spec.config.seed,
        pictures=pictures,
        minutes=round(run.seconds / 60, 1),
    )
    write_bundle(
        run.bundle,
        _manifest(model, table, run, training, backbone),
        export_graphs(model),
        PromptTable(words, table.embeddings),
        goods,
        golden,
        overwrite=True,
    )
    return run.bundle


def _manifest(
    model: PromptMAD, table: Table, run: Run, training: Training, backbone: Backbone
) -> Manifest:
    config, side = model.config, model.config.input_px
    return Manifest(
        name=run.folder.resolve().name,
        model=run.spec.config.name,
        created=datetime.now(UTC),
        project_version=version("promptmad-inspector"),
        products=run.spec.products,
        input=Size(height=side, width=side),
        map=Size(height=config.map_px, width=config.map_px),
        refinement=Refinement(
            mode=config.refinement,
            trained_steps=config.refinement_steps,
            default_steps=model.steps,
            noise_share=tuple(model.noise_share),
        ),
        text=TextEncoder(encoder=table.encoder, dim=table.embeddings.shape[2], note=table.note),
        backbone=backbone,
        training=training,
        licence=backbone.licence,
    )


def describe_backbone(spec: RunSpec) -> Backbone:
    """Where the trunk's weights come from, and under which licence, as far as their file says."""
    name, weights = spec.config.model.backbone.name, spec.backbone_weights
    if weights is None:
        return Backbone(
            name=name, weights="timm hub", weights_sha256=None, licence="see the timm model card"
        )
    with safe_open(weights.path, "pt") as file:
        said = file.metadata() or {}
    return Backbone(
        name=name,
        weights=said.get(ORIGIN, weights.path.name),
        weights_sha256=weights.sha256,
        licence=said.get(LICENCE, "not stated in the weight file"),
    )
