"""Start, pause, stop: three large buttons with a shape, a word and a key each."""

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal, SignalInstance
from PySide6.QtGui import QColor, QIcon, QKeySequence, QPainter, QPixmap, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from inspector.ui import marks, theme
from inspector.ui.marks import Mark
from inspector.ui.theme import Scale


@dataclass(frozen=True, slots=True)
class _Action:
    word: str
    mark: Mark
    key: str
    tip: str


START: Final = _Action("Start", Mark.PLAY, "F5", "Begin, or go on after a pause")
PAUSE: Final = _Action("Pause", Mark.PAUSE, "F6", "Hold the line; the camera and the run stay open")
STOP: Final = _Action("Stop", Mark.STOP, "F8", "End the run after the part in hand")


class Controls(QWidget):
    """Emits what the person asks for; the window says what is possible."""

    start_asked = Signal()
    pause_asked = Signal()
    stop_asked = Signal()

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(scale.mm(2))
        self.start = self._button(START, self.start_asked, scale)
        self.pause = self._button(PAUSE, self.pause_asked, scale)
        self.stop = self._button(STOP, self.stop_asked, scale)
        for button in (self.start, self.pause, self.stop):
            row.addWidget(button)

    def answer_keys_of(self, window: QWidget) -> None:
        """Keys of the whole window: Qt asks no widget that is out of sight, and whoever looks at
        another page must be able to stop the line."""
        for action, button in ((START, self.start), (PAUSE, self.pause), (STOP, self.stop)):
            QShortcut(QKeySequence(action.key), window, button.click)

    def allow(self, *, start: bool, pause: bool, stop: bool, resuming: bool = False) -> None:
        """Enable what is possible; after a pause the first button reads "Resume"."""
        self.start.setEnabled(start)
        self.pause.setEnabled(pause)
        self.stop.setEnabled(stop)
        self.start.setText(_label("Resume" if resuming else START.word, START.key))

    def _button(self, action: _Action, asked: SignalInstance, scale: Scale) -> QPushButton:
        button = QPushButton(_label(action.word, action.key))
        side = scale.mm(4.2)
        button.setIcon(_icon(action.mark, side, self.devicePixelRatioF()))
        button.setIconSize(QSize(side, side))
        button.setToolTip(f"{action.tip} ({action.key})")
        button.setAccessibleName(action.word)
        button.setObjectName("action")
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(asked)
        return button


def _label(word: str, key: str) -> str:
    return f" {word}  {key}"


def _icon(mark: Mark, side: int, ratio: float) -> QIcon:
    icon = QIcon()
    modes = (QIcon.Mode.Normal, theme.INK), (QIcon.Mode.Disabled, theme.INK_OFF)
    for mode, ink in modes:
        pixmap = QPixmap(round(side * ratio), round(side * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        marks.draw(painter, mark, QRectF(0, 0, side, side), QColor(ink))
        painter.end()  # before the pixmap is shared
        icon.addPixmap(pixmap, mode)
    return icon
