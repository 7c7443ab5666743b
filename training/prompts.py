"""Words: what a flawless and a damaged part are called, and the table the model is guided by.

The table is computed once, shipped in the bundle, and needs no text model at the station.
"""

import hashlib
import pickle  # for its error: torch unpickles weights only, and says so
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from engine.types import InputError, MissingError
from training.words import Words

GENERIC = Words()
DEFAULT_CLIP = "ViT-B-16-quickgelu"  # as OpenAI's weights were trained
NO_CHECKPOINT = (OSError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError)
TEMPLATES = ("{}.", "a photo of {}.", "a close-up photo of {}.", "an industrial photo of {}.")


@dataclass(frozen=True, slots=True)
class Table:
    """Words per product and their embeddings ``(P, 2, E)`` float32: normal, abnormal."""

    words: Mapping[str, Mapping[str, list[str]]]
    embeddings: NDArray[np.float32]
    encoder: str
    note: str


class TextEncoder(Protocol):
    """Sentences → unit vectors ``(N, E)`` float32."""

    name: str
    note: str

    def __call__(self, sentences: Sequence[str]) -> NDArray[np.float32]: ...


class HashEncoder:
    """Deterministic stand-in where no text weights are at hand: every word a fixed random vector.

    Feature hashing (Weinberger et al., ICML 2009). It tells products and the two states apart
    and knows no meaning: no claim is made for it, and the manifest names it.
    """

    name = "deterministic-hash-v1"
    note = "Hashed words, no language model: tells sentences apart, knows no meaning."

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def __call__(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        rows = [sum(self._word(w) for w in s.lower().split()) for s in sentences]
        return _unit(np.stack(rows).astype(np.float32))

    def _word(self, word: str) -> NDArray[np.float64]:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
        return np.random.Generator(np.random.PCG64(seed)).standard_normal(self.dim)


class ClipEncoder:
    """open_clip's text tower, frozen; weights from a file or, without one, from its hub.

    :class:`InputError` where open_clip has no such model or a file cannot be read,
    :class:`MissingError` where its hub or a package is out of reach.
    """

    note = "open_clip text tower, mean of the template ensemble."

    def __init__(self, model: str, weights: Path | None) -> None:
        import open_clip

        if model not in open_clip.list_models():
            raise InputError(f"open_clip has no model {model!r}: see open_clip.list_models().")
        self.name = f"open_clip:{model}"
        source = _tag(model) if weights is None else str(weights)
        self._tokenize = _tokenizer(model)
        try:
            with warnings.catch_warnings():
                # OpenAI's weights under the other activation give wrong words, and only a warning.
                warnings.filterwarnings("error", message=".*QuickGELU mismatch")
                self._net = open_clip.create_model(model, pretrained=source).eval()
        except UserWarning as error:
            raise InputError(
                f"These weights were trained with QuickGELU: name {model}-quickgelu."
            ) from error
        except NO_CHECKPOINT as error:
            raise (MissingError if weights is None else InputError)(
                f"The text weights of {model} cannot be read from {weights or 'the hub'} "
                f"({type(error).__name__}): give a whole open_clip checkpoint with --clip-weights."
            ) from error

    @torch.no_grad()
    def __call__(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        return _unit(self._net.encode_text(self._tokenize(list(sentences))).float().numpy())


def _tag(model: str) -> str:
    """Which of the hub's weights to take: OpenAI's where the model has them, else the first."""
    import open_clip

    tags: list[str] = open_clip.list_pretrained_tags_by_model(model)
    if not tags:
        raise InputError(
            f"open_clip's hub has no weights of {model!r}: give a checkpoint with --clip-weights, "
            "or name a model of open_clip.list_pretrained()."
        )
    return "openai" if "openai" in tags else tags[0]


def _tokenizer(model: str) -> Callable[[list[str]], torch.Tensor]:
    import open_clip

    try:
        return open_clip.get_tokenizer(model)
    except (ImportError, OSError) as error:
        raise MissingError(
            f"The tokenizer of {model} needs the package transformers and the hub "
            f"({type(error).__name__}): see to both, or name a model such as {DEFAULT_CLIP}."
        ) from error


def build_table(products: Sequence[str], encoder: TextEncoder, words: Words = GENERIC) -> Table:
    """The prompt table; a template ensemble, mean of unit vectors, unit again."""
    said = {product: words.of(product) for product in products}
    rows = [
        [_ensemble(w["normal"], encoder), _ensemble(w["abnormal"], encoder)] for w in said.values()
    ]
    return Table(said, np.asarray(rows, np.float32), encoder.name, encoder.note)


def _ensemble(phrases: Sequence[str], encoder: TextEncoder) -> NDArray[np.float32]:
    sentences = [template.format(phrase) for phrase in phrases for template in TEMPLATES]
    return _unit(encoder(sentences).mean(0, keepdims=True))[0]


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
