"""The command by which a person says what he thinks of a part."""

from pathlib import Path
from typing import Annotated

import typer

from inspector.db.ask import ask_session
from inspector.db.changes import Changes
from inspector.db.review import Opinion, last_word, review_part
from inspector.db.say import say


def review(
    inspection: Annotated[str, typer.Argument(metavar="ID", help="Which inspection.")],
    opinion: Annotated[Opinion, typer.Argument(help="What the part is, in your eyes.")],
    database: Annotated[Path, typer.Option(help="The station's database, beside its pictures.")],
    note: Annotated[str, typer.Option(help="Why; it goes into the audit trail.")] = "",
    who: Annotated[
        str | None, typer.Option("--as", help="Your own name; asked for if not given.")
    ] = None,
) -> None:
    """Say of a stored part whether it is OK or NG, as a person who logs in; on the audit trail.

    The station's verdict stays as it was. The picture of an OK part that is NG or unsure is kept
    for as long as an NG part's.
    """
    last_word(database, inspection)  # before anybody is asked for a password
    with Changes(database) as changes:
        entry = review_part(changes, ask_session(changes, who), inspection, opinion, note)
    say(f"{entry.object}: {entry.new}, was {entry.old} (audit entry {entry.number}).")
