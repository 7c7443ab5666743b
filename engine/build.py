"""Bundle → plan: fuse, convert, compare with the reference, and only then keep.

A plan that answers otherwise than the bundle it was made from is never left on disk.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from engine.bundle import Bundle, read_bundle
from engine.flops import gflop
from engine.fuse import unroll
from engine.golden import Golden, write_golden
from engine.known import write_known
from engine.manifest import Manifest, PlanManifest, Precision, RuntimeName
from engine.parity import expected, measure, require
from engine.plan import PLAN, carry_signature, write_manifest
from engine.precision import Shown, halved, quantised
from engine.runtimes.choice import backend, choose
from engine.sealed import whole_folder
from engine.shown import shown_below
from engine.simplify import GPU_PASSES, simplified
from engine.types import InputError


def build(
    bundle: Path,
    out: Path,
    *,
    runtime: str = "auto",
    precision: str = "f32",
    steps: int | None = None,
    threads: int | None = None,
    products: Sequence[str] = (),
    overwrite: bool = False,
    trusted: Sequence[Path] = (),
    calibrate_with: Path | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Path:
    """Make the plan folder ``out`` from a bundle folder, whole or not at all; returns ``out``.

    ``runtime`` and ``precision`` are those of :data:`engine.runtimes.choice.PRECISIONS`, or "auto"
    for the runtime; ``steps`` 0..T refinement steps (None: the bundle's default), ``threads`` None
    for all cores, ``products`` those the plan is for (none: all of the bundle's); of ``trusted``
    public keys, if any are given, one has to have signed the bundle. ``calibrate_with`` has a
    folder of good parts a product, for int8 to be calibrated with beside the golden pictures.
    :class:`BundleError` for a damaged bundle, or a plan that answers otherwise than its bundle;
    :class:`InputError` for what cannot be had; :class:`MissingError` for a runtime that is not
    installed.
    """
    name, pinned, _ = choose(runtime, precision)
    opened = read_bundle(bundle)
    if trusted:
        opened.signed_by(trusted)
    steps = opened.manifest.refinement.default_steps if steps is None else steps
    chosen = opened.manifest.codes(products) if products else None
    if pinned != "f32":
        _need_golden(opened, chosen, pinned)
    model, work = _graph(opened, steps, chosen, name, pinned)
    if pinned == "int8":
        model = quantised(model, _shown(opened, chosen, calibrate_with))
    with whole_folder(out, overwrite=overwrite, marker=PLAN) as new:
        backend(name).save(model, new)
        golden = expected(opened, steps, chosen)
        with backend(name).load(new, pinned, threads) as made:
            parity = measure(made, golden)
        what = f"The {name} plan of {opened.folder} in {pinned}"
        require(parity, pinned, what, "it was not kept; try another --runtime, or --precision f32")
        manifest = _manifest(
            opened,
            project_version=version("promptmad-inspector"),
            products=_named(opened.manifest, chosen),
            runtime=name,
            runtime_version=backend(name).version(),
            precision=pinned,
            threads=threads,
            steps=steps,
            created=now(),
            parity=max(parity.score, parity.place),
            parity_score=parity.score,
            gflop=work,
        )
        _describe(new, manifest, golden, opened)
    return out


def _graph(
    bundle: Bundle, steps: int, codes: list[int] | None, runtime: RuntimeName, precision: Precision
) -> tuple[onnx.ModelProto, float | None]:
    """As the runtime takes it, and the arithmetic of one picture. The kernel of the fused step is
    one of half precision."""
    plain = simplified(unroll(bundle, steps), codes)
    work = gflop(plain)
    if runtime != "tensorrt":
        return plain, work
    fused = precision == "f16"
    model = unroll(bundle, steps, fused=fused)
    model = simplified(model, codes, batch=None, passes=GPU_PASSES)
    return (halved(model) if fused else model), work


def _need_golden(bundle: Bundle, codes: list[int] | None, precision: Precision) -> None:
    """:class:`InputError` where a bundle has no pictures on which it shows what fewer bits do. On
    clouds it does not: their scores are a hundred times those of parts, and so is the tolerance."""
    wanted = set(range(len(bundle.manifest.products)) if codes is None else codes)
    if bundle.golden is None or not wanted <= set(bundle.golden.product.tolist()):
        raise InputError(
            f"{bundle.folder} has no golden pictures of each of these products, which {precision} "
            "is checked on: export it again, or choose --precision f32."
        )


def _shown(bundle: Bundle, codes: list[int] | None, more: Path | None) -> Shown:
    """The golden pictures, spoilt parts among them, and ``more``: calibrated with goods alone,
    eight bits have no number for what a defect looks like."""
    golden = bundle.golden
    assert golden is not None  # _need_golden saw to it
    golden = golden if codes is None else golden.narrowed(codes)
    if more is None:
        return Shown(golden.image, golden.product)
    goods = shown_below(more, bundle.manifest, codes)
    return Shown(
        np.concatenate([golden.image, goods.image]), np.concatenate([golden.product, goods.product])
    )


def _describe(folder: Path, said: PlanManifest, golden: Golden, bundle: Bundle) -> None:
    """All that lies in a plan beside its graph."""
    write_golden(golden, folder)
    carry_signature(bundle, folder)
    write_manifest(folder, said)
    as_scored = said.precision == "f32" and said.steps == bundle.manifest.refinement.default_steps
    whole = said.products == bundle.manifest.products
    goods = [good for good in bundle.goods if whole or good.product in said.products]
    write_known(goods, folder, scored=as_scored)


def _named(said: Manifest, codes: list[int] | None) -> tuple[str, ...]:
    return said.products if codes is None else tuple(said.products[code] for code in codes)


def _manifest(bundle: Bundle, **made: Any) -> PlanManifest:
    said = bundle.manifest
    return PlanManifest(
        bundle_sha256=bundle.sha256,
        bundle_name=said.name,
        input=said.input,
        map=said.map,
        **made,
    )
