"""The engine's commands: build a plan, inspect a folder with it.

Only what `--help` needs is imported here; the rest when a command runs.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

MOST_THREADS = 1024  # more cores than machines have; of far more a runtime dies
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Threads = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_THREADS, help="CPU threads; all cores if not given."),
]
PlanFolder = Annotated[Path, typer.Argument(metavar="PLAN", help="Plan folder, from 'build'.")]


def build(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder, from training.")],
    out: Annotated[Path, typer.Option(help="Plan folder to write.")],
    runtime: Annotated[
        str, typer.Option("--runtime", "--target", help="auto, tensorrt, openvino or onnxruntime.")
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="f32; f16 (tensorrt), bf16 (openvino), int8 (both on a CPU).")
    ] = "f32",
    steps: Annotated[
        int | None, typer.Option(help="Refinement steps; the bundle's default if not given.")
    ] = None,
    threads: Threads = None,
    calibrate_with: Annotated[
        Path | None,
        typer.Option(help="For int8: a folder a product, of good parts, beside the bundle's own."),
    ] = None,
    product: Annotated[
        list[str] | None,
        typer.Option(help="Only for this product, or those given; a plan for one is faster."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a plan.")] = False,
    trusted: Annotated[
        list[Path] | None,
        typer.Option(help="Public key; one of those given has to have signed the bundle."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build a plan for this machine from a bundle, and check that it answers the same."""
    from engine.build import build as build_plan
    from engine.plan import read_plan
    from engine.runtimes.choice import choose

    chosen = choose(runtime, precision)
    build_plan(
        bundle,
        out,
        runtime=chosen.runtime,
        precision=precision,
        steps=steps,
        threads=threads,
        products=product or (),
        calibrate_with=calibrate_with,
        overwrite=overwrite,
        trusted=trusted or (),
    )
    said = read_plan(out).manifest
    if as_json:
        told = {"plan": str(out), "why": chosen.why} | said.model_dump(mode="json")
        typer.echo(json.dumps(told))
        return
    typer.echo(
        f"{out}: {said.bundle_name} for {said.runtime} {said.runtime_version} in "
        f"{said.precision}, {said.steps} steps; {chosen.why}. Of their range, scores are within "
        f"{said.parity_score:.0e} of its bundle's, all places of maps within {said.parity:.0e}."
    )


def inspect(
    plan: PlanFolder,
    folder: Annotated[Path, typer.Argument(help="Folder of pictures.")],
    product: Annotated[str, typer.Option(help="What the pictures show.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    overlays: Annotated[bool, typer.Option("--overlays", help="Draw the maps, too.")] = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Score every picture of a folder; writes one .npz each, with score and map.

    A picture that cannot be read is named at the end, and the exit code is then 2.
    """
    from engine.console import progress
    from engine.detector import Detector
    from engine.folder import inspect_folder
    from engine.sealed import require_unsealed

    require_unsealed(out)
    with Detector.open(plan, threads) as detector:
        result = inspect_folder(
            detector, folder, product, out, overlays=overlays, progress=progress
        )
    if as_json:
        done = {"product": product, "out": str(out)}
        typer.echo(json.dumps(done | {"scores": result.scores, "failed": result.failed}))
    else:
        for name, score in result.scores.items():
            typer.echo(f"{score:.6g}\t{name}")
    result.check()
