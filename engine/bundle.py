"""The bundle: the folder that carries a trained model from training to every station.

    manifest.json   what it is (:class:`engine.manifest.Manifest`)
    trunk.onnx      image, product → coarse, condition, film, distance
    step.onnx       x, coarse, condition, film, keep → x_next, logits: one refinement step
    head.onnx       logits, distance, product → map, score
    prompts.json    the words, prompts.npy their embeddings
    known_goods.csv the good parts it was made from (:mod:`engine.known`)
    golden.npz      pictures, and what training's own network says of them (:mod:`engine.golden`)
    SHA256SUMS      of every file, SHA256SUMS.sig whose it is (:mod:`engine.signature`)

Three graphs and not one, so that a plan may take any number of refinement steps
(:mod:`engine.fuse`). Normalisation is inside ``trunk.onnx`` and nowhere else.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, TypeAdapter

from engine.files import sha256_of
from engine.golden import GOLDEN, Golden, read_golden, write_golden
from engine.known import KNOWN, KnownGood, read_known, write_known
from engine.manifest import Manifest, parse
from engine.sealed import MARKERS, SIGNATURE, SUMS, content_of, verify, whole_folder
from engine.signature import require_signed, sign
from engine.types import BundleError

GRAPHS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "trunk": (("image", "product"), ("coarse", "condition", "film", "distance")),
    "step": (("x", "coarse", "condition", "film", "keep"), ("x_next", "logits")),
    "head": (("logits", "distance", "product"), ("map", "score")),
}
"""Inputs and outputs of each graph, in order: the contract between training and engine."""

OUTLINE = "outline"
"""What a trunk may give besides, and a head then takes: added to the logit, on the map's grid."""

MANIFEST = MARKERS["bundle"]
FILES = frozenset(
    {
        MANIFEST,
        *(f"{name}.onnx" for name in GRAPHS),
        "prompts.json",
        "prompts.npy",
        KNOWN,
        GOLDEN,
        SUMS,
        SIGNATURE,
    }
)
"""All that a bundle may hold."""
MEND = "copy it again from where it was made"


class PromptWords(BaseModel):
    """What one product is called when it is whole, and when it is not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    normal: tuple[str, ...]
    abnormal: tuple[str, ...]


_WORDS = TypeAdapter(dict[str, PromptWords])


@dataclass(frozen=True)
class PromptTable:
    """The words of each product, and their embeddings ``(P, 2, D)`` float32: normal, abnormal."""

    words: Mapping[str, PromptWords]
    embeddings: NDArray[np.float32]


@dataclass(frozen=True)
class Bundle:
    """A verified bundle on disk; ``sha256`` is the hash of its SHA256SUMS, so of all of it."""

    folder: Path
    manifest: Manifest
    sha256: str

    def graph(self, name: str) -> onnx.ModelProto:
        """One of the three graphs: "trunk", "step" or "head"; :class:`BundleError` where its file
        holds none, or another."""
        path = self.folder / f"{name}.onnx"
        with content_of(path, MEND):
            model = onnx.load(path)
            _check_graph(name, model)
        return model

    @cached_property
    def prompts(self) -> PromptTable:
        """The prompt table; :class:`BundleError` where its files are damaged."""
        words, embeddings = self.folder / "prompts.json", self.folder / "prompts.npy"
        with content_of(words, MEND):
            read = _WORDS.validate_json(words.read_bytes())
        with content_of(embeddings, MEND):
            table = PromptTable(read, np.load(embeddings, allow_pickle=False))
            _check_prompts(table, self.manifest)
        return table

    @cached_property
    def goods(self) -> Sequence[KnownGood]:
        """The good parts it was made from; :class:`BundleError` where their file is damaged."""
        return read_known(self.folder)

    def sign(self, private: Path) -> Path:
        """Write its signature beside its sums; returns the file. :class:`InputError` where
        ``private`` is no key."""
        sign(self.folder / SUMS, private, self.folder / SIGNATURE)
        return self.folder / SIGNATURE

    def signed_by(self, trusted: Sequence[Path]) -> Path:
        """The public key of ``trusted`` that signed it; :class:`BundleError` if none did."""
        what, sums = f"The bundle {self.folder}", self.folder / SUMS
        key = require_signed(sums, self.folder / SIGNATURE, trusted, what)
        if sha256_of(sums) != self.sha256:
            raise BundleError(f"{what} was changed while it was read: {MEND}.")
        return key

    @cached_property
    def golden(self) -> Golden | None:
        """Pictures with the answers expected at its default steps; none where it is older than
        they are, :class:`BundleError` where their file is damaged."""
        said = self.manifest
        return read_golden(self.folder, said.input, said.map, len(said.products))


def read_bundle(folder: Path) -> Bundle:
    """Verify and open a bundle; :class:`BundleError` names the file and the mend."""
    sha256 = verify(folder, "bundle", MEND)
    bundle = Bundle(folder, parse(Manifest, folder / MANIFEST, MEND), sha256)
    for name in GRAPHS:  # which its sums may have left out
        if not (folder / f"{name}.onnx").is_file():
            raise BundleError(f"The bundle {folder} lacks its file {name}.onnx: {MEND}.")
    return bundle


def write_bundle(
    folder: Path,
    manifest: Manifest,
    graphs: Mapping[str, onnx.ModelProto],
    prompts: PromptTable,
    goods: Sequence[KnownGood] = (),
    golden: Golden | None = None,
    *,
    overwrite: bool = False,
) -> Bundle:
    """Write a bundle whole or not at all.

    :class:`InputError` where something else stands at ``folder``, or a bundle and ``overwrite``
    is false; ValueError where graphs, prompts or golden pictures break the contract.
    """
    _check_graphs(graphs)
    if golden is not None:
        golden.checked(manifest.input, manifest.map, len(manifest.products))
    _check_prompts(prompts, manifest)
    with whole_folder(folder, overwrite=overwrite, marker=MANIFEST) as new:
        _write_text(new / MANIFEST, manifest.model_dump_json(indent=2))
        for name in GRAPHS:
            onnx.save(graphs[name], new / f"{name}.onnx")
        words = {product: words.model_dump() for product, words in prompts.words.items()}
        _write_text(new / "prompts.json", json.dumps(words, indent=2, ensure_ascii=False))
        np.save(new / "prompts.npy", prompts.embeddings, allow_pickle=False)
        write_known(goods, new)
        if golden is not None:
            write_golden(golden, new)
    return read_bundle(folder)


def _check_graphs(graphs: Mapping[str, onnx.ModelProto]) -> None:
    if set(graphs) != set(GRAPHS):
        raise ValueError(f"a bundle has the graphs {sorted(GRAPHS)}, not {sorted(graphs)}")
    for name, model in graphs.items():
        _check_graph(name, model)
    opsets = {frozenset((o.domain, o.version) for o in m.opset_import) for m in graphs.values()}
    if len(opsets) != 1:
        raise ValueError("the three graphs must be exported with one set of opsets")


def _check_graph(name: str, model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model)
    found = tuple(v.name for v in model.graph.input), tuple(v.name for v in model.graph.output)
    if tuple(tuple(v for v in side if v != OUTLINE) for side in found) != GRAPHS[name]:
        raise ValueError(f"{name}: inputs and outputs are {found}, not {GRAPHS[name]}")


def _check_prompts(prompts: PromptTable, manifest: Manifest) -> None:
    if tuple(prompts.words) != manifest.products:
        raise ValueError("the prompt table's products are not the manifest's, in its order")
    expected = (len(manifest.products), 2, manifest.text.dim)
    if prompts.embeddings.shape != expected or prompts.embeddings.dtype != np.float32:
        raise ValueError(f"the prompt embeddings must be float32 of shape {expected}")


def _write_text(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
