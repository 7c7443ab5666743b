"""Draws a verdict in a table cell: shape and word, on a ground of its own only when abnormal."""

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from inspector.pipeline.inspection import Verdict
from inspector.ui import marks, theme
from inspector.ui.history_model import Index, verdict_of
from inspector.ui.theme import Scale

_TONES = {Verdict.OK: theme.QUIET, Verdict.NG: theme.ALARM, Verdict.FAULT: theme.CAUTION}


class VerdictDelegate(QStyledItemDelegate):
    """For the verdict's column."""

    def __init__(self, scale: Scale, parent: QWidget) -> None:
        super().__init__(parent)
        self._scale = scale

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        verdict = verdict_of(index)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if selected:
            painter.fillRect(option.rect, QColor(theme.ACCENT))
        self._draw_chip(painter, QRectF(option.rect), verdict, selected)
        painter.restore()

    def _draw_chip(self, painter: QPainter, cell: QRectF, verdict: Verdict, selected: bool) -> None:
        tone = _TONES[verdict]
        loud = verdict is not Verdict.OK
        margin = self._scale.mm(1.6)
        chip = cell.adjusted(margin, margin, -margin, -margin)
        if loud:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tone.ground))
            corner = self._scale.mm(0.8)
            painter.drawRoundedRect(chip, corner, corner)
        ink = QColor(theme.RAISED if selected and not loud else tone.ink)
        side = self._scale.mm(4.4)
        at = QRectF(chip.left() + margin, chip.center().y() - side / 2, side, side)
        marks.draw(painter, marks.OF_VERDICT[verdict], at, ink)
        painter.setPen(ink)
        painter.setFont(theme.font(self._scale.mm(theme.BODY_MM), bold=True))
        beside = chip.adjusted(margin + side * 1.4, 0, 0, 0)
        painter.drawText(beside, Qt.AlignmentFlag.AlignVCenter, verdict.value)
