"""What a run is: its configuration and the content, not only the place, of all it was given.

Two runs with the same specification may resume one another. Pictures added, or a weight file made
anew at the same place, make another run: rows cached with the old one would be lies.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.files import sha256_of
from engine.pictures import list_pictures
from engine.types import InputError
from training.config import TrainConfig, config_named
from training.datasets.dataset import read_dataset, snapshot_sha256
from training.model.backbone import backbone_named


class Given(BaseModel):
    """A file, or a folder of pictures, and the hash of what is in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    sha256: str

    @classmethod
    def file(cls, path: Path | None) -> Self | None:
        """None for None; :class:`InputError` where there is no such file."""
        if path is not None and not path.is_file():
            raise InputError(f"There is no file at {path}: name one that is there.")
        return None if path is None else cls(path=path.resolve(), sha256=sha256_of(path))

    @classmethod
    def folder(cls, path: Path | None) -> Self | None:
        """None for None; :class:`InputError` where there is no such folder, or no picture in it."""
        if path is None:
            return None
        names = (f"{p.relative_to(path).as_posix()} {sha256_of(p)}\n" for p in list_pictures(path))
        digest = hashlib.sha256("".join(names).encode()).hexdigest()
        return cls(path=path.resolve(), sha256=digest)


def path_of(given: Given | None) -> Path | None:
    """Where it is, if it was given."""
    return given.path if given else None


class RunSpec(BaseModel):
    """Everything that decides what comes out of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["train", "pretrain", "add"]
    config: TrainConfig
    data: Path
    data_sha256: str
    products: tuple[str, ...]
    backbone_weights: Given | None = None
    clip_model: str | None = None
    clip_weights: Given | None = None
    words: Given | None = None
    textures: Given | None = None
    base: Given | None = None
    """The finished model that a product is added to."""


def make_spec(
    kind: Literal["train", "pretrain"],
    data: Path,
    products: Sequence[str],
    config: str,
    *,
    minutes: float | None = None,
    seed: int = 0,
    backbone: str = "",
    backbone_weights: Path | None = None,
    clip_model: str | None = None,
    clip_weights: Path | None = None,
    words: Path | None = None,
    textures: Path | None = None,
    input_px: int | None = None,
    patience: int | None = None,
) -> RunSpec:
    """The specification of a run that was asked for in words.

    :class:`InputError` for a configuration, a trunk, a product, a folder or a file there is not,
    and for an input size that no model has.
    """
    chosen = config_named(config)
    asked = {"seed": seed, "minutes": minutes, "patience": patience}
    changes: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    changes["model"] = chosen.model.model_dump() | _model_changes(backbone, input_px)
    dataset = read_dataset(data)
    names = dataset.chosen(products)
    return RunSpec(
        kind=kind,
        config=_validated(chosen.model_dump() | changes),
        data=data.resolve(),
        data_sha256=snapshot_sha256(dataset.train_goods(names), data),
        products=tuple(names),
        backbone_weights=Given.file(backbone_weights),
        clip_model=clip_model,
        clip_weights=Given.file(clip_weights),
        words=Given.file(words),
        textures=Given.folder(textures),
    )


def _model_changes(backbone: str, input_px: int | None) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if backbone:
        changes["backbone"] = backbone_named(backbone).model_dump()
    if input_px is not None:
        changes["input_px"] = input_px
    return changes


def _validated(settings: dict[str, Any]) -> TrainConfig:
    try:
        return TrainConfig.model_validate(settings)
    except ValidationError as error:
        wrong = error.errors()[0]
        if wrong["type"] == "value_error":  # what is wrong is how settings go together
            raise InputError(f"There is no such model: {wrong['ctx']['error']}.") from error
        raise InputError(
            f"No model has {'.'.join(map(str, wrong['loc']))} {wrong['input']!r}: {wrong['msg']}."
        ) from error
