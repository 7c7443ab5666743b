"""What a command asks a person: name and password, on the terminal or line by line from stdin."""

import getpass
import sys

from engine.types import AccessError, InputError
from inspector.db.changes import Changes
from inspector.db.people import accounts, log_in
from inspector.db.say import printable
from inspector.people.session import Session


def ask_session(changes: Changes, name: str | None) -> Session:
    """Log in; asks for the name, too, if it is None. :class:`engine.types.AccessError`, before
    anything is asked, where nobody could."""
    if not _has_people(changes):
        raise AccessError(
            f"Nobody has an account in {changes.path} yet: 'inspector users add' makes the first."
        )
    who = name if name is not None else _ask("Your name: ", hidden=False)
    return Session(log_in(changes, who, ask_password(f"Password of {who}: ")))


def ask_if_people(changes: Changes, name: str | None) -> Session | None:
    """Log in where anybody has an account; None where nobody could, and nobody is kept out."""
    return ask_session(changes, name) if _has_people(changes) else None


def _has_people(changes: Changes) -> bool:
    with changes.transaction() as connection:
        return bool(accounts(connection))


def ask_password(prompt: str) -> str:
    """Without echo where there is a terminal."""
    return _ask(prompt, hidden=True)


def ask_new_password(name: str) -> str:
    """Asked for twice on a terminal, where nobody sees what he types."""
    password = ask_password(f"New password of {name}: ")
    if sys.stdin.isatty() and ask_password("The same again: ") != password:
        raise InputError("The two passwords differ: try again.")
    return password


def _ask(prompt: str, *, hidden: bool) -> str:
    try:
        line = _line(printable(prompt), hidden=hidden)
        line.encode()  # where the locale is C, other bytes come as lone surrogates
    except UnicodeError:  # not shown with it: it holds what was given
        raise InputError(f"What was given for {_what(prompt)} is no UTF-8: type it.") from None
    return line


def _line(prompt: str, *, hidden: bool) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(prompt) if hidden else input(prompt)
    line = sys.stdin.readline()
    if not line:
        raise InputError(f"Nothing was given for {_what(prompt)}: give one line on stdin.")
    return line.rstrip("\r\n")


def _what(prompt: str) -> str:
    return repr(prompt.rstrip(": "))
