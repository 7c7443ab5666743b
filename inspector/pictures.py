"""`inspector pictures`: what retention would delete of a station's pictures, and deleting it.

The station does the same by itself, by the same rules. This is for looking at it first, and for a
disk that somebody else has filled.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from engine.types import InputError
from inspector.clock import utc_now
from inspector.pipeline.kept import Tier, kept_days
from inspector.pipeline.retention import Batch, Gone, aged, keep_days, retire
from inspector.settings import PictureSettings, read_settings


@dataclass(frozen=True, slots=True)
class Share:
    """What would go of one tier."""

    files: int = 0
    bytes: int = 0
    oldest: date | None = None
    newest: date | None = None


def pictures(
    path: Annotated[
        Path, typer.Argument(help="The station's TOML file; its folder, to look by the defaults.")
    ],
    apply: Annotated[
        bool, typer.Option("--apply/--dry-run", help="Delete them, or only show what would go.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show which kept pictures are older than their tier's days, and delete them with --apply."""
    if apply:
        _require_rules(path)
    folder, settings = _station(path)
    _require_pictures(folder)
    now, keep = utc_now(), keep_days(settings)
    unread: set[str] = set()
    batches = tuple(aged(folder, keep, now, skip=lambda error: unread.add(str(error))))
    gone = Gone()
    for batch in batches if apply else ():
        gone += retire(folder, batch, "age", now)
    shares = {tier: share(batches, tier) for tier in Tier}
    rules = "the defaults" if path.is_dir() else str(path)
    _say(shares, keep, rules, gone if apply else None, as_json)
    for sentence in sorted(unread):
        typer.echo(sentence, err=True)
    if gone.stuck or unread:
        raise typer.Exit(1)


def share(batches: Iterable[Batch], tier: Tier) -> Share:
    """How much of one tier goes, and from when to when."""
    ours = [batch for batch in batches if batch.tier is tier]
    if not ours:
        return Share()
    days = [batch.day for batch in ours]
    files = sum(len(batch.files) for batch in ours)
    return Share(files, sum(batch.bytes for batch in ours), min(days), max(days))


def _station(path: Path) -> tuple[Path, PictureSettings]:
    if path.is_dir():
        return path, PictureSettings()
    settings = read_settings(path)
    return settings.out, settings.pictures


def _require_rules(path: Path) -> None:
    if path.is_dir():
        raise InputError(
            f"{path} does not say for how many days its station keeps pictures: "
            "name the station's TOML file to delete any."
        )


def _require_pictures(folder: Path) -> None:
    if not kept_days(folder):
        raise InputError(f"No pictures are kept below {folder}: name a station's file or folder.")


def _say(
    shares: Mapping[Tier, Share],
    keep: Mapping[Tier, int],
    rules: str,
    gone: Gone | None,
    as_json: bool,
) -> None:
    if as_json:
        told = {tier.value: _plain(one) | {"keep_days": keep[tier]} for tier, one in shares.items()}
        deleted = None if gone is None else {"files": gone.files, "stuck": gone.stuck}
        applied = gone is not None
        said = {"applied": applied, "rules": rules, "tiers": told, "deleted": deleted}
        typer.echo(json.dumps(said))
        return
    for tier, one in shares.items():
        kept = f"{tier.value.upper()}, kept for {keep[tier]} days by {rules}"
        typer.echo(f"{kept}: {_in_words(one)}.")
    typer.echo(_end(gone))


def _plain(one: Share) -> dict[str, int | str | None]:
    return {
        "files": one.files,
        "bytes": one.bytes,
        "oldest": _iso(one.oldest),
        "newest": _iso(one.newest),
    }


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _in_words(one: Share) -> str:
    if not one.files:
        return "nothing to delete"
    return f"{one.files} files, {one.bytes / 2**20:.1f} MB, of {one.oldest} to {one.newest}"


def _end(gone: Gone | None) -> str:
    if gone is None:
        return "Nothing was deleted: --apply deletes. Rows stay in any case."
    stuck = f" {gone.stuck} could not be deleted: is one of them open?" if gone.stuck else ""
    return f"{gone.files} files deleted, {gone.bytes / 2**20:.1f} MB. Rows stay.{stuck}"
