"""The commands of calibration: from good parts to a recipe, and a plan asked whether it holds."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine.cli import MOST_THREADS


def calibrate(
    plan: Annotated[Path, typer.Argument(help="Plan folder, from 'build'.")],
    data: Annotated[Path, typer.Argument(help="Folder of products in MVTec-AD layout.")],
    out: Annotated[Path, typer.Option(help="Recipe file to write (JSON).")],
    products: Annotated[
        str, typer.Option(help="Products, separated by commas; all the plan knows if not given.")
    ] = "",
    false_reject_rate: Annotated[
        float, typer.Option(help="Share of good parts that may be rejected.")
    ] = 0.01,
    split: Annotated[
        str, typer.Option(help="Good parts are DATA/<product>/<split>/good.")
    ] = "train",
    name: Annotated[str, typer.Option(help="Name of the recipe; the file's if not given.")] = "",
    areas: Annotated[
        Path | None,
        typer.Option(help="Recipe whose areas and smallest regions hold, in measuring, too."),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_THREADS, help="CPU threads; all if not given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Set each product's threshold from good parts, at a wanted false-reject rate.

    Parts that the model was made from count as strangers to it. Masks hold only where --areas
    names a recipe that has them: thresholds of the whole picture are none of a part of it.
    """
    from calibration.recipe import Recipe, read_recipe, write_recipe
    from calibration.thresholds import calibrate_folder
    from engine.console import progress
    from engine.detector import Detector
    from engine.known import read_known, scores_of
    from engine.sealed import require_place

    require_place(out, overwrite=True)  # before the first picture, not after the last
    drawn = read_recipe(areas).products if areas else {}
    with Detector.open(plan, threads) as detector:
        wanted = [p.strip() for p in products.split(",") if p.strip()] or detector.products
        for product in wanted:
            detector.plan.code(product)
        goods = read_known(plan)
        known = {product: scores_of(goods, product) for product in wanted}
        thresholds = {
            product: calibrate_folder(
                detector,
                data / product / split / "good",
                product,
                false_reject_rate,
                progress,
                known[product],
                drawn.get(product),
            )
            for product in wanted
        }
        bundle = detector.plan.bundle_sha256
    recipe = Recipe(name=name or out.stem, bundle_sha256=bundle, products=thresholds)
    write_recipe(recipe, out)
    if unaware := [product for product, scores in known.items() if not scores]:
        typer.echo(
            "The plan does not say which good parts taught it: limits that those set are too low "
            f"({', '.join(unaware)}).",
            err=True,
        )
    if as_json:
        typer.echo(recipe.model_dump_json())
        return
    for product, limit in thresholds.items():
        low, high = limit.interval
        taught = f", {limit.taught} of which taught the model" if limit.taught else ""
        without = f", {limit.left_out} that taught it left out" if limit.left_out else ""
        typer.echo(
            f"{product}: {limit.score:.4g} (95 %: {low:.4g} to {high:.4g}) from {limit.goods} "
            f"goods{taught}{without}"
        )


def verify(
    plan: Annotated[Path, typer.Argument(help="Plan folder, from 'build'.")],
    recipe: Annotated[
        Path | None, typer.Option(help="Recipe at whose thresholds no verdict may differ.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_THREADS, help="CPU threads; the plan's own if not given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Ask a plan about its golden pictures: does it still answer as its bundle does?

    Exit code 2 where it does not. A station asks the same before it takes a part.
    """
    from calibration.recipe import read_recipe, require_fit
    from engine.detector import Detector

    known = read_recipe(recipe) if recipe else None
    with Detector.open(plan, threads) as detector:
        if known and recipe:
            require_fit(known, recipe, detector.plan)
        parity = detector.verify(known.limits if known else {})
        version = detector.plan.project_version
    if as_json:
        built = {"plan": str(plan), "project_version": version}
        typer.echo(json.dumps(built | asdict(parity)))
        return
    verdicts = "no verdict differs, " if known else ""
    typer.echo(
        f"{plan}: {verdicts}scores within {parity.score:.0e} and maps within {parity.place:.0e} of "
        f"their range on {parity.pictures} golden pictures; built by promptmad-inspector "
        f"{version or 'before plans said its version'}"
    )
