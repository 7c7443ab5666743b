"""Who is signed in, in the top bar, and the one button to sign in or out."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from inspector.people.roles import Person
from inspector.ui import theme
from inspector.ui.marks import Mark
from inspector.ui.theme import Scale
from inspector.ui.widgets import Elided, Shape

KEY = "F3"
SHORT_MM = 20.0  # of a name or a sentence so much is never cut


class Who(QWidget):
    """Emits ``asked`` at a press; hidden where a station has no accounts."""

    asked = Signal()

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self._shape = Shape(Mark.PERSON, scale.mm(5))
        self._said = Elided(scale.mm(SHORT_MM))
        self._said.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self.button = QPushButton()
        self.button.clicked.connect(self.asked)
        QShortcut(QKeySequence(KEY), self, self.button.animateClick)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(scale.mm(2))
        for widget in (self._shape, self._said, self.button):
            row.addWidget(widget)
        self.hide()

    @property
    def text(self) -> str:
        """What stands beside the button."""
        return self._said.text

    def give_way(self, width: int) -> None:
        """What is said takes at most so many pixels: the rest of the bar keeps its room."""
        self._said.setMaximumWidth(width)

    def show_person(self, person: Person | None, note: str) -> None:
        """Say who it is, and the sentence behind it."""
        name = "" if person is None else f"{person.name}, {person.role}"
        said = ": ".join(part for part in (name, note) if part)
        self._shape.setVisible(person is not None)
        self._said.show_text(said, theme.INK)
        self._said.setToolTip(said)
        self._said.setAccessibleName(said)
        self.button.setText(f"Sign {'in' if person is None else 'out'}  {KEY}")
