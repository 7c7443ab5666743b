"""Who stands at the window: somebody who signed in, nobody, or whoever it is.

The last where the station has no accounts: then nobody is asked for a name. All of it is
remembered on the GUI's thread alone; what the database says is brought to it.
"""

from collections.abc import Callable, Sequence

from engine.types import AccessError
from inspector.db.people import Account
from inspector.people.roles import UNNAMED, Permission, Person, require
from inspector.people.session import IDLE_S, Session
from inspector.pipeline.events import EventCode


class Presence:
    """At most one person. ``timer`` gives seconds and never goes back; ``tell`` hears, once each,
    that somebody signed in or is signed in no more.

    ``note`` is one sentence to be shown beside the name: why somebody is signed in no more, or why
    nothing was done; empty where there is nothing to say.
    """

    def __init__(
        self,
        known: Sequence[Account],
        timer: Callable[[], float],
        tell: Callable[[EventCode, str], None],
    ) -> None:
        self._known, self._timer, self._tell = tuple(known), timer, tell
        self._session: Session | None = None
        self.note = ""

    @property
    def guarded(self) -> bool:
        """Whether one has to sign in: the station has accounts."""
        return bool(self._known)

    @property
    def person(self) -> Person | None:
        """Who is signed in."""
        return None if self._session is None else self._session.person

    @property
    def timed(self) -> bool:
        """Whether it matters that the person does something."""
        return self.person is not None and self.person.role in IDLE_S

    def sign_in(self, person: Person) -> None:
        """From now on it is this one, whoever it was before."""
        self.sign_out()
        self._session = Session(person, self._timer)
        self._tell(EventCode.SIGNED_IN, f"{person.name}, {person.role}, signed in.")

    def sign_out(self, note: str = "") -> None:
        """Whoever it was is there no more; ``note`` is why, where it was not the person's wish."""
        if self._session is not None:
            left = note or f"{self._session.person.name} signed out."
            self._tell(EventCode.SIGNED_OUT, left)
        self._session, self.note = None, note

    def touch(self) -> None:
        """The person did something, and so is not idle."""
        if self._session is not None:
            try:
                self._session.touch()
            except AccessError:
                self._time_out(self._session.person)

    def look(self) -> None:
        """Sign out whoever was idle for too long."""
        if self._session is not None and self._session.ended:
            self._time_out(self._session.person)

    def know(self, known: Sequence[Account]) -> None:
        """The accounts as they are now: whoever signed in as something else is signed out."""
        self._known = tuple(known)
        person = self.person
        if person is not None and not any(_is(person, account) for account in known):
            self.sign_out(f"{person.name} was signed out: the account has changed.")

    def who_may(self, permission: Permission) -> str | None:
        """The name to write down for what is done now; None where somebody has to sign in first.

        :class:`AccessError` where the role of whoever is signed in does not hold it.
        """
        if not self.guarded:
            return UNNAMED
        self.touch()
        if self._session is None:
            return None
        require(self._session.person, permission)
        return self._session.person.name

    def _time_out(self, person: Person) -> None:
        minutes = IDLE_S[person.role] / 60
        self.sign_out(f"{person.name} was signed out after {minutes:.0f} idle minutes.")


def _is(person: Person, account: Account) -> bool:
    same = (person.name, person.role) == (account.name, account.role)
    return same and not account.disabled
