"""Bundle → plan: fuse, convert, compare with the reference, and only then keep.

A plan that answers otherwise than the bundle it was made from is never left on disk.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engine.bundle import Bundle, read_bundle
from engine.fuse import unroll
from engine.known import write_known
from engine.manifest import PlanManifest, Precision, RuntimeName, Size
from engine.plan import PLAN, write_manifest
from engine.reference import reference
from engine.runtimes.base import Answers, Images
from engine.runtimes.choice import backend, choose
from engine.sealed import whole_folder
from engine.types import BundleError

TOLERANCE: Mapping[Precision, float] = {"f32": 1e-3, "bf16": 1e-1}
"""Largest difference from the reference, as a share of the reference maps' range. f32 plans stay
near 1e-6; bf16 moved refined maps by up to 6e-2 where it was measured."""

PARITY_PICTURES = 4


def build(
    bundle: Path,
    out: Path,
    *,
    runtime: str = "auto",
    precision: str = "f32",
    steps: int | None = None,
    threads: int | None = None,
    overwrite: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Path:
    """Make the plan folder ``out`` from a bundle folder, whole or not at all; returns ``out``.

    ``runtime`` is "auto", "openvino" or "onnxruntime", ``precision`` "f32" or "bf16", ``steps``
    0..T refinement steps (None: the bundle's default), ``threads`` None for all cores.
    :class:`BundleError` for a damaged bundle, or a plan that answers otherwise than its bundle;
    :class:`InputError` for what cannot be had; :class:`MissingError` for a runtime that is not
    installed.
    """
    name, pinned = choose(runtime, precision)
    opened = read_bundle(bundle)
    steps = opened.manifest.refinement.default_steps if steps is None else steps
    model = unroll(opened, steps)
    with whole_folder(out, overwrite=overwrite, marker=PLAN) as new:
        backend(name).save(model, new)
        parity = _parity(opened, new, name, pinned, steps, threads)
        manifest = _manifest(
            opened,
            runtime=name,
            runtime_version=backend(name).version(),
            precision=pinned,
            threads=threads,
            steps=steps,
            created=now(),
            parity=parity,
        )
        write_manifest(new, manifest)
        as_scored = pinned == "f32" and steps == opened.manifest.refinement.default_steps
        write_known(opened.goods, new, scored=as_scored)
    return out


def cloud_pictures(size: Size, count: int, rng: np.random.Generator) -> Images:
    """Clouds with grain: ``(count, H, W, 3)`` uint8, smooth and rough at once."""
    shape = (size.width, size.height)
    clouds = [
        cv2.resize(rng.uniform(0, 255, (6, 6, 3)), shape, interpolation=cv2.INTER_CUBIC)
        for _ in range(count)
    ]
    grain = rng.normal(0, 8, (count, size.height, size.width, 3))
    return np.clip(np.stack(clouds) + grain, 0, 255).astype(np.uint8)


def _parity(
    bundle: Bundle,
    folder: Path,
    runtime: RuntimeName,
    precision: Precision,
    steps: int,
    threads: int | None,
) -> float:
    """The plan's difference from the reference, or :class:`BundleError` where it is too large."""
    manifest = bundle.manifest
    pictures = cloud_pictures(manifest.input, PARITY_PICTURES, np.random.default_rng(0))
    codes = np.arange(PARITY_PICTURES, dtype=np.int64) % len(manifest.products)
    with backend(runtime).load(folder, precision, threads) as opened:
        found = opened.infer(pictures, codes)
    parity = difference(found, reference(bundle, steps, pictures, codes))
    if not parity <= TOLERANCE[precision]:  # so that NaN is refused, too
        raise BundleError(
            f"The {runtime} plan of {bundle.folder} differs from its bundle by {parity:.1e} of "
            f"the maps' range, more than {TOLERANCE[precision]:.0e}: it was not kept; try "
            "another --runtime, or --precision f32."
        )
    return parity


def difference(found: Answers, expected: Answers) -> float:
    """Largest difference of maps and scores, as a share of the expected maps' range."""
    spread = float(np.ptp(expected[0])) or 1.0  # flat maps: compare as they are
    worst = max(float(np.abs(f - e).max()) for f, e in zip(found, expected, strict=True))
    return worst / spread


def _manifest(bundle: Bundle, **made: Any) -> PlanManifest:
    said = bundle.manifest
    return PlanManifest(
        bundle_sha256=bundle.sha256,
        bundle_name=said.name,
        products=said.products,
        input=said.input,
        map=said.map,
        **made,
    )
