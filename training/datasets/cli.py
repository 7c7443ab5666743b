"""Check, freeze and preview data sets.

What reads pictures is imported when a command runs.
"""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from training.console import names, progress

dataset = typer.Typer(no_args_is_help=True, help="Check, freeze and preview data sets.")

Data = Annotated[
    Path, typer.Argument(metavar="DIR", help="MVTec-AD, BTAD or VisA layout, or a manifest.csv.")
]
Products = Annotated[str, typer.Option(help="Products, separated by commas; all if not given.")]


@dataset.command()
def validate(
    data: Data,
    run: Annotated[
        Path | None, typer.Option(help="A run on this data: tells which goods it finds strange.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say in words what is wrong with a data set; exit code 1 where something must be mended."""
    from training.datasets.dataset import read_dataset
    from training.datasets.findings import as_json as to_json
    from training.datasets.findings import as_table
    from training.datasets.validate import strange_goods
    from training.datasets.validate import validate as find

    read = read_dataset(data)
    with progress() as report:
        findings = find(read, report)
    if run is not None:
        findings += strange_goods(run, data)
    if as_json:
        typer.echo(to_json(read, findings))
    else:
        as_table(read, findings)
    if any(f.severity == "error" for f in findings):
        raise typer.Exit(1)


@dataset.command()
def snapshot(
    data: Data,
    out: Annotated[
        Path | None, typer.Option(help="The table to write; DIR/manifest.csv if not given.")
    ] = None,
) -> None:
    """Freeze a data set: a manifest.csv with every picture's hash, which training checks."""
    from training.datasets.dataset import Dataset, read_dataset, snapshot_sha256
    from training.datasets.manifest import NAME, as_samples, write_manifest
    from training.datasets.snapshot import frozen
    from training.datasets.strays import unnamed

    read = read_dataset(data)
    products = read.chosen([])
    table = out or data / NAME
    with progress() as report:
        rows = list(frozen(read, table.parent, report))
    changed = sum(
        s.sha256 not in ("", row.sha256) for s, row in zip(read.samples, rows, strict=True)
    )
    write_manifest(table, rows)
    again = Dataset(table.parent, "manifest", tuple(as_samples(rows, table.parent)))
    goods = snapshot_sha256(again.train_goods(products), table.parent)
    typer.echo(f"{table}: {len(rows)} pictures of {', '.join(products)}")
    if changed:
        typer.echo(f"{changed} of them are other files than were frozen before.")
    if left := unnamed(read):
        typer.echo(
            f"{len(left)} pictures in the folders are not in {data / NAME}, and so not frozen: the "
            f"first is {left[0].path}. To freeze the folders as they are, take that table away."
        )
    typer.echo(f"A bundle trained on all of them, from {table.parent}, names {goods}.")


@dataset.command()
def preview(
    data: Data,
    out: Annotated[Path, typer.Option(help="The picture to write, such as sheet.png.")],
    products: Products = "",
    config: Annotated[
        str, typer.Option(help="Configuration, for its size and its damage.")
    ] = "promptmad-bank-tiny",
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random draw.")] = 0,
    textures: Annotated[
        Path | None, typer.Option(help="Folder of textures that training is given, too.")
    ] = None,
) -> None:
    """Draw a sheet of synthetic anomalies, as training will see them."""
    from training.config import config_named
    from training.datasets.dataset import read_dataset
    from training.datasets.preview import draw_sheet
    from training.datasets.textures import read_textures

    chosen = config_named(config)
    side = chosen.model.input_px
    read = read_dataset(data)
    samples = read.train_goods(read.chosen(names(products)))
    lent = read_textures(textures, side) if textures else []
    with progress() as report:
        draw_sheet(samples, lent, chosen, seed, out, report)
    typer.echo(str(out))


@dataset.command("from-coco")
def from_coco(
    annotations: Annotated[Path, typer.Argument(help="COCO annotations, a JSON file.")],
    images: Annotated[Path, typer.Option(help="Folder that file names are relative to.")],
    out: Annotated[Path, typer.Option(help="Folder for manifest.csv and masks.")],
    product: Annotated[
        str, typer.Option(help="What the pictures show; what the file says if not given.")
    ] = "",
    split: Annotated[
        Literal["train", "test"] | None,
        typer.Option(help="What they are for; what the file says, else test, if not given."),
    ] = None,
) -> None:
    """Make a manifest and masks from COCO annotations; pictures stay where they are.

    Into a folder that has a manifest they are added, in place of what it had of those products for
    that use.
    """
    from training.datasets.coco import from_coco as imported
    from training.datasets.coco import read_coco
    from training.datasets.manifest import NAME, joined, rows, write_manifest

    coco, table = read_coco(annotations), out / NAME
    there = list(rows(table)) if table.is_file() else []  # a broken one is told before masks lie
    with progress() as report:
        new = imported(coco, images, out, report, product, split)
    every = joined(there, new)
    write_manifest(table, every)
    shown = ", ".join(sorted({row.product for row in new}))
    typer.echo(f"{table}: {len(new)} pictures of {shown}, {len(every)} in all")


@dataset.command("to-coco")
def to_coco(data: Data, out: Annotated[Path, typer.Option(help="The JSON file to write.")]) -> None:
    """Write a data set's masks as COCO annotations, a region each."""
    from engine.files import whole_file
    from training.datasets.coco import to_coco as annotations
    from training.datasets.dataset import read_dataset

    read = read_dataset(data)
    with progress() as report:
        content = json.dumps(annotations(read, report), ensure_ascii=False)
    with whole_file(out) as part:
        part.write_text(content, encoding="utf-8")
    typer.echo(str(out))
