"""Judge a stored part anew: the same plan, the same picture, the thresholds of its record."""

from pathlib import Path
from typing import Annotated

import typer

from calibration.recipe import Recipe, Threshold, parse_recipe, read_recipe
from engine.cli import Threads
from engine.detector import Detector
from engine.pictures import read_picture
from engine.plan import read_plan
from engine.types import Image, InputError
from inspector.db.recorded import read_recorded
from inspector.pipeline.replay import Recorded, Replay
from inspector.pipeline.replay import replay as judge_again

LOSSLESS = frozenset({".bmp", ".png", ".tif", ".tiff"})


def replay_part(
    database: Path,
    inspection_id: str,
    plan: Path | None,
    recipe: Path | None = None,
    threads: int | None = None,
) -> Replay:
    """Replay one inspection of a database, whose folder holds the pictures.

    :class:`InputError` where there is no such inspection, no score or no lossless picture of it,
    or plan or recipe is not the one that it was judged with.
    """
    recorded = read_recorded(database, inspection_id)
    threshold = _threshold(recorded, recipe)
    picture = _picture(recorded, database.parent)
    with Detector.open(_checked_plan(recorded, plan), threads) as detector:
        return judge_again(recorded, picture, detector, threshold)


def _checked_plan(recorded: Recorded, given: Path | None) -> Path:
    """The plan that was given, or lies where it lay then."""
    if given is None and recorded.plan_path is None:
        raise InputError(
            f"The record of {recorded.id} does not say where its plan lies: name it with --plan."
        )
    plan = given or Path(recorded.plan_path or "")
    found = read_plan(plan).sha256
    if found != recorded.plan_sha256:
        raise InputError(
            f"The plan {plan} ({found[:12]}) is not the one that judged {recorded.id} "
            f"({recorded.plan_sha256[:12]}): name that one with --plan."
        )
    return plan


def _threshold(recorded: Recorded, given: Path | None) -> Threshold | None:
    """Of the recipe, for what is not in the inspection's row; None where there is no recipe."""
    if recorded.product is None or (given is None and recorded.recipe is None):
        return None
    recipe = _kept_recipe(recorded) if given is None else read_recipe(given)
    if recipe.sha256 != recorded.recipe_sha256:
        raise InputError(
            f"The recipe {given or 'in the database'} ({recipe.sha256[:12]}) is not the one that "
            f"{recorded.id} was judged by ({recorded.recipe_sha256[:12]}): name that one with "
            "--recipe, as it was then."
        )
    return recipe.threshold(recorded.product)


def _kept_recipe(recorded: Recorded) -> Recipe:
    """As the database has it; one of an earlier version may break a rule that came later."""
    return parse_recipe(recorded.recipe or "", f"of {recorded.id} in the database")


def _picture(recorded: Recorded, folder: Path) -> Image:
    if recorded.picture is None:
        raise InputError(f"No picture of {recorded.id} was kept: there is nothing to look at.")
    path = folder / recorded.picture
    if path.suffix.lower() not in LOSSLESS:
        raise InputError(
            f"The picture {path} is not what the model saw, to the pixel: only those kept as PNG "
            "can be replayed."
        )
    return read_picture(path)


def replay(
    inspection: Annotated[str, typer.Argument(metavar="ID", help="Which inspection.")],
    database: Annotated[Path, typer.Option(help="The station's database, beside its pictures.")],
    plan: Annotated[
        Path | None,
        typer.Option(help="The plan that judged it, if it lies elsewhere now."),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="The recipe of then, if the database does not hold it.")
    ] = None,
    threads: Threads = None,
) -> None:
    """Judge a stored part anew; exit code 1 where score, verdict or regions are not the same."""
    done = replay_part(database, inspection, plan, recipe, threads)
    was = done.recorded
    if done.differences:
        typer.echo(f"{was.id} is different: {'; '.join(done.differences)}.")
        raise typer.Exit(1)
    late = (
        f"; it is {was.verdict} ({was.reason}) all the same" if was.reason == "late_result" else ""
    )
    typer.echo(
        f"{was.id} is the same to the last bit: {done.judgement.verdict}, score {done.score!r}, "
        f"threshold {was.threshold!r}, {len(done.judgement.regions)} regions{late}."
    )
