"""The last parts as a strip of thumbnails, newest left; a click shows that part large."""

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.pipeline.inspection import Verdict
from inspector.ui import marks, theme
from inspector.ui.screen import PartView
from inspector.ui.theme import Scale
from inspector.ui.words import clock_time

NO_PARTS: Final = "The last parts appear here"
_TONES = {Verdict.OK: theme.QUIET, Verdict.NG: theme.ALARM, Verdict.FAULT: theme.CAUTION}


class PartStrip(QWidget):
    """Draws as many of the last parts as fit; emits ``chosen`` with the part clicked."""

    chosen = Signal(object)

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self._scale = scale
        self._parts: tuple[PartView, ...] = ()
        self._chosen_id: str | None = None
        self._pixmaps: dict[str, QPixmap] = {}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Last parts")

    @property
    def parts(self) -> tuple[PartView, ...]:
        return self._parts

    def show_parts(self, parts: tuple[PartView, ...]) -> None:
        """Show these parts, newest first."""
        self._parts = parts
        keep = {part.id for part in parts}
        self._pixmaps = {key: made for key, made in self._pixmaps.items() if key in keep}
        self.update()

    def mark_chosen(self, part_id: str | None) -> None:
        """Frame the part that is shown large; None when the live part is."""
        self._chosen_id = part_id
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._scale.mm(160), self._scale.mm(27))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._scale.mm(60), self._scale.mm(27))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = int(event.position().x() // self._pitch)
        if 0 <= place < len(self._visible):
            self.chosen.emit(self._visible[place])

    def card_center(self, place: int) -> tuple[int, int]:
        """Where the card at ``place`` (0 is the newest) lies, in the widget's pixels."""
        return int((place + 0.5) * self._pitch), self.height() // 2

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if not self._parts:
            painter.setPen(QColor(theme.INK_SOFT))
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter, "The last parts appear here"
            )
        for place, part in enumerate(self._visible):
            gap = self._scale.mm(1)
            card = QRectF(place * self._pitch, 0, self._pitch - gap, self.height())
            self._draw_card(painter, card.adjusted(1, 1, -1, -1), part)

    @property
    def _pitch(self) -> float:
        return self._scale.mm(22)

    @property
    def _visible(self) -> tuple[PartView, ...]:
        return self._parts[: max(1, int(self.width() // self._pitch))]

    def _draw_card(self, painter: QPainter, card: QRectF, part: PartView) -> None:
        tone = _TONES[part.verdict]
        foot = self._scale.mm(6.4)
        corner = self._scale.mm(0.8)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tone.ground))
        painter.drawRoundedRect(card, corner, corner)
        edge = self._scale.mm(0.7)
        self._draw_picture(painter, card.adjusted(edge, edge, -edge, -foot), part)
        self._draw_foot(
            painter, QRectF(card.left(), card.bottom() - foot, card.width(), foot), part
        )
        if part.id == self._chosen_id:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(theme.FOCUS), self._scale.mm(0.8)))
            painter.drawRoundedRect(card, corner, corner)

    def _draw_picture(self, painter: QPainter, box: QRectF, part: PartView) -> None:
        painter.fillRect(box, QColor(theme.STAGE))
        if part.thumbnail is None:
            side = box.height() * 0.4
            middle = QRectF(0, 0, side, side)
            middle.moveCenter(box.center())
            marks.draw(painter, marks.OF_VERDICT[part.verdict], middle, QColor(theme.STAGE_INK))
            return
        pixmap = self._pixmap(part)
        size = pixmap.size().scaled(box.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
        target = QRectF(0, 0, size.width(), size.height())
        target.moveCenter(box.center())
        painter.drawPixmap(target, pixmap, QRectF(pixmap.rect()))

    def _pixmap(self, part: PartView) -> QPixmap:
        if part.id not in self._pixmaps and part.thumbnail is not None:
            self._pixmaps[part.id] = QPixmap.fromImage(part.thumbnail)
        return self._pixmaps[part.id]

    def _draw_foot(self, painter: QPainter, box: QRectF, part: PartView) -> None:
        ink = QColor(_TONES[part.verdict].ink)
        side = box.height() * 0.58
        pad = self._scale.mm(1.2)
        at = QRectF(box.left() + pad, box.center().y() - side / 2, side, side)
        marks.draw(painter, marks.OF_VERDICT[part.verdict], at, ink)
        painter.setPen(ink)
        text = clock_time(part.inspected_at)
        beside = box.adjusted(pad + side * 1.35, 0, -pad / 2, 0)
        bold = part.verdict is not Verdict.OK
        painter.setFont(_fitting(text, beside.width(), self._scale.mm(theme.SMALL_MM), bold))
        painter.drawText(beside, Qt.AlignmentFlag.AlignVCenter, text)


def _fitting(text: str, width: float, pixels: int, bold: bool) -> QFont:
    """A font of so many pixels, or of as many fewer as the text needs."""
    needed = QFontMetricsF(theme.font(pixels, bold=bold)).horizontalAdvance(text)
    return theme.font(min(pixels, int(pixels * width / needed)), bold=bold)
