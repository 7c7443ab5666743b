"""The recipe: what a station needs beside the plan to judge a part. Thresholds are data.

Scores stay raw in the graph; here stands, per product, where good ends. A recipe is one JSON
file that people may read and version.
"""

import hashlib
import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from calibration.area import Area
from engine.files import whole_file
from engine.manifest import PlanManifest
from engine.types import InputError, UnknownProductError

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Threshold(BaseModel):
    """Where good ends for one product, and the evidence for it.

    ``score`` and ``map`` are in the raw unit of :class:`engine.types.Prediction`;
    ``interval`` is the 95 % confidence interval of the score quantile; ``goods`` is how many
    good parts it was taken from, ``taught`` how many of them the model was made from, ``left_out``
    how many more it was made from, of which nothing says what they score as strangers;
    ``min_area_px`` is the smallest region worth reporting, in pixels of the picture. ``area`` is
    what an engineer decides beside: where the part is looked at, its scale, what small ones are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    score: float
    map: float
    interval: tuple[float, float]
    false_reject_rate: Share
    goods: Annotated[int, Field(ge=1)]
    taught: Annotated[int, Field(ge=0)] = 0
    left_out: Annotated[int, Field(ge=0)] = 0
    min_area_px: Annotated[int, Field(ge=0)] = 0
    area: Area | None = None

    @model_validator(mode="after")
    def _interval_is_ordered(self) -> Self:
        if self.interval[0] > self.interval[1]:
            raise ValueError("the interval's lower end is above its upper end")
        return self

    @model_validator(mode="after")
    def _small_has_a_size(self) -> Self:
        if self.ignores_small and self.smallest_px == 0:
            raise ValueError('small_regions "ignore" needs min_area_px or min_area_mm2')
        return self

    @model_validator(mode="after")
    def _what_is_ignored_is_seen(self) -> Self:
        """A place over the score but not over the map makes no region, so none that is small."""
        if self.ignores_small and self.map > self.score:
            raise ValueError('small_regions "ignore" needs a map limit that is not above the score')
        return self

    @model_serializer(mode="wrap")
    def _as_before_areas(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without an area nothing of it: a recipe older than areas keeps its text and its hash."""
        said: dict[str, Any] = handler(self)
        return {key: value for key, value in said.items() if key != "area" or value is not None}

    @property
    def smallest_px(self) -> int:
        """The smallest region worth reporting, in pixels, by whichever limit asks for more."""
        return max(self.min_area_px, 0 if self.area is None else self.area.min_area_px)

    @property
    def ignores_small(self) -> bool:
        return self.area is not None and self.area.small_regions == "ignore"


class Recipe(BaseModel):
    """Thresholds per product, bound to the bundle they were measured with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str
    bundle_sha256: str
    products: dict[str, Threshold]

    def threshold(self, product: str) -> Threshold:
        """The threshold of one product; :class:`UnknownProductError` if it has none."""
        try:
            return self.products[product]
        except KeyError:
            who = f"the recipe {self.name} ('inspector calibrate' makes one)"
            raise UnknownProductError(product, self.products, who) from None

    @property
    def limits(self) -> dict[str, float]:
        """The score by product above which a part is NG."""
        return {product: threshold.score for product, threshold in self.products.items()}

    @property
    def sha256(self) -> str:
        """The fingerprint that a run's row carries: equal recipes, equal fingerprint."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def with_limit(self, product: str, score: float) -> Self:
        """The same recipe with another limit for one product; it stays bound to its bundle.

        The map's limit goes along where it was the score's, and is never above it: a part over
        the one shows a place over the other. Interval and counts go on to say what was measured.
        :class:`InputError` for a score that is no number, :class:`UnknownProductError`.
        """
        if not math.isfinite(score):
            raise InputError(f"A threshold of {score} is none: give a number.")
        before = self.threshold(product)
        limit = score if before.map == before.score else min(before.map, score)
        after = before.model_copy(update={"score": score, "map": limit})
        return self.model_copy(update={"products": self.products | {product: after}})


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file; :class:`InputError` names the file and the first thing wrong in it."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise InputError(
            f"There is no recipe at {path}: make one with 'inspector calibrate'."
        ) from None
    except OSError as error:
        raise InputError(
            f"The recipe {path} cannot be read: {error.strerror}; name the file that 'inspector "
            "calibrate' made."
        ) from error
    return parse_recipe(text, str(path))


def parse_recipe(text: str | bytes, name: str) -> Recipe:
    """The recipe that this JSON is; :class:`InputError` says what is wrong first in ``name``."""
    try:
        return Recipe.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(f"The recipe {name} is not usable: {where}: {first['msg']}.") from error


def require_fit(recipe: Recipe, path: Path, plan: PlanManifest) -> None:
    """:class:`InputError` where the recipe at ``path`` was measured with another bundle."""
    if recipe.bundle_sha256 != plan.bundle_sha256:
        raise InputError(
            f"The recipe {path} was measured with another bundle than the plan "
            f"{plan.bundle_name}: run 'inspector calibrate' with this plan."
        )


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe whole or not at all; :class:`InputError` where nothing can be written."""
    with whole_file(path) as part:
        part.write_text(recipe.model_dump_json(indent=2) + "\n", encoding="utf-8", newline="\n")
