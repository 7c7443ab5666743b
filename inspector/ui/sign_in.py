"""Signing in and out at the window, and doing things by name.

The database is asked on a thread of its own: a password takes a tenth of a second of argon2, and
longer where somebody else holds the file. The line and its verdict go on meanwhile.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from PySide6.QtCore import QRect
from PySide6.QtWidgets import QWidget

from engine.types import AccessError
from inspector.db.people import Account
from inspector.people.roles import Permission, Person
from inspector.pipeline.events import EventCode
from inspector.ui.activity import Activity
from inspector.ui.background import Background
from inspector.ui.presence import Presence
from inspector.ui.sign_in_card import SignInCard
from inspector.ui.theme import Scale
from inspector.ui.who import Who

LEFT_S: Final = 60.0
"""A card in which nobody has typed for so long goes away: it lies over the picture."""


class People(Protocol):
    """What is asked of the database; :class:`inspector.db.accounts.Accounts` offers it."""

    def known(self) -> Sequence[Account]:
        """All accounts, as they are now."""
        ...

    def log_in(self, name: str, password: str) -> Person:
        """Who it is; :class:`engine.types.AccessError` where name or password is wrong."""
        ...


class SignIn:
    """``people`` None is a station without accounts; ``window`` is what the card lies in; ``tell``
    hears who comes and goes."""

    def __init__(
        self,
        people: People | None,
        who: Who,
        window: QWidget,
        scale: Scale,
        timer: Callable[[], float],
        tell: Callable[[EventCode, str], None],
    ) -> None:
        self._people, self._who, self._timer = people, who, timer
        self._presence = Presence(() if people is None else people.known(), timer, tell)
        self._background, self._activity = Background(window), Activity(window)
        self._asking, self._question, self._typed_at = False, 0, 0.0
        self._then: Callable[[], None] | None = None
        self.card = SignInCard(scale, window)
        self.card.given.connect(self._check)
        self.card.left.connect(self._leave)
        self.card.typed.connect(self._note_typing)
        who.asked.connect(self._in_or_out)
        self._activity.seen.connect(self._presence.touch)

    @property
    def wanted(self) -> bool:
        """Whether somebody has to sign in before anything is done by name."""
        return self._presence.guarded and self._presence.person is None

    def act(self, permission: Permission, purpose: str, do: Callable[[str], None]) -> None:
        """Call ``do`` with the name of whoever is there, or who signs in now: ``purpose`` is what
        the card says. Nothing is done where the role is not enough, and the bar says why."""
        self._presence.note = ""
        try:
            name = self._presence.who_may(permission)
        except AccessError as error:
            self.say(str(error))
            return
        if name is not None:
            do(name)
        else:
            self._open(purpose, partial(self.act, permission, purpose, do))

    def say(self, sentence: str) -> None:
        """Show a sentence beside the name, until the next thing is done."""
        self._presence.note = sentence

    def poll(self) -> None:
        """Sign out whoever is idle for too long, and show who is there."""
        if self.card.isVisible() and self._timer() - self._typed_at >= LEFT_S:
            self._leave()
        self._presence.look()
        self._activity.watch(self._presence.timed)
        self._who.setVisible(self._presence.guarded)
        self._who.show_person(self._presence.person, self._presence.note)

    def ask(self) -> None:
        """See, off this thread, who has an account by now; where it fails, what was known holds."""
        if self._people is not None and not self._asking:
            self._asking = True
            self._background.run(self._people.known, self._know, lambda sentence: self._know(None))

    def lay_over(self, part: QRect) -> None:
        """Where the card may lie, in the window's pixels."""
        self.card.lay_over(part)

    def leave(self) -> None:
        """Whoever is there leaves with the window."""
        self._presence.sign_out()

    def close(self) -> None:
        """Let what is asked come to its end."""
        self.leave()
        self._activity.watch(False)
        self._background.close()

    def _know(self, known: Sequence[Account] | None) -> None:
        self._asking = False
        if known is not None:
            self._presence.know(known)

    def _in_or_out(self) -> None:
        if self._presence.person is not None:
            self._presence.sign_out()
        elif self.card.isVisible():
            self._leave()
        else:
            self._open("Sign in", None)

    def _open(self, purpose: str, then: Callable[[], None] | None) -> None:
        self._question += 1
        self._then = then
        self._note_typing()
        self.card.open(purpose)

    def _note_typing(self) -> None:
        self._typed_at = self._timer()

    def _leave(self) -> None:
        self._question += 1
        self.card.close_card()

    def _check(self, name: str, password: str) -> None:
        assert self._people is not None
        asked, log_in = self._question, self._people.log_in

        def enter(person: Person) -> None:
            if asked == self._question:
                self._enter(person)

        def failed(sentence: str) -> None:
            if asked == self._question:
                self.card.ask_again(sentence)

        self._background.run(lambda: log_in(name, password), enter, failed)

    def _enter(self, person: Person) -> None:
        self._leave()
        self._presence.sign_in(person)
        if self._then is not None:
            self._then()
