"""A station on the tiny bundle: a real plan, a real recipe, real folders."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calibration.recipe import Recipe, Threshold, write_recipe
from engine.build import build
from engine.plan import read_plan
from inspector.settings import StationSettings
from tests.engine.tiny import make_tiny_bundle

PRODUCTS = ("disc", "label", "fabric", "board")


def make_recipe(path: Path, bundle_sha256: str, limit: float) -> Path:
    """One limit for all products: above every good part, or far below."""
    threshold = Threshold(
        score=limit,
        map=limit,
        interval=(limit, limit),
        false_reject_rate=0.01,
        goods=100,
    )
    recipe = Recipe(
        name="tiny", bundle_sha256=bundle_sha256, products=dict.fromkeys(PRODUCTS, threshold)
    )
    write_recipe(recipe, path)
    return path


def make_station(folder: Path, camera: str, limit: float = 1e6, **more: object) -> StationSettings:
    """Settings of a station whose plan is built here."""
    bundle = make_tiny_bundle(folder / "bundle", PRODUCTS)
    plan = build(bundle, folder / "plan", runtime="onnxruntime")
    recipe = make_recipe(folder / "recipe.json", read_plan(plan).manifest.bundle_sha256, limit)
    return StationSettings.model_validate(
        {"name": "T1", "camera": camera, "plan": plan, "recipe": recipe, "out": folder / "out"}
        | more
    )


@contextmanager
def terminal() -> Iterator[None]:
    """Ctrl+C means what it means in a terminal, whatever started the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
