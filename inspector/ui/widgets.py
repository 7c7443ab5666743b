"""Small widgets made in one line: labels and toggles by their part in the style sheet."""

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import (
    QComboBox,
    QDateTimeEdit,
    QFrame,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

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


class Elided(QWidget):
    """One line of text that gives way, with an ellipsis, down to ``least`` pixels of it."""

    def __init__(self, least: int) -> None:
        super().__init__()
        self.text, self._ink, self._least = "", theme.INK, least
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    def show_text(self, text: str, ink: str) -> None:
        if (text, ink) != (self.text, self._ink):
            self.text, self._ink = text, ink
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.text) + 2, metrics.height())

    def minimumSizeHint(self) -> QSize:
        whole = self.sizeHint()
        return QSize(min(self._least, whole.width()), whole.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(QColor(self._ink))
        shown = self.fontMetrics().elidedText(self.text, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, shown)


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
