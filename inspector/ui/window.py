"""The station's window: draws what it is told thirty times a second, and nothing else.

It polls the mailbox and the worker's state in one timer. Work on pixels is the worker's, queries
are the background's; this thread only draws.
"""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QTimer
from PySide6.QtGui import QCloseEvent, QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from inspector.clock import utc_now
from inspector.people.roles import Permission
from inspector.pipeline.station_state import Standing
from inspector.ui import theme
from inspector.ui.background import Background
from inspector.ui.history_view import HistorySource, HistoryView
from inspector.ui.hold import Hold, entries, have_new, hold_in_words, hold_of
from inspector.ui.live_page import LivePage
from inspector.ui.mailbox import Mailbox
from inspector.ui.notice import Notice
from inspector.ui.screen import ScreenState
from inspector.ui.session import Health, StatusItem
from inspector.ui.sign_in import People, SignIn
from inspector.ui.status_strip import StatusStrip
from inspector.ui.theme import Scale
from inspector.ui.top_bar import TopBar
from inspector.ui.verdict_panel import face_of_hold, face_of_part, face_of_state, waiting_since
from inspector.ui.widgets import named
from inspector.ui.worker import LineState, Worker

POLL_MS: Final = 33
STATUS_MS: Final = 2000
STALE_S: Final = 10.0
CLOSE_LIMIT_S: Final = 15.0
SMALLEST: Final = (1024, 700)


class StationWindow(QMainWindow):
    """The one window of a station; closing it stops the worker and waits for its end.

    ``pictures`` is the folder that the history's picture paths start from; ``status`` is called
    on a background thread; ``timer`` gives seconds, monotonic; a verdict older than ``stale_s``
    gives way to "waiting", so that no old OK stands for a part not seen. Where ``people`` knows
    accounts, one signs in.
    """

    def __init__(
        self,
        control: Worker,
        mailbox: Mailbox[ScreenState],
        history: HistorySource,
        *,
        title: str,
        pictures: Path,
        people: People | None = None,
        status: Callable[[], Sequence[StatusItem]] | None = None,
        scale: Scale | None = None,
        stale_s: float = STALE_S,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        scale = scale or theme.scale_of(QGuiApplication.primaryScreen())
        self._control, self._mailbox, self._status = control, mailbox, status
        self._stale_s, self._timer = stale_s, timer
        self._latest: ScreenState | None = None
        self._latest_at = 0.0
        self._standing: Standing | None = None
        self._asking = False
        self._closing_since: float | None = None
        self._background = Background(self)
        self.bar = TopBar(title, scale)
        self.notice = Notice(scale)
        self.live = LivePage(scale)
        self.history = HistoryView(history, pictures, scale)
        self.strip = StatusStrip(scale)
        self._pages, self._body = QStackedWidget(), QWidget()
        self.people = SignIn(people, self.bar.who, self._body, scale, timer, control.tell)
        self.setWindowTitle(title)
        self.setStyleSheet(theme.style_sheet(scale))
        self.setMinimumSize(*SMALLEST)
        self._lay_out()
        self._connect()

    def poll(self) -> None:
        """Take the newest letter and show the line's state; called by the timer."""
        letter = self._mailbox.take()
        if letter is not None:
            self._latest, self._latest_at = letter, self._timer()
            self.live.show_state(letter)
        self.people.poll()
        self.notice.ask_for_name(self.people.wanted)
        self._show_line()
        if self._closing_since is not None and self._may_close():
            self.close()

    def poll_status(self) -> None:
        """Ask for the facts of the strip, off this thread."""
        self.bar.show_time(utc_now())
        self.people.ask()
        if self._status is not None and not self._asking:
            self._asking = True
            self._background.run(self._status, self._show_status, self._status_failed)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop the worker first; the window goes when the session has let go of its camera."""
        if not self._may_close():
            self._closing_since = self._closing_since or self._timer()
            self.people.leave()  # while there is a run whose database takes it down
            self._control.stop()
            event.ignore()
            return
        self._polling.stop()
        self._polling_status.stop()
        self._background.close()
        self.people.close()
        self.history.close_background()
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.people.lay_over(self._body.rect())

    def _may_close(self) -> bool:
        """Whether the session has ended, or has had :data:`CLOSE_LIMIT_S` to do so."""
        began = self._closing_since
        overdue = began is not None and self._timer() - began > CLOSE_LIMIT_S
        return overdue or not self._control.alive

    def _show_status(self, items: Sequence[StatusItem]) -> None:
        self._asking = False
        self.strip.show_items(items)

    def _status_failed(self, sentence: str) -> None:
        self._show_status([StatusItem("Status", sentence, Health.BAD)])

    def _show_line(self) -> None:
        control = self._control
        state = control.state
        standing = self._standing_now()
        hold = hold_of(standing) if state is LineState.RUNNING else None
        self.bar.show_state(state, hold)
        self.notice.show_entries(entries(standing, control.failure, running=control.can_stop))
        self._show_verdict(state, hold, standing)
        elsewhere = self._pages.currentWidget() is not self.live
        self.bar.glance.show_face(self.live.verdict.face if elsewhere else None)
        self.live.controls.allow(
            start=control.can_start,
            pause=control.can_pause,
            stop=control.can_stop,
            resuming=state is LineState.PAUSED,
        )

    def _acknowledge(self) -> None:
        """By the name of whoever is there; what comes while he signs in he has not seen yet."""
        seen = self.notice.entries

        def acknowledge(person: str) -> None:
            control = self._control
            now = entries(control.standing, control.failure, running=control.can_stop)
            if have_new(now, seen):
                self.people.say("something new, read it first.")
            else:
                self._control.acknowledge(person)

        self.people.act(Permission.ACKNOWLEDGE, "Sign in to acknowledge", acknowledge)

    def _standing_now(self) -> Standing:
        """As the session says; where it has changed, the strip is asked for again at once."""
        standing = self._control.standing
        if standing != self._standing:
            self._standing = standing
            self.poll_status()
        return standing

    def _show_verdict(self, state: LineState, hold: Hold | None, standing: Standing) -> None:
        if state is not LineState.RUNNING or hold is not None:
            self._latest_at = -math.inf  # a line that goes on has no verdict until its next part
        if hold is not None:
            self.live.verdict.show_face(face_of_hold(hold, hold_in_words(standing)))
            return
        if state is not LineState.RUNNING or self._latest is None:
            self.live.verdict.show_face(face_of_state(state))
            return
        age_s = self._timer() - self._latest_at
        fresh = age_s <= self._stale_s
        part = self._latest.part
        self.live.verdict.show_face(face_of_part(part) if fresh else waiting_since(part))

    def _connect(self) -> None:
        controls = self.live.controls
        controls.answer_keys_of(self)
        controls.start_asked.connect(self._control.start)
        controls.pause_asked.connect(self._control.pause)
        controls.stop_asked.connect(self._control.stop)
        self.notice.acknowledged.connect(self._acknowledge)
        self.bar.page_asked.connect(self.turn_to)
        self._polling = self._every(POLL_MS, self.poll)
        self._polling_status = self._every(STATUS_MS, self.poll_status)
        self.poll()
        self.poll_status()

    def _every(self, interval_ms: int, call: Callable[[], None]) -> QTimer:
        timer = QTimer(self, interval=interval_ms)
        timer.timeout.connect(call)
        timer.start()
        return timer

    def turn_to(self, page: int) -> None:
        """Show the page at this place: 0 the line, 1 the history."""
        self.bar.show_page(page)
        self._pages.setCurrentIndex(page)

    def _lay_out(self) -> None:
        named(self._body, "page")
        column = QVBoxLayout(self._body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._pages.addWidget(self.live)
        self._pages.addWidget(self.history)
        column.addWidget(self.bar)
        column.addWidget(self.notice)
        column.addWidget(self._pages, stretch=1)
        column.addWidget(self.strip)
        self.setCentralWidget(self._body)
