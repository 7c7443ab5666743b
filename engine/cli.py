"""The engine's commands: build a plan, inspect a folder with it.

Only what `--help` needs is imported here; the rest when a command runs.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads; all cores if not given.")]
PlanFolder = Annotated[Path, typer.Argument(metavar="PLAN", help="Plan folder, from 'build'.")]


def build(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder, from training.")],
    out: Annotated[Path, typer.Option(help="Plan folder to write.")],
    runtime: Annotated[str, typer.Option(help="auto, openvino or onnxruntime.")] = "auto",
    precision: Annotated[str, typer.Option(help="f32, or bf16 with openvino.")] = "f32",
    steps: Annotated[
        int | None, typer.Option(help="Refinement steps; the bundle's default if not given.")
    ] = None,
    threads: Threads = None,
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

    build_plan(
        bundle,
        out,
        runtime=runtime,
        precision=precision,
        steps=steps,
        threads=threads,
        products=product or (),
        overwrite=overwrite,
        trusted=trusted or (),
    )
    said = read_plan(out).manifest
    if as_json:
        typer.echo(json.dumps({"plan": str(out)} | said.model_dump(mode="json")))
        return
    typer.echo(
        f"{out}: {said.bundle_name} for {said.runtime} {said.runtime_version} in "
        f"{said.precision}, {said.steps} steps, within {said.parity:.0e} of its bundle"
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
