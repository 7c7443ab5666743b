"""The commands that look at the audit trail: is it whole, and what does it say?"""

import re
from pathlib import Path
from typing import Annotated

import typer

from inspector.db.chain import GENESIS
from inspector.db.say import printable, say

trail = typer.Typer(no_args_is_help=True, help="Look at the audit trail.")

DatabaseFile = Annotated[Path, typer.Argument(metavar="PATH", help="A station's database.")]


@trail.command()
def verify(
    path: DatabaseFile,
    head: Annotated[
        str, typer.Option(help="A head that an earlier check printed, kept elsewhere.")
    ] = GENESIS,
) -> None:
    """Check every byte of the audit trail; exit code 1 where an entry is not as it was written.

    Accounts are held against it, too: a role or a password that it does not know is told.

    Whoever may write the file may also cut the trail's end off, or compute it anew from an edit
    on. Only --head tells: keep the head that is printed where he cannot write.
    """
    from engine.types import InputError
    from inspector.db.audit import verify_trail

    kept = head.strip().lower()
    if re.fullmatch("[0-9a-f]{64}", kept) is None:
        raise InputError(f"{head!r} is no head: give the 64 digits that an earlier check printed.")
    check = verify_trail(path, kept)
    walk, wrong = check.walk, []
    if walk.broken is not None:
        wrong.append(f"entry {walk.broken.number} is broken: {walk.broken.what}")
    elif not walk.saw_head:
        wrong.append(f"its {walk.count} entries are whole, but the head {kept} is not among them")
    if check.strangers:
        wrong.append(f"accounts are not as it has them: {', '.join(check.strangers)}")
    if check.unguarded:
        wrong.append(f"triggers that guard it are gone: {', '.join(check.unguarded)}")
    if wrong:
        say(f"The audit trail of {path} is not as it was written: {'; '.join(wrong)}.")
        raise typer.Exit(1)
    say(f"The audit trail of {path} is whole: {walk.count} entries, head {walk.head}")


@trail.command()
def audit(
    path: DatabaseFile,
    about: Annotated[
        str | None, typer.Option("--object", help="Only objects with this in their name.")
    ] = None,
    who: Annotated[str | None, typer.Option("--who", help="Only this person's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="So many, the newest.")] = 50,
) -> None:
    """Print the audit trail, newest first. It is not checked: 'db verify' does that."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from inspector.db.audit import read_trail

    table = Table("No.", "When (UTC)", "Who", "Role", "What", "Object", "Old", "New", "Why")
    for entry in read_trail(path, about=about, who=who, limit=limit):
        values = (
            *(entry.number, str(entry.at)[:19].replace("T", " "), entry.who, entry.role),
            *(entry.action, entry.object, entry.old, entry.new, entry.reason),
        )
        table.add_row(*(Text("" if each is None else printable(each)) for each in values))
    Console().print(table)
