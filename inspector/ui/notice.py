"""What a person has to see: errors until they are acknowledged, and what is missing for Ready."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from inspector.ui import theme
from inspector.ui.hold import Entry
from inspector.ui.marks import Mark
from inspector.ui.theme import Scale, Tone
from inspector.ui.widgets import Shape, label

KEY: Final = "F9"
MOST: Final = 5
"""Rows beside each other leave the line its room; beyond, the last one counts the rest."""


class Notice(QFrame):
    """A band: one row an entry, and one button for all; hidden while there is nothing to say.

    Loud while an entry holds the line, grey where all that is left is to acknowledge.
    """

    acknowledged = Signal()

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.setObjectName("notice")
        self._scale = scale
        self._entries: tuple[Entry, ...] = ()
        self._rows: list[_Row] = []
        self._column = QVBoxLayout()
        self._column.setSpacing(scale.mm(1.6))
        self.button = QPushButton()
        self.ask_for_name(False)
        self.button.clicked.connect(self.acknowledged)
        QShortcut(QKeySequence(KEY), self, self.button.click)
        band = QHBoxLayout(self)
        pad = scale.mm(1.6)
        band.setContentsMargins(2 * pad, pad, 2 * pad, pad)
        band.setSpacing(2 * pad)
        band.addLayout(self._column, stretch=1)
        band.addWidget(self.button)
        self.hide()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is said, also what is counted only."""
        return self._entries

    @property
    def texts(self) -> list[str]:
        """What the rows say, one after the other."""
        return [row.text for row in self._rows if not row.isHidden()]

    @property
    def loud(self) -> bool:
        """Whether an entry holds the line."""
        return any(entry.holds for entry in self._entries)

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Say these; none hides the band. Repeated ones cost nothing."""
        if tuple(entries) == self._entries:
            return
        self._entries = tuple(entries)
        tone = theme.CAUTION if self.loud else theme.QUIET
        self.setStyleSheet(
            f"QFrame#notice {{ background: {tone.ground}; border-bottom: 1px solid {theme.LINE}; }}"
        )
        self._fill(_shortened(self._entries), tone)
        self.button.setVisible(not all(entry.seen for entry in entries))
        self.setVisible(bool(entries))

    def ask_for_name(self, first: bool) -> None:
        """Say on the button whether one has to sign in first."""
        self.button.setText(f"{'Sign in and acknowledge' if first else 'Acknowledge'}  {KEY}")

    def _fill(self, entries: Sequence[Entry], tone: Tone) -> None:
        while len(self._rows) < len(entries):
            row = _Row(self._scale)
            self._rows.append(row)
            self._column.addWidget(row)
        for row, entry in zip(self._rows, entries, strict=False):
            row.show_entry(entry, tone)
        for place, row in enumerate(self._rows):
            row.setVisible(place < len(entries))


def _shortened(entries: tuple[Entry, ...]) -> Sequence[Entry]:
    if len(entries) <= MOST:
        return entries
    rest = entries[MOST - 1 :]
    names = ", ".join(entry.what for entry in rest)
    holds = any(entry.holds for entry in rest)
    return (*entries[: MOST - 1], Entry(f"{len(rest)} more", names, holds=holds))


class _Row(QWidget):
    """A shape, what it is about and the sentence, and the facts in small beneath."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(scale.mm(2.4))
        self._shape = Shape(Mark.WARNING, scale.mm(6))
        self._text, self._facts = label(role="strong", wrap=True), label(role="small")
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self._text)
        words.addWidget(self._facts)
        row.addWidget(self._shape)
        row.addLayout(words, stretch=1)

    @property
    def text(self) -> str:
        return "\n".join(part for part in (self._text.text(), self._facts.text()) if part)

    def show_entry(self, entry: Entry, tone: Tone) -> None:
        self._shape.show_mark(Mark.WARNING if entry.holds else Mark.WAITING, tone.ink)
        over = "" if entry.holds else ", over"
        self._text.setText(f"{entry.what}{over}: {entry.sentence}")
        self._facts.setText(entry.facts)
        self._facts.setVisible(bool(entry.facts))
        self.setAccessibleName(self.text)
