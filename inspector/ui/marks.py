"""Shapes that carry the meaning beside the colour: a tick, a cross, a warning, a pause.

Drawn, not fonts or files: sharp at every size, the same on every machine.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from inspector.pipeline.inspection import Verdict


class Mark(Enum):
    """A shape with one meaning."""

    TICK = auto()
    CROSS = auto()
    WARNING = auto()
    WAITING = auto()
    PLAY = auto()
    PAUSE = auto()
    STOP = auto()
    DOT = auto()
    PERSON = auto()


OF_VERDICT: Final[Mapping[Verdict, Mark]] = {
    Verdict.OK: Mark.TICK,
    Verdict.NG: Mark.CROSS,
    Verdict.FAULT: Mark.WARNING,
}


def draw(painter: QPainter, mark: Mark, box: QRectF, ink: QColor) -> None:
    """Draw ``mark`` into the middle square of ``box``; the painter is left as it was."""
    side = min(box.width(), box.height())
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(box.center())
    painter.scale(side / 100, side / 100)  # each shape is drawn on a square from -50 to 50
    _SHAPES[mark](painter, ink)
    painter.restore()


def _pen(ink: QColor, width: float) -> QPen:
    cap, join = Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin
    return QPen(ink, width, Qt.PenStyle.SolidLine, cap, join)


def _tick(painter: QPainter, ink: QColor) -> None:
    painter.setPen(_pen(ink, 8))
    painter.drawEllipse(QPointF(), 44, 44)
    painter.setPen(_pen(ink, 11))
    painter.drawPolyline(QPolygonF([QPointF(-20, 2), QPointF(-5, 17), QPointF(21, -15)]))


def _cross(painter: QPainter, ink: QColor) -> None:
    corner = 44 * 0.4142  # a regular octagon, the shape of a stop sign
    painter.setPen(_pen(ink, 8))
    points = [(corner, -44), (44, -corner), (44, corner), (corner, 44)]
    painter.drawPolygon(QPolygonF([QPointF(*p) for p in points + [(-x, -y) for x, y in points]]))
    painter.setPen(_pen(ink, 11))
    painter.drawLine(QPointF(-16, -16), QPointF(16, 16))
    painter.drawLine(QPointF(-16, 16), QPointF(16, -16))


def _warning(painter: QPainter, ink: QColor) -> None:
    painter.setPen(_pen(ink, 8))
    painter.drawPolygon(QPolygonF([QPointF(0, -42), QPointF(45, 38), QPointF(-45, 38)]))
    painter.setPen(_pen(ink, 10))
    painter.drawLine(QPointF(0, -16), QPointF(0, 9))
    painter.drawPoint(QPointF(0, 25))


def _waiting(painter: QPainter, ink: QColor) -> None:
    painter.setPen(_pen(ink, 8))
    painter.drawEllipse(QPointF(), 44, 44)
    painter.drawPolyline(QPolygonF([QPointF(0, -24), QPointF(0, 2), QPointF(17, 12)]))


def _filled(painter: QPainter, ink: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ink)


def _play(painter: QPainter, ink: QColor) -> None:
    _filled(painter, ink)
    painter.drawPolygon(QPolygonF([QPointF(-28, -38), QPointF(40, 0), QPointF(-28, 38)]))


def _pause(painter: QPainter, ink: QColor) -> None:
    _filled(painter, ink)
    painter.drawRoundedRect(QRectF(-32, -38, 22, 76), 4, 4)
    painter.drawRoundedRect(QRectF(10, -38, 22, 76), 4, 4)


def _stop(painter: QPainter, ink: QColor) -> None:
    _filled(painter, ink)
    painter.drawRoundedRect(QRectF(-34, -34, 68, 68), 6, 6)


def _dot(painter: QPainter, ink: QColor) -> None:
    _filled(painter, ink)
    painter.drawEllipse(QPointF(), 30, 30)


def _person(painter: QPainter, ink: QColor) -> None:
    _filled(painter, ink)
    painter.drawEllipse(QPointF(0, -22), 20, 20)
    painter.drawChord(QRectF(-38, 6, 76, 76), 0, 180 * 16)


_SHAPES: Final[Mapping[Mark, Callable[[QPainter, QColor], None]]] = {
    Mark.TICK: _tick,
    Mark.CROSS: _cross,
    Mark.WARNING: _warning,
    Mark.WAITING: _waiting,
    Mark.PLAY: _play,
    Mark.PAUSE: _pause,
    Mark.STOP: _stop,
    Mark.DOT: _dot,
    Mark.PERSON: _person,
}
