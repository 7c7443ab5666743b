"""Small widgets made in one line: labels and toggles by their part in the style sheet."""

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QComboBox, QDateTimeEdit, QFrame, QLabel, QPushButton, QWidget

from inspector.ui import marks, theme
from inspector.ui.marks import Mark


def label(text: str = "", *, role: str = "", wrap: bool = False) -> QLabel:
    """Plain text, never markup; ``role`` is a name in the style sheet: title, strong, soft."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setObjectName(role)
    made.setWordWrap(wrap)
    return made


def toggle(text: str, *, checked: bool = False) -> QPushButton:
    """A button that stays down."""
    made = QPushButton(text)
    made.setCheckable(True)
    made.setChecked(checked)
    return made


def panel() -> QFrame:
    """A raised ground for things that belong together."""
    made = QFrame()
    made.setObjectName("panel")
    return made


def named(widget: QWidget, role: str) -> None:
    """Give a plain widget the ground that the style sheet has for ``role``."""
    widget.setObjectName(role)
    widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)


class Shape(QWidget):
    """One mark as a widget."""

    def __init__(self, mark: Mark, side: int, ink: str = theme.INK) -> None:
        super().__init__()
        self._mark, self._ink = mark, ink
        self.setFixedSize(side, side)

    def show_mark(self, mark: Mark, ink: str) -> None:
        """Show another mark, or the same in another ink."""
        if (mark, ink) != (self._mark, self._ink):
            self._mark, self._ink = mark, ink
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        marks.draw(QPainter(self), self._mark, QRectF(self.rect()), QColor(self._ink))


class Choice(QComboBox):
    """A combo box whose arrow is drawn: a style sheet can only take it from a file."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        _draw_arrow(self, self.rect())


class Moment(QDateTimeEdit):
    """A date and time to the minute, with a calendar, and with the arrow of :class:`Choice`."""

    def __init__(self) -> None:
        super().__init__()
        self.setDisplayFormat("yyyy-MM-dd HH:mm")
        self.setCalendarPopup(True)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        _draw_arrow(self, self.rect())


def _draw_arrow(widget: QWidget, box: QRect) -> None:
    size = box.height() / 9
    middle = QPointF(box.right() - 2.6 * size, box.center().y() + 1)
    painter = QPainter(widget)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(theme.INK_SOFT), size / 2.4))
    offsets = (QPointF(-size, -size / 2), QPointF(0, size / 2), QPointF(size, -size / 2))
    painter.drawPolyline(QPolygonF([middle + offset for offset in offsets]))
