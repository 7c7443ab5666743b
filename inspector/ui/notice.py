"""A message that stays until a person has acknowledged it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton

from inspector.ui import theme
from inspector.ui.marks import Mark
from inspector.ui.theme import Scale
from inspector.ui.widgets import Shape, label


class Notice(QFrame):
    """A banner: what failed, in words, and one button; hidden while there is nothing to say."""

    acknowledged = Signal()

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.setObjectName("notice")
        tone = theme.CAUTION
        self.setStyleSheet(f"QFrame#notice {{ background: {tone.ground}; }}")
        row = QHBoxLayout(self)
        pad = scale.mm(2)
        row.setContentsMargins(2 * pad, pad, 2 * pad, pad)
        row.setSpacing(2 * pad)
        self._text = label(role="strong", wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        button = QPushButton("Acknowledge")
        button.clicked.connect(self.acknowledged)
        row.addWidget(Shape(Mark.WARNING, scale.mm(7), tone.ink))
        row.addWidget(self._text, stretch=1)
        row.addWidget(button)
        self.hide()

    @property
    def text(self) -> str:
        return self._text.text()

    def show_text(self, text: str | None) -> None:
        """Say this; None hides the banner."""
        if text is not None and text != self._text.text():
            self._text.setText(text)
        self.setVisible(text is not None)
