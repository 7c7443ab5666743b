"""What leaves torch answers as torch does: the exported, unrolled graph against the model."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from engine.bundle import PromptTable, PromptWords, read_bundle, write_bundle
from engine.fuse import unroll
from engine.manifest import Backbone, Manifest, Refinement, Size, TextEncoder, Training
from tests.training.micro import MODEL, SIDE, micro_model
from training.config import FAMILIES, ModelConfig
from training.graphs import export_graphs
from training.model.promptmad import PromptMAD

KINDS = {name: settings.get("model", {}) for name, settings in FAMILIES.items()}
KINDS["promptmad-bank by ddpm"] = {"refinement": "ddpm"}
KINDS["promptmad-bank with a memory"] = {"neighbourhood": 1, "memory_tokens": 48, "memory_dim": 24}
KINDS["promptmad-bank as small and full are"] = {
    "outline_channels": 8,
    "reconstruction": False,
    "memory_tokens": 48,
    "context_px": SIDE // 2,
    "agreement": 1.0,
    "memory_drawn": 0.5,
}
KINDS["promptmad-bank on a ViT"] = {"backbone": {"name": "test_vit"}, "reconstruction": False}


SLOW = (
    "onenip",
    "promptmad-bank",
    "promptmad-bank by ddpm",
    "promptmad-bank with a memory",
    "promptmad-bank on a ViT",
)
"""An export takes 20 to 30 seconds. The first is a part of what ``promptmad`` is, the second of
what ``small`` and ``full`` are and what test_train.py exports, the third differs from it by its
sampler's states, which other tests hold, the fourth is part of what ``small`` is, and the last
differs by a trunk that timm makes for all."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(k, marks=pytest.mark.slow if k in SLOW else ()) for k in KINDS],
)
def model(request: pytest.FixtureRequest) -> PromptMAD:
    config = MODEL.model_dump() | KINDS[request.param]
    return micro_model(config=ModelConfig.model_validate(config))


@pytest.fixture(scope="module")
def bundle(model: PromptMAD, tmp_path_factory: pytest.TempPathFactory) -> Path:
    manifest = Manifest(
        name="micro",
        model="micro",
        created="2026-01-01T00:00:00Z",
        project_version="0",
        products=("a", "b"),
        input=Size(height=SIDE, width=SIDE),
        map=Size(height=model.config.map_px, width=model.config.map_px),
        refinement=Refinement(
            mode=model.config.refinement,
            trained_steps=3,
            default_steps=3,
            noise_share=tuple(model.noise_share),
        ),
        text=TextEncoder(encoder="none", dim=MODEL.text_dim),
        backbone=Backbone(name="test_resnet", weights="random", weights_sha256=None, licence="-"),
        training=Training(snapshot_sha256="0" * 64, seed=0, pictures=0, minutes=0),
        licence="-",
    )
    words = PromptWords(normal=["a flawless a"], abnormal=["a damaged a"])
    folder = tmp_path_factory.mktemp("bundle") / "micro"
    embeddings = np.zeros((2, 2, MODEL.text_dim), np.float32)
    table = PromptTable({"a": words, "b": words}, embeddings)
    write_bundle(folder, manifest, export_graphs(model), table)
    return folder


@pytest.mark.parametrize("product", [0, 1])
def test_the_unrolled_graph_answers_as_the_model(
    model: PromptMAD, bundle: Path, product: int
) -> None:
    image = torch.randint(0, 256, (1, SIDE, SIDE, 3), dtype=torch.uint8)
    index = torch.tensor([product])
    with torch.no_grad():
        expected_map, expected_score = model(image, index)
    graph = unroll(read_bundle(bundle), 3).SerializeToString()
    session = onnxruntime.InferenceSession(graph)
    found_map, found_score = session.run(
        ["map", "score"], {"image": image.numpy(), "product": index.numpy()}
    )
    np.testing.assert_allclose(found_map, expected_map, atol=1e-4, rtol=1e-3)
    np.testing.assert_allclose(found_score, expected_score, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_fewer_steps_are_those_of_the_model(model: PromptMAD, bundle: Path, steps: int) -> None:
    image, index = torch.randint(0, 256, (1, SIDE, SIDE, 3), dtype=torch.uint8), torch.tensor([0])
    with torch.no_grad():
        coarse = model.look(image, index)
        expected, _ = model.fusion(model.finished(coarse, steps), coarse.distance, index)
    assert torch.equal(model.refine(coarse, steps), coarse.logit) == (steps == 0)
    session = onnxruntime.InferenceSession(unroll(read_bundle(bundle), steps).SerializeToString())
    found, _ = session.run(None, {"image": image.numpy(), "product": index.numpy()})
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-3)


def _before(graph: onnx.GraphProto, output: str) -> list[str]:
    """The operators that an output is made by."""
    makers = {name: node for node in graph.node for name in node.output}
    seen, waiting, found = set(), [output], []
    while waiting:
        name = waiting.pop()
        if name in makers and name not in seen:
            seen.update(makers[name].output)
            found.append(makers[name].op_type)
            waiting += makers[name].input
    return found


def test_what_depends_on_the_product_alone_is_looked_up(model: PromptMAD, bundle: Path) -> None:
    graph = onnx.load(bundle / "trunk.onnx").graph
    film = _before(graph, "film")
    assert any(operator.startswith("Gather") for operator in film)
    assert not {"MatMul", "Gemm", "Conv"} & set(film)
    config, text = model.config, model.config.text
    one_picture = config.prompt == "picture"
    encoded = config.encoder_layers * (1 if one_picture else 2)  # the query; the bank's answer
    into_prompt = int(text and not one_picture)
    decoded = 2 * config.decoder_layers + 1
    rebuilt = encoded + into_prompt + decoded if config.reconstruction else 0
    segmented = config.segmentor_layers * (2 if text else 1)
    attended = [node for node in graph.node if node.op_type in ("Softmax", "Attention")]
    trunk = 0 if model.backbone.patch is None else len(model.backbone.net.model.blocks)
    assert len(attended) == trunk + rebuilt + segmented


def test_nobodys_files_are_named_in_a_bundle(bundle: Path) -> None:
    graphs = b"".join(path.read_bytes() for path in bundle.glob("*.onnx"))
    assert b".py" not in graphs
    assert str(Path(__file__).parents[2]).encode() not in graphs
