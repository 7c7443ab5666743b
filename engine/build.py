"""Bundle → plan: fuse, convert, compare with the reference, and only then keep.

A plan that answers otherwise than the bundle it was made from is never left on disk.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import onnx

from engine.bundle import Bundle, read_bundle
from engine.flops import gflop
from engine.fuse import unroll
from engine.golden import write_golden
from engine.known import write_known
from engine.manifest import Manifest, PlanManifest, Precision, RuntimeName
from engine.parity import expected, measure, require
from engine.plan import PLAN, carry_signature, write_manifest
from engine.precision import Shown, halved, quantised
from engine.runtimes.choice import backend, choose
from engine.sealed import whole_folder
from engine.simplify import simplified
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
    shown: Shown | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Path:
    """Make the plan folder ``out`` from a bundle folder, whole or not at all; returns ``out``.

    ``runtime`` and ``precision`` are those of :data:`engine.runtimes.choice.PRECISIONS`, or "auto"
    for the runtime; int8 is calibrated with ``shown``, or else the golden pictures; ``steps`` 0..T
    refinement steps (None: the bundle's default), ``threads`` None for all cores, ``products``
    those the plan is for (none: all of the bundle's); of ``trusted`` public keys, if any are given,
    one has to have signed the bundle.
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
    model = _graph(opened, steps, chosen, name, pinned)
    work = gflop(model)
    if pinned == "int8":
        model = quantised(model, shown or _golden(opened, chosen))
    with whole_folder(out, overwrite=overwrite, marker=PLAN) as new:
        backend(name).save(model, new)
        golden = expected(opened, steps, chosen, shown)
        with backend(name).load(new, pinned, threads) as made:
            parity = measure(made, golden)
        what = f"The {name} plan of {opened.folder} in {pinned}"
        require(parity, pinned, what, "it was not kept; try another --runtime, or --precision f32")
        write_golden(golden, new)
        carry_signature(opened, new)
        manifest = _manifest(
            opened,
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
        write_manifest(new, manifest)
        as_scored = pinned == "f32" and steps == opened.manifest.refinement.default_steps
        goods = [g for g in opened.goods if not products or g.product in products]
        write_known(goods, new, scored=as_scored)
    return out


def _graph(
    bundle: Bundle, steps: int, codes: list[int] | None, runtime: RuntimeName, precision: Precision
) -> onnx.ModelProto:
    """As the runtime takes it. The kernel of the fused step is one of half precision."""
    if runtime != "tensorrt":
        return simplified(unroll(bundle, steps), codes)
    fused = precision == "f16"
    model = simplified(unroll(bundle, steps, fused=fused), codes, batch=None)
    return halved(model) if fused else model


def _golden(bundle: Bundle, codes: list[int] | None) -> Shown:
    """:class:`InputError` where the bundle has no pictures to calibrate with."""
    golden = bundle.golden
    if golden is None:
        raise InputError(
            f"{bundle.folder} is older than golden pictures: name others with --calibrate-with."
        )
    asked = golden if codes is None else golden.narrowed(codes)
    return Shown(asked.image, asked.product)


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
