"""Embedded words, kept by what made them: a language model is loaded once for the same words."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from engine.files import whole_file
from engine.types import InputError
from training.prompts import DEFAULT_CLIP, ClipEncoder, HashEncoder, TextEncoder
from training.spec import RunSpec, path_of

KEPT_WORDS = user_cache_path("promptmad-inspector") / "words"


def encoder_of(spec: RunSpec) -> TextEncoder:
    """The text encoder that a run asks for, its answers kept."""
    if spec.clip_model is None and spec.clip_weights is None:
        return HashEncoder(spec.config.model.text_dim)
    model, weights = spec.clip_model or DEFAULT_CLIP, spec.clip_weights
    source = weights.sha256 if weights else "hub"
    make = partial(ClipEncoder, model, path_of(weights))
    return KeptEncoder(make, f"open_clip:{model}", ClipEncoder.note, source, KEPT_WORDS)


class KeptEncoder:
    """Answers from ``folder``, and makes the encoder only where an answer is missing.

    ``source`` is what the weights are: their hash, or "hub". A file that cannot be read is made
    again, and where none can be written nothing is kept.
    """

    def __init__(
        self, make: Callable[[], TextEncoder], name: str, note: str, source: str, folder: Path
    ) -> None:
        self.name, self.note = name, note
        self._make, self._source, self._folder = make, source, folder
        self._encoder: TextEncoder | None = None

    def __call__(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        said = json.dumps([self.name, self._source, list(sentences)], ensure_ascii=False)
        path = self._folder / f"{hashlib.sha256(said.encode()).hexdigest()}.npy"
        kept = _read(path, len(sentences))
        return self._encoded(sentences, path) if kept is None else kept

    def _encoded(self, sentences: Sequence[str], path: Path) -> NDArray[np.float32]:
        self._encoder = self._encoder or self._make()
        rows = self._encoder(sentences)
        # a full disk or a read-only home costs time next time, not this training
        with suppress(InputError), whole_file(path) as part, part.open("wb") as file:
            np.save(file, rows)
        return rows


def _read(path: Path, count: int) -> NDArray[np.float32] | None:
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return rows if rows.ndim == 2 and len(rows) == count else None
