"""Notices that somebody is at the window: a press, a key, a touch, a turn of the wheel.

Qt shows every event of the program to a filter, so there is one only while somebody's time runs.
"""

from typing import Final

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Signal

SIGNS: Final = frozenset(
    {
        QEvent.Type.MouseButtonPress,
        QEvent.Type.KeyPress,
        QEvent.Type.TouchBegin,
        QEvent.Type.Wheel,
    }
)
"""A pointer that moves is none: a machine shakes its table."""


class Activity(QObject):
    """Emits ``seen`` at each sign, after :meth:`watch`."""

    seen = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._watching = False

    def watch(self, on: bool) -> None:
        """Begin, or end; to say it twice is harmless."""
        app = QCoreApplication.instance()
        if on is self._watching or app is None:
            return
        self._watching = on
        (app.installEventFilter if on else app.removeEventFilter)(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in SIGNS:
            self.seen.emit()
        return False
