"""Manage the people of a station: who may do what."""

from pathlib import Path
from typing import Annotated

import typer

from inspector.db.say import printable, say
from inspector.people.roles import Role

users = typer.Typer(no_args_is_help=True, help="Manage the people of a station: who may do what.")

Database = Annotated[Path, typer.Option(help="The station's database.")]
As = Annotated[str | None, typer.Option("--as", help="Your own name; asked for if not given.")]
Name = Annotated[str, typer.Argument(help="Whose account.")]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit trail.")]
MaybeReason = Annotated[str | None, typer.Option(help="Why; it goes into the audit trail.")]


@users.command("list")
def list_users(database: Database) -> None:
    """List accounts, roles, and who is disabled or locked."""
    from inspector.clock import utc_now
    from inspector.db.errors import explained
    from inspector.db.people import accounts, is_locked
    from inspector.db.reading import reading

    now = utc_now()
    with reading(database) as engine, explained(database), engine.connect() as connection:
        for account in accounts(connection):
            locked = is_locked(account.locked_until, now)
            state = "disabled" if account.disabled else "locked" if locked else "active"
            typer.echo(f"{printable(account.name)}\t{account.role}\t{state}")


@users.command()
def add(
    name: Name,
    database: Database,
    role: Annotated[Role, typer.Option(help="What the person may do.")],
    who: As = None,
    reason: MaybeReason = None,
) -> None:
    """Make an account. The first one is an administrator's, and needs nobody to log in."""
    from engine.types import InputError
    from inspector.db import people
    from inspector.db.ask import ask_new_password, ask_session
    from inspector.db.changes import Changes

    with Changes(database, create=True) as changes:
        with changes.transaction() as connection:
            first = not people.accounts(connection)
        if first and role is not Role.ADMINISTRATOR:
            raise InputError("The first account is an administrator's: give --role administrator.")
        if first:
            entry = people.add_first(changes, name, ask_new_password(name))
        else:
            session = ask_session(changes, who)
            entry = people.add(changes, session, name, role, ask_new_password(name), reason)
    say(f"{entry.object} is {role} (audit entry {entry.number}).")


@users.command("role")
def set_role(
    name: Name,
    role: Annotated[Role, typer.Argument(help="What the person may do from now on.")],
    database: Database,
    reason: Reason,
    who: As = None,
) -> None:
    """Give a person another role."""
    from inspector.db import people
    from inspector.db.ask import ask_session
    from inspector.db.changes import Changes

    with Changes(database) as changes:
        entry = people.set_role(changes, ask_session(changes, who), name, role, reason)
    say(f"{entry.object} is {entry.new}, was {entry.old} (audit entry {entry.number}).")


@users.command()
def disable(
    name: Name,
    database: Database,
    reason: Reason,
    who: As = None,
    undo: Annotated[bool, typer.Option("--undo", help="Enable it again.")] = False,
) -> None:
    """Disable an account: nobody logs in with it. It stays, since the audit trail names it."""
    from inspector.db import people
    from inspector.db.ask import ask_session
    from inspector.db.changes import Changes

    with Changes(database) as changes:
        session = ask_session(changes, who)
        entry = people.set_disabled(changes, session, name, not undo, reason)
    say(f"{entry.object} is {entry.new} (audit entry {entry.number}).")


@users.command("password")
def set_password(
    name: Name, database: Database, who: As = None, reason: MaybeReason = None
) -> None:
    """Give an account another password, which also unlocks it: your own, or anybody's as
    administrator."""
    from inspector.db import people
    from inspector.db.ask import ask_new_password, ask_session
    from inspector.db.changes import Changes

    with Changes(database) as changes:
        session = ask_session(changes, who)
        entry = people.set_password(changes, session, name, ask_new_password(name), reason)
    say(f"{entry.object} has another password (audit entry {entry.number}).")
