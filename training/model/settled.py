"""What depends on the product alone, worked out once, so that a graph only looks it up.

A product's words, adapted, and, where its prompt is one picture, that picture encoded: constants
at test time, since the encoder never mixes query and prompt (MODEL.md 1.2).
Shapes: P products, B batch, T words, d width, N tokens.
"""

from copy import copy

import torch
from torch import Tensor, nn

from training.model.picture import Picture
from training.model.promptmad import PromptMAD


class Settled(nn.Module):
    """Rows ``(P, …)`` by product ``(B,)``."""

    rows: Tensor

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.register_buffer("rows", rows)

    def forward(self, product: Tensor) -> Tensor:
        return self.rows[product]


@torch.no_grad()
def settled(model: PromptMAD) -> PromptMAD:
    """A model that answers as this one and shares its weights, its constants worked out."""
    fixed = copy(model)
    fixed._modules = dict(model._modules)
    text = words_of(model)
    if text is not None:
        fixed.words = Settled(text)
    if isinstance(model.prompt, Picture) and model.reconstructor is not None:
        normal = text[:, :1] if text is not None and model.config.fused else None
        fixed.encoded = Settled(model.reconstructor.encoded(model.prompt.tokens.float(), normal))
    return fixed


@torch.no_grad()
def films_of(model: PromptMAD) -> Settled:
    """Every product's FiLM table, ``(P, steps, F)``."""
    return Settled(model.denoiser.film_table(_products(model), words_of(model)))


def words_of(model: PromptMAD) -> Tensor | None:
    """Every product's words, adapted: ``(P, 2, d)``; None in a model without words."""
    if model.words is None:
        return None
    every = torch.arange(_products(model), device=model.fusion.centre.device)
    text: Tensor = model.words(every)
    return text


def _products(model: PromptMAD) -> int:
    return len(model.fusion.centre)
