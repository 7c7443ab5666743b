"""People with passwords for the tests; their argon2 is real, though cheap, as is the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from inspector.db.changes import Changes
from inspector.db.people import add, add_first, log_in
from inspector.people.roles import Role
from inspector.people.session import Session
from tests.inspector.pipeline_parts import NOON

PASSWORDS = {
    "ada": "seven green bicycles",
    "emil": "a lamp under water",
    "olga": "nine quiet harbours",
}
ROLES = {"emil": Role.ENGINEER, "olga": Role.OPERATOR}


@contextmanager
def cheap_hashes() -> Iterator[None]:
    """New hashes of a thousandth of the work: a station's take a tenth of a second each."""
    with pytest.MonkeyPatch.context() as patch:
        cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        patch.setattr("inspector.people.passwords.hasher", lambda: cheap)
        yield


@dataclass
class Clock:
    """UTC that stands still until a test moves it."""

    now: datetime = field(default=NOON)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


def make_people(path: Path) -> Path:
    """A database in which ada is administrator, emil engineer, olga operator."""
    with Changes(path, create=True) as changes:
        add_first(changes, "ada", PASSWORDS["ada"])
        ada = logged_in(changes, "ada")
        for name, role in ROLES.items():
            add(changes, ada, name, role, PASSWORDS[name], None)
    return path


def logged_in(changes: Changes, name: str) -> Session:
    return Session(log_in(changes, name, PASSWORDS[name]))
