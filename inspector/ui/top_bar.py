"""The head of the window: whose station, which page, does it run, what time is it, who is there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QPushButton, QWidget

from inspector.ui import theme
from inspector.ui.hold import Hold
from inspector.ui.marks import Mark
from inspector.ui.theme import Scale
from inspector.ui.verdict_panel import Face
from inspector.ui.who import Who
from inspector.ui.widgets import Shape, label, named, toggle
from inspector.ui.worker import LineState

PAGES: Final = (("Line", "F1"), ("History", "F2"))
WHO_SHARE: Final = 0.3  # of the bar for a name and a sentence, at most
_STATES: Final[Mapping[LineState, tuple[str, Mark]]] = {
    LineState.IDLE: ("Idle", Mark.WAITING),
    LineState.RUNNING: ("Running", Mark.PLAY),
    LineState.PAUSED: ("Paused", Mark.PAUSE),
    LineState.STOPPING: ("Stopping", Mark.STOP),
    LineState.STOPPED: ("Stopped", Mark.STOP),
    LineState.FINISHED: ("Finished", Mark.STOP),
    LineState.FAILED: ("Failed", Mark.WARNING),
}
_HOLDS: Final[Mapping[Hold, tuple[str, Mark]]] = {
    Hold.STARTING: ("Starting", Mark.WAITING),
    Hold.ERROR: ("Error", Mark.WARNING),
    Hold.NOT_READY: ("Not ready", Mark.WARNING),
}


class Glance(QFrame):
    """The large word in small: hidden while there is none to show."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.setObjectName("glance")
        self._shape, self._word = Shape(Mark.WAITING, scale.mm(5)), label(role="title")
        self._face: Face | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(scale.mm(2), scale.mm(0.6), scale.mm(2), scale.mm(0.6))
        row.setSpacing(scale.mm(1.6))
        row.addWidget(self._shape)
        row.addWidget(self._word)
        self.hide()

    @property
    def text(self) -> str:
        """The word, where it can be seen."""
        return "" if self.isHidden() else self._word.text()

    def show_face(self, face: Face | None) -> None:
        """Show another face; a repeated one costs nothing."""
        if face == self._face:
            return
        self._face = face
        self.setVisible(face is not None)
        if face is not None:
            ground, ink = face.tone.ground, face.tone.ink
            self.setStyleSheet(
                f"QFrame#glance {{ background: {ground}; }} QLabel {{ color: {ink}; }}"
            )
            self._shape.show_mark(face.mark, ink)
            self._word.setText(face.word)
            self.setAccessibleName(f"Verdict: {face.word}. {face.line}")


class TopBar(QWidget):
    """Emits ``page_asked`` with the place of the page among :data:`PAGES`."""

    page_asked = Signal(int)

    def __init__(self, title: str, scale: Scale) -> None:
        super().__init__()
        named(self, "bar")
        self._shape = Shape(Mark.WAITING, scale.mm(5))
        self._state = label(role="title")
        self._clock = label(role="title")
        self.glance = Glance(scale)
        self.who = Who(scale)
        row = QHBoxLayout(self)
        row.setContentsMargins(scale.mm(3), scale.mm(1.4), scale.mm(3), scale.mm(1.4))
        row.setSpacing(scale.mm(2))
        row.addWidget(label(title, role="title"))
        row.addSpacing(scale.mm(4))
        for button in self._page_buttons():
            row.addWidget(button)
        row.addStretch(1)
        for widget in (self.glance, self._shape, self._state):
            row.addWidget(widget)
        row.addSpacing(scale.mm(4))
        row.addWidget(self._clock)
        row.addSpacing(scale.mm(4))
        row.addWidget(self.who)
        self.show_state(LineState.IDLE)

    @property
    def state_text(self) -> str:
        return self._state.text()

    def show_state(self, state: LineState, hold: Hold | None = None) -> None:
        """Say whether the line runs, or what holds it although it was started."""
        word, mark = _STATES[state] if hold is None else _HOLDS[hold]
        self._state.setText(word)
        self._shape.show_mark(mark, theme.INK)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.who.give_way(round(self.width() * WHO_SHARE))

    def show_page(self, page: int) -> None:
        """Press the button of this page down."""
        self._pages.button(page).setChecked(True)

    def show_time(self, now: datetime) -> None:
        """Show the wall clock, to the minute: a running second draws the eye for nothing."""
        self._clock.setText(now.astimezone().strftime("%H:%M"))

    def _page_buttons(self) -> list[QPushButton]:
        self._pages = group = QButtonGroup(self)
        buttons = []
        for place, (word, key) in enumerate(PAGES):
            button = toggle(f"{word}  {key}", checked=place == 0)
            group.addButton(button, place)
            QShortcut(QKeySequence(key), self, button.click)
            buttons.append(button)
        group.idClicked.connect(self.page_asked)
        return buttons
