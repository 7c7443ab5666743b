"""The model cut into the three graphs a bundle holds, as torch modules and as ONNX.

``trunk`` runs once a picture, ``step`` once a refinement step, ``head`` once at the end; the
engine unrolls and joins them. Normalisation is inside ``trunk`` and nowhere else.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import onnx
import torch
from torch import Tensor, nn

from engine.bundle import OUTLINE
from training.model.outline import outlined
from training.model.promptmad import PromptMAD
from training.model.refine import Denoiser, step_down, to_map
from training.model.settled import films_of, settled

OPSET = 18


class TrunkGraph(nn.Module):
    """image, product → coarse logit, condition, FiLM table, distance, and the outline if any."""

    inputs = ("image", "product")

    def __init__(self, model: PromptMAD) -> None:
        super().__init__()
        self.model, self.films = settled(model), films_of(model)
        drawn = (OUTLINE,) if model.outline else ()
        self.outputs = ("coarse", "condition", "film", "distance", *drawn)

    def forward(self, image: Tensor, product: Tensor) -> tuple[Tensor, ...]:
        c = self.model.look(image, product)
        condition = self.model.denoiser.condition(c.logit, c.guide, c.lateral)
        found = (c.logit, condition, self.films(product), c.distance)
        return found if c.outline is None else (*found, c.outline)


class StepGraph(nn.Module):
    """x, coarse, condition, the step's FiLM row, keep = h_s / h_t → the next x, the logit."""

    inputs = ("x", "coarse", "condition", "film", "keep")
    outputs = ("x_next", "logits")

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.denoiser = denoiser

    def forward(
        self, x: Tensor, coarse: Tensor, condition: Tensor, film: Tensor, keep: Tensor
    ) -> tuple[Tensor, Tensor]:
        logit = self.denoiser(x, coarse, condition, film)
        return step_down(x, to_map(logit), keep), logit


class HeadGraph(nn.Module):
    """Refined logit, distance, product, and the outline if any → map, score."""

    outputs = ("map", "score")

    def __init__(self, model: PromptMAD) -> None:
        super().__init__()
        self.fusion = model.fusion
        self.inputs = ("logits", "distance", "product", *((OUTLINE,) if model.outline else ()))

    def forward(
        self, logits: Tensor, distance: Tensor, product: Tensor, outline: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.fusion(outlined(logits, outline), distance, product)
        return found


@torch.no_grad()
def export_graphs(model: PromptMAD) -> Mapping[str, onnx.ModelProto]:
    """The three graphs with a free batch size."""
    side = model.config.input_px
    image = torch.randint(0, 256, (2, side, side, 3), dtype=torch.uint8)
    product = torch.zeros(2, dtype=torch.long)
    trunk, step, head = TrunkGraph(model), StepGraph(model.denoiser), HeadGraph(model)
    coarse, condition, film, distance, *outline = trunk(image, product)
    x, keep = to_map(coarse), torch.tensor([0.5])
    return {
        "trunk": _export(trunk, (image, product)),
        "step": _export(step, (x, coarse, condition, film[:, 0], keep)),
        "head": _export(head, (coarse, distance, product, *outline)),
    }


def _export(
    graph: TrunkGraph | StepGraph | HeadGraph, example: Sequence[Tensor]
) -> onnx.ModelProto:
    batch = torch.export.Dim("batch", min=1, max=64)
    shapes = tuple({0: batch} if name != "keep" else None for name in graph.inputs)
    with _quiet():
        program = torch.onnx.export(
            graph.eval(),
            tuple(example),
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return _without_traces(program.model_proto)


def _without_traces(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The exporter notes for every node where it stood in whose files: a twentieth of a bundle,
    and nobody's business."""
    for part in (graph, graph.graph, *graph.graph.node, *graph.graph.value_info):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return graph


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns about its own internals; what matters is checked by parity."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
