"""Change where good ends for one product: by an engineer, with a reason, on the record.

A file and a database cannot be changed in one transaction. So the new recipe is written whole
beside the old one, then the audit entry is committed, and last of all the file is put in its place:
a threshold never changes without its entry. Where that last step fails, a second entry says that
nothing was changed. Where the power fails before it, the entry stands alone; it names the recipe's
fingerprint, as each run does, so that what was in use can be told.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from calibration.recipe import Recipe, Threshold, read_recipe, require_fit, write_recipe
from engine.plan import read_plan
from engine.types import InputError, KnownError
from inspector.db.ask import ask_session
from inspector.db.audit import Action, Change
from inspector.db.chain import Entry
from inspector.db.changes import Changes
from inspector.db.say import say
from inspector.people.roles import Permission
from inspector.people.session import Session


def change_threshold(
    changes: Changes, session: Session, path: Path, product: str, score: float, reason: str
) -> Entry:
    """Write ``score`` into the recipe at ``path`` and the change into the audit trail.

    :class:`engine.types.AccessError` for an operator, :class:`InputError` without a reason, for a
    score that is no number or is there already, and where the recipe cannot be read or written;
    the recipe stays as it was then.
    """
    session.require(Permission.CHANGE_THRESHOLD)
    before = read_recipe(path)
    after = before.with_limit(product, score)
    if after == before:
        raise InputError(f"The threshold of {product} in {path} is {score:.6g} already.")
    change = Change(
        Action.THRESHOLD_CHANGED,
        f"threshold {product} of recipe {before.name}",
        _limits(before, product),
        _limits(after, product),
        reason,
    )

    def perform(_: Connection) -> Change:
        return change

    with _staged(after, path) as staged:
        entry = changes.make(session, Permission.CHANGE_THRESHOLD, perform)
        try:
            _put(staged, path, before)
        except KnownError:
            _take_back(changes, session, entry)
            raise
    return entry


@contextmanager
def _staged(recipe: Recipe, path: Path) -> Iterator[Path]:
    """The recipe as a file beside ``path``, on the disk itself; gone at the end."""
    staged = path.with_name(f"{path.name}.new")
    try:
        write_recipe(recipe, staged)
        with staged.open("rb+") as file:
            os.fsync(file.fileno())
        yield staged
    finally:
        with suppress(OSError):  # it is in its place, or was never there
            staged.unlink()


def _put(staged: Path, path: Path, before: Recipe) -> None:
    """The file in its place, unless somebody wrote another recipe there meanwhile."""
    if read_recipe(path) != before:
        raise InputError(f"The recipe {path} was changed by somebody else meanwhile: look again.")
    try:
        staged.replace(path)
    except OSError as error:
        raise InputError(
            f"The recipe {path} cannot be written: {error.strerror}; close what holds it open."
        ) from error


def _take_back(changes: Changes, session: Session, entry: Entry) -> None:
    change = Change(
        Action.THRESHOLD_NOT_CHANGED,
        entry.object,
        entry.new,
        entry.old,
        f"entry {entry.number} was not carried out: the recipe could not be written",
    )
    changes.make(session, Permission.CHANGE_THRESHOLD, lambda _: change)


def _limits(recipe: Recipe, product: str) -> str:
    """What the entry says; the fingerprint is that of the runs which used this recipe."""
    limit: Threshold = recipe.threshold(product)
    return f"score {limit.score!r}, map {limit.map!r}, recipe {recipe.sha256}"


def threshold(
    recipe: Annotated[Path, typer.Argument(help="The recipe's file.")],
    product: Annotated[str, typer.Argument(help="Whose threshold.")],
    value: Annotated[float, typer.Argument(help="The score above which a part is NG.")],
    database: Annotated[Path, typer.Option(help="The station's database, for the audit trail.")],
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit trail.")],
    who: Annotated[
        str | None, typer.Option("--as", help="Your own name; asked for if not given.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="See that the recipe fits this plan, first.")
    ] = None,
) -> None:
    """Change the threshold of one product, as an engineer who logs in; on the audit trail."""
    if plan is not None:
        manifest = read_plan(plan).manifest
        require_fit(read_recipe(recipe), recipe, manifest)
        manifest.code(product)
    with Changes(database) as changes:
        session = ask_session(changes, who)
        entry = change_threshold(changes, session, recipe, product, value, reason)
    say(
        f"{entry.object}: {entry.new}; was {entry.old} (audit entry {entry.number}). "
        "A station takes it when it is started again."
    )
