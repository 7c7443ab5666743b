"""Check, back up, restore and upgrade a station's database, and see what it could not send."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from inspector.clock import utc_now
from inspector.db.say import say
from inspector.db.verify_cli import verify

db = typer.Typer(no_args_is_help=True, help=__doc__)
db.command("verify")(verify)

Database = Annotated[Path, typer.Argument(metavar="DATABASE", help="A station's database file.")]
As = Annotated[str | None, typer.Option("--as", help="Your own name; asked for if not given.")]
Reason = Annotated[str | None, typer.Option(help="Why; it goes into the audit trail.")]

MOST_LISTED = 20


@db.command()
def check(
    path: Database,
    pictures_of_days: Annotated[
        int | None,
        typer.Option(min=0, max=36_500, help="Look for pictures of so many days only."),
    ] = None,
) -> None:
    """Read the whole database: damage, gaps, missing pictures; exit code 1 if any.

    Says, too, what came of the last golden check of the station's plan.
    """
    from inspector.db import check as room
    from inspector.db.golden_checks import last_golden_check

    now = utc_now()
    since = None if pictures_of_days is None else now - timedelta(days=pictures_of_days)
    findings = room.check(path, since)
    for sentence in findings.sentences:
        say(sentence)
    for picture in findings.missing[:MOST_LISTED]:
        say(f"The picture {picture} is not on the disk.")
    if len(findings.missing) > MOST_LISTED:
        say(f"… and {len(findings.missing) - MOST_LISTED} more pictures.")
    if (golden := last_golden_check(path)) is not None:
        say(str(golden))
    if findings:
        raise typer.Exit(1)
    say(f"{path}: sound.")


@db.command()
def backup(
    path: Database,
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file.")] = False,
) -> None:
    """Copy a database, also while a station writes it; the copy is verified."""
    from inspector.db.backup import save

    save(path, target, overwrite=overwrite)
    say(str(target))


@db.command()
def restore(
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="A file from 'db backup'.")],
    path: Database,
    who: As = None,
    reason: Reason = None,
) -> None:
    """Put a backup in the place of a database that nobody has open; the present one is kept.

    Where anybody has an account an administrator logs in, and the restored audit trail says so.
    """
    from inspector.db.ask import ask_session
    from inspector.db.restoring import restore_with_entry

    now = utc_now()
    replaced = restore_with_entry(backup, path, now, lambda c: ask_session(c, who), reason)
    kept = "" if replaced is None else f"; what was there is {replaced}"
    say(f"{path}: restored{kept}.")


@db.command()
def upgrade(
    database: Annotated[str, typer.Argument(help="A database file, or the URL of a site's one.")],
) -> None:
    """Bring a database to this program's schema; a file is copied before."""
    from inspector.db.central import upgrade_url
    from inspector.db.upgrade import upgrade_file

    done = upgrade_url(database) if "://" in database else upgrade_file(Path(database))
    say(str(done))


@db.command()
def outbox(
    path: Database,
    retry: Annotated[bool, typer.Option("--retry", help="Send what was refused again.")] = False,
    who: As = None,
    reason: Reason = None,
) -> None:
    """Say how many rows wait to be sent, and which were refused; exit code 1 if any was.

    With --retry an engineer, once the cause is mended, lets all that was refused be tried anew.
    """
    from inspector.db.outbox import dead, pending, refused

    lie_dead = refused(path)
    if retry:
        say(_sent_again(path, who, reason) if lie_dead else f"{path}: no row was refused.")
        return
    say(f"{path}: {pending(path)} rows wait to be sent, {lie_dead} were refused.")
    for letter in dead(path, MOST_LISTED):
        say(f"{letter.key} after {letter.attempts} tries: {letter.error}")
    if lie_dead:
        raise typer.Exit(1)


def _sent_again(path: Path, who: str | None, reason: str | None) -> str:
    from inspector.db.ask import ask_if_people
    from inspector.db.changes import Changes
    from inspector.db.send_again import send_again

    with Changes(path) as changes:
        sent = send_again(changes, ask_if_people(changes, who), reason)
    number = "no audit entry" if sent.entry is None else f"audit entry {sent.entry.number}"
    return f"{path}: {sent.rows} refused rows wait to be sent again ({number})."
