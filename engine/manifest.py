"""The two manifests: what a bundle says of itself, and what a plan adds for one machine."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from engine.types import BundleError, UnknownProductError

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1)]
Positive = Annotated[int, Field(ge=1)]
RuntimeName = Literal["tensorrt", "openvino", "onnxruntime", "fake"]
Precision = Literal["f32", "f16", "bf16", "int8"]
BUNDLE_SCHEMA: Final = 1
PLAN_SCHEMA: Final = 2
"""Raise one with each new field: a program that does not know it can then ask to be updated."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Size(_Frozen):
    """Height and width in pixels."""

    height: Positive
    width: Positive


class Refinement(_Frozen):
    """The sampler: how many steps were trained, how many are taken, and its schedule.

    ``noise_share`` is ``h_0 .. h_T``, rising from 0 to 1. Of a bridge (the family of ResShift, Yue
    et al., NeurIPS 2023) it is the coarse map's share of the state at step t; of a diffusion
    (``ddpm``) the noise beside the map, sigma_t / sigma_T. The sampler is the same.
    """

    mode: Literal["bridge", "ddpm"] = "bridge"
    trained_steps: Positive
    default_steps: Annotated[int, Field(ge=0)]
    noise_share: tuple[float, ...]

    @model_validator(mode="after")
    def _schedule_fits(self) -> Self:
        h = self.noise_share
        if len(h) != self.trained_steps + 1:
            raise ValueError(f"noise_share needs trained_steps + 1 values, it has {len(h)}")
        if h[0] != 0 or h[-1] != 1 or any(low >= high for low, high in pairwise(h)):
            raise ValueError("noise_share must rise from 0 to 1")
        if self.default_steps > self.trained_steps:
            raise ValueError("default_steps is above trained_steps")
        return self


class TextEncoder(_Frozen):
    """Where the prompt embeddings come from; ``note`` says what is claimed for them."""

    encoder: str
    dim: Positive
    note: str = ""


class Backbone(_Frozen):
    """The feature network; ``weights`` is a file name or "trained by this project"."""

    name: str
    weights: str
    weights_sha256: Sha256 | None
    licence: str


class Training(_Frozen):
    """What the bundle was trained on, for replay."""

    snapshot_sha256: Sha256
    seed: int
    pictures: Annotated[int, Field(ge=0)]
    minutes: Annotated[float, Field(ge=0)]


class _Products(_Frozen):
    products: Annotated[tuple[Name, ...], Field(min_length=1)]

    @field_validator("products")
    @classmethod
    def _are_different(cls, products: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(products)) != len(products):
            raise ValueError("a product is named twice")
        return products

    def code(self, product: str) -> int:
        """The graph's number of a product; :class:`UnknownProductError` if it has none."""
        try:
            return self.products.index(product)
        except ValueError:
            raise UnknownProductError(product, self.products) from None

    def codes(self, products: Sequence[str]) -> list[int]:
        """Of some products, in the model's order, none twice; of all, where none is named."""
        return sorted({self.code(product) for product in products or self.products})


class Manifest(_Products):
    """What a bundle says of itself. A product's position in ``products`` is its code."""

    schema_version: Literal[1] = BUNDLE_SCHEMA
    name: Name
    model: str
    created: AwareDatetime
    project_version: str
    input: Size
    map: Size
    refinement: Refinement
    text: TextEncoder
    backbone: Backbone
    training: Training
    licence: str


class PlanManifest(_Products):
    """What a plan says of itself: which bundle, for which runtime, in which precision.

    ``parity`` is the largest difference from what was expected, of scores and of maps, seen when
    the plan was built, as a share of their range (:mod:`engine.parity`), ``parity_score`` that of
    scores alone; ``gflop`` what one picture takes (:mod:`engine.flops`), None where that is not
    known; ``project_version`` the program whose passes made it, "" where it is older than this.
    """

    schema_version: Literal[1, 2] = PLAN_SCHEMA
    project_version: str = ""
    runtime: RuntimeName
    runtime_version: str
    precision: Precision
    threads: Positive | None
    steps: Annotated[int, Field(ge=0)]
    bundle_sha256: Sha256
    bundle_name: Name
    input: Size
    map: Size
    created: AwareDatetime
    parity: Annotated[float, Field(ge=0)]
    parity_score: Annotated[float | None, Field(ge=0)] = None
    gflop: Annotated[float | None, Field(ge=0)] = None


class _AnySchema(BaseModel):
    schema_version: int


M = TypeVar("M", Manifest, PlanManifest)


def parse(model: type[M], path: Path, mend: str) -> M:
    """Read a manifest file; :class:`BundleError` tells a newer schema from a wrong value."""
    newest = model.model_fields["schema_version"].default
    try:
        text = path.read_bytes()
        version = _AnySchema.model_validate_json(text).schema_version
        if version > newest:
            raise BundleError(
                f"{path} has schema {version}, this program reads up to {newest}: "
                "update promptmad-inspector."
            )
        return model.model_validate_json(text)
    except FileNotFoundError:
        raise BundleError(
            f"{path.parent} has no {path.name}: name another folder, or {mend}."
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        if first["type"] == "extra_forbidden":  # of newer programs that wrote it in an old schema
            mend = f"update promptmad-inspector, or {mend}"
        raise BundleError(f"{path} is not usable: {where}: {first['msg']}; {mend}.") from error
