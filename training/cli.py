"""The commands of `training`. Torch is imported when a command runs, not when help is asked."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from training.console import names, progress

Data = Annotated[
    Path, typer.Option(help="Data set: MVTec-AD, BTAD or VisA layout, or a manifest.csv.")
]
Products = Annotated[str, typer.Option(help="Products, separated by commas; all if not given.")]
Config = Annotated[str, typer.Option(help="Name of the configuration.")]
Out = Annotated[Path, typer.Option(help="Folder of the run; give it again to resume.")]
Minutes = Annotated[float | None, typer.Option(min=0.1, help="Time to train for.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random draw.")]
Textures = Annotated[
    Path | None,
    typer.Option(help="Folder such as DTD: anomalies borrow textures there, not from goods."),
]
DeviceName = Literal["auto", "cpu", "cuda"]
Device = Annotated[DeviceName, typer.Option(help="Where to train; auto: a GPU if there is one.")]


def train(
    ctx: typer.Context,
    data: Data,
    out: Out,
    products: Products = "",
    config: Config = "promptmad-bank-tiny",
    minutes: Minutes = None,
    seed: Seed = 0,
    backbone: Annotated[
        str, typer.Option(help="timm trunk; the configuration's own if not given.")
    ] = "",
    backbone_weights: Annotated[
        Path | None, typer.Option(help="safetensors of the trunk; from its hub if not given.")
    ] = None,
    clip_model: Annotated[
        str | None, typer.Option(help="open_clip model for the words, such as ViT-B-16-quickgelu.")
    ] = None,
    clip_weights: Annotated[
        Path | None, typer.Option(help="Checkpoint of that model; from its hub if not given.")
    ] = None,
    words: Annotated[
        Path | None,
        typer.Option(help="YAML with a product's own words; generic ones if not given."),
    ] = None,
    textures: Textures = None,
    input_px: Annotated[
        int | None,
        typer.Option(help="Side of the picture for the model, a multiple of 32; else 256."),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(min=1, help="Steps without a better training loss after which a stage ends."),
    ] = None,
    mlflow: Annotated[
        str, typer.Option(help="MLflow tracking URI that figures go to besides TensorBoard.")
    ] = "",
    device: Device = "auto",
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Keep no features on disk: slower on a CPU.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Only go on with a run that is there, begin none.")
    ] = False,
    add_product: Annotated[
        str, typer.Option(help="Product to add to the finished run --base; the others stay as is.")
    ] = "",
    base: Annotated[Path | None, typer.Option(help="Run that --add-product starts from.")] = None,
) -> None:
    """Train one model for several products, on good parts only; writes OUT/bundle.

    In several processes: torchrun --nproc-per-node N -m inspector train …
    """
    if add_product or base:
        _check_adding(ctx, add_product, base)
        assert base is not None
        _add(base, data, add_product, words, out, device)
        return

    from training.processes import launched
    from training.run import open_run
    from training.spec import make_spec
    from training.train import train as run_stages
    from training.words import read_words

    spec = make_spec(
        "train",
        data,
        names(products),
        config,
        minutes=minutes,
        seed=seed,
        backbone=backbone,
        backbone_weights=backbone_weights,
        clip_model=clip_model,
        clip_weights=clip_weights,
        words=words,
        textures=textures,
        input_px=input_px,
        patience=patience,
    )
    fabric = launched(spec.config, device)
    if odd := read_words(words).strangers(spec.products):
        typer.echo(f"{words} speaks of {', '.join(odd)}, and no such product is trained.", err=True)
    with fabric.rank_zero_first():
        run = open_run(out, spec, resume=resume)
    run.mlflow, run.caches = mlflow, not no_cache
    with progress() as report:
        bundle = run_stages(run, report, fabric)
    if fabric.is_global_zero:
        typer.echo(str(bundle))


def _check_adding(ctx: typer.Context, product: str, base: Path | None) -> None:
    """Both options or none, and none of those that the base has settled."""
    from engine.types import InputError

    if not product or base is None:
        raise InputError("--add-product NAME and --base RUN go together: give both.")
    free = {"data", "out", "words", "device", "add_product", "base"}
    given = sorted(name for name in ctx.params if name not in free and _given(ctx, name))
    settled = [f"--{name.replace('_', '-')}" for name in given]
    if settled:
        raise InputError(f"The run at {base} has settled {', '.join(settled)}: leave it out.")


def _given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)  # of Typer's own copy of click, in newer versions
    return source is not None and source.name == "COMMANDLINE"


def _add(
    base: Path, data: Path, product: str, words: Path | None, out: Path, device: DeviceName
) -> None:
    from training.extend import add_product, added_spec
    from training.processes import alone
    from training.run import open_run

    spec = added_spec(base, data, product, words)
    fabric = alone(spec.config, "inspector train --add-product", device)
    with progress() as report:
        typer.echo(str(add_product(open_run(out, spec), report, fabric)))


def pretrain(
    data: Data,
    out: Out,
    products: Products = "",
    config: Config = "promptmad-bank-tiny",
    minutes: Minutes = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Make backbone weights from good parts alone, where no pretrained ones may be used."""
    from training.pretrain import pretrain as run_pretext
    from training.run import open_run
    from training.spec import make_spec

    spec = make_spec("pretrain", data, names(products), config, minutes=minutes, seed=seed)
    with progress() as report:
        weights = run_pretext(open_run(out, spec), report, device)
    typer.echo(str(weights))


def evaluate(
    bundle: Annotated[Path, typer.Argument(help="Bundle to evaluate.")],
    data: Data,
    products: Products = "",
    steps: Annotated[
        int | None, typer.Option(min=0, help="Refinement steps; the bundle's own if not given.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for a report: one HTML page, JSON and CSV.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Recipe whose limits the report draws.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Measure a bundle on test folders: image and pixel metrics per product, and their mean."""
    from engine.bundle import read_bundle
    from engine.files import ready_folder
    from training.datasets.dataset import read_dataset
    from training.evaluate import as_json, as_table, planned
    from training.evaluate import evaluate as measure_bundle
    from training.results.limits import read_limits
    from training.results.page import write_report

    opened, dataset = read_bundle(bundle), read_dataset(data)
    if out:
        ready_folder(out)  # before minutes of measuring
    limits = read_limits(recipe, opened.sha256) if recipe else {}
    with planned(bundle, steps) as detector, progress() as report:
        result = measure_bundle(detector, dataset, names(products), report)
        page = write_report(result, opened, detector, limits, out, report) if out else None
    if json:
        typer.echo(as_json(result, bundle, detector))
        return
    as_table(result, f"{bundle}, {detector.plan.steps} steps")
    if page:
        typer.echo(str(page))
