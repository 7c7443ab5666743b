"""What a report reads of a recipe: the limit of each product."""

from pathlib import Path

from pydantic import BaseModel, ValidationError

from engine.types import InputError


class _Limit(BaseModel):
    score: float


class _Recipe(BaseModel):
    """A recipe is calibration's; only its file crosses, and more of it than this is ignored."""

    bundle_sha256: str
    products: dict[str, _Limit]


def read_limits(recipe: Path, bundle_sha256: str) -> dict[str, float]:
    """Raw score per product; :class:`InputError` for a recipe of another bundle, or none."""
    try:
        read = _Recipe.model_validate_json(recipe.read_bytes())
    except OSError as error:
        raise InputError(f"There is no recipe at {recipe}: {error.strerror}.") from error
    except ValidationError as error:
        raise InputError(f"{recipe} is no recipe: make one with 'inspector calibrate'.") from error
    if read.bundle_sha256 != bundle_sha256:
        raise InputError(f"{recipe} was made for another bundle: calibrate this one.")
    return {product: limit.score for product, limit in read.products.items()}
