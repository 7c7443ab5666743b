"""A person at a station, until he leaves or is idle for too long."""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from engine.types import AccessError
from inspector.people.roles import Permission, Person, Role, require

IDLE_S: Final[Mapping[Role, float]] = MappingProxyType(
    {Role.ENGINEER: 600.0, Role.ADMINISTRATOR: 600.0}
)
"""Seconds without an action after which a session ends; an operator's has no end: the line runs."""


class Session:
    """One person, logged in. ``clock`` gives seconds and never goes back. Not shared by threads."""

    def __init__(self, person: Person, clock: Callable[[], float] = time.monotonic) -> None:
        self.person = person
        self._clock = clock
        self._seen = clock()

    @property
    def ended(self) -> bool:
        """Once idle for too long it stays ended: only :meth:`require` and :meth:`touch` act."""
        limit = IDLE_S.get(self.person.role)
        return limit is not None and self._clock() - self._seen >= limit

    def touch(self) -> None:
        """The person did something; :class:`AccessError` where the session had ended."""
        if self.ended:
            raise AccessError(
                f"The session of {self.person.name} ended after {IDLE_S[self.person.role] / 60:.0f}"
                " idle minutes: log in again."
            )
        self._seen = self._clock()

    def require(self, permission: Permission) -> None:
        """:class:`AccessError` where the session has ended or the role does not hold it."""
        self.touch()
        require(self.person, permission)
