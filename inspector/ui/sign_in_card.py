"""Name and password, on a card that lies over the picture and never over the verdict.

No window of its own: the line's keys go on working while somebody types, and nothing waits for it.
"""

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from inspector.ui.marks import Mark
from inspector.ui.theme import Scale
from inspector.ui.widgets import Shape, label

WIDTH_MM = 92.0


class SignInCard(QFrame):
    """Emits ``given`` with name and password, which is then forgotten; ``typed`` at each letter;
    ``left`` when it is to be closed."""

    given = Signal(str, str)
    typed = Signal()
    left = Signal()

    def __init__(self, scale: Scale, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setFixedWidth(scale.mm(WIDTH_MM))
        self._ground, self._over, self._gap = parent, parent.rect(), scale.mm(3)
        self._purpose = label(role="title", wrap=True)
        self.name, self.password = _field(), _field()
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.enter, self.cancel = QPushButton("Sign in"), QPushButton("Cancel  Esc")
        self._shape = Shape(Mark.WARNING, scale.mm(5))
        self._error = label(role="strong", wrap=True)
        self._lay_out()
        self._connect()
        self.hide()

    @property
    def error(self) -> str:
        """The sentence that is shown; empty where nothing went wrong."""
        return self._error.text()

    def open(self, purpose: str) -> None:
        """Ask for name and password; ``purpose`` is the head of the card."""
        self._purpose.setText(purpose)
        self.name.clear()
        self.password.clear()
        self.show()  # before it is measured: its style comes with it
        self.raise_()
        self.ask_again("")
        self.name.setFocus()

    def ask_again(self, error: str) -> None:
        """Say what went wrong, and take another password."""
        self._error.setText(error)
        for widget in (self._shape, self._error):
            widget.setVisible(bool(error))
        for field in (self.name, self.password):
            field.setEnabled(True)
        self._allow()
        self.password.setFocus()
        self._place()

    def close_card(self) -> None:
        """Put it away, with all that was typed."""
        self.password.clear()
        self.hide()
        self._ground.setFocus()

    def lay_over(self, part: QRect) -> None:
        """To the left and in the middle of a part of the parent."""
        self._over = part
        self._place()

    def _place(self) -> None:
        column = self._column
        column.activate()
        self.resize(self.width(), column.heightForWidth(self.width()))
        top = self._over.center().y() - self.height() // 2
        self.move(self._over.left() + 3 * self._gap, max(self._over.top() + self._gap, top))

    def _give(self) -> None:
        name, password = self.name.text(), self.password.text()
        if not (self.enter.isEnabled() and name and password):
            return
        self.password.clear()
        for widget in (self.name, self.password, self.enter):
            widget.setEnabled(False)
        self.enter.setText("Checking …")
        self.given.emit(name, password)

    def _allow(self) -> None:
        self.enter.setText("Sign in")
        self.enter.setEnabled(bool(self.name.text().strip() and self.password.text()))

    def _connect(self) -> None:
        self.enter.clicked.connect(self._give)
        self.cancel.clicked.connect(self.left)
        self.name.returnPressed.connect(self.password.setFocus)
        self.password.returnPressed.connect(self._give)
        for field in (self.name, self.password):
            field.textEdited.connect(self._allow)
            field.textEdited.connect(self.typed)
        escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self, self.cancel.click)
        escape.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)

    def _lay_out(self) -> None:
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(*[self._gap] * 4)
        column.setSpacing(self._gap)
        said, buttons = QHBoxLayout(), QHBoxLayout()
        said.addWidget(self._shape, alignment=Qt.AlignmentFlag.AlignTop)
        said.addWidget(self._error, stretch=1)
        for button in (self.enter, self.cancel):
            buttons.addWidget(button, stretch=1)
        column.addWidget(self._purpose)
        for word, field in (("Name", self.name), ("Password", self.password)):
            column.addLayout(_labelled(word, field))
        column.addLayout(said)
        column.addLayout(buttons)


def _field() -> QLineEdit:
    made = QLineEdit()
    made.setObjectName("field")
    return made


def _labelled(word: str, field: QLineEdit) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(1)
    head = label(word, role="soft")
    head.setBuddy(field)
    field.setAccessibleName(word)
    column.addWidget(head)
    column.addWidget(field)
    return column
