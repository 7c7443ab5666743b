"""The part, large: the picture, the heat over it at the person's opacity, the defects' outlines.

Picture and heat arrive ready from the worker. They are scaled once for the window's size and
kept; moving the slider only blends the two again.
"""

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QImage,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.ui import theme
from inspector.ui.screen import Outline
from inspector.ui.theme import Scale

OUTLINE_INK: Final = "#FFFFFF"
OUTLINE_HALO: Final = "#1B2025"


@dataclass(frozen=True, slots=True)
class Shown:
    """What is on view: pictures of one part, or a sentence where there is no picture.

    ``banner`` is written over the top, for a picture that is not what it seems: not live.
    """

    picture: QImage | None = None
    heat: QImage | None = None
    outlines: tuple[Outline, ...] = ()
    sentence: str = ""
    banner: str = ""


class PictureView(QWidget):
    """Shows one part; keeps the picture's proportions at any size of the window."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self._scale = scale
        self._shown = Shown()
        self._opacity = 0.6
        self._picture: QPixmap | None = None
        self._heat: QPixmap | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    @property
    def opacity(self) -> float:
        """How strongly the overlay covers the picture, 0 to 1."""
        return self._opacity

    def set_opacity(self, opacity: float) -> None:
        """Blend anew; at 0 the bare picture is seen, without outlines."""
        self._opacity = min(max(opacity, 0.0), 1.0)
        self.update()

    @property
    def shown(self) -> Shown:
        return self._shown

    def show_picture(self, shown: Shown) -> None:
        """Show another part."""
        self._shown = shown
        self._forget_scaled()

    def sizeHint(self) -> QSize:
        return QSize(self._scale.mm(160), self._scale.mm(120))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._scale.mm(60), self._scale.mm(45))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._forget_scaled()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.STAGE))
        if self._shown.picture is None:
            self._draw_sentence(painter)
        else:
            self._draw_part(painter, self.picture_box())
        if self._shown.banner:
            self._draw_banner(painter)

    def _draw_part(self, painter: QPainter, box: QRectF) -> None:
        painter.save()
        self._scale_once(box)
        _draw_pixmap(painter, box, self._picture)
        painter.setOpacity(self._opacity)
        _draw_pixmap(painter, box, self._heat)
        painter.setOpacity(min(1.0, 2 * self._opacity))  # outlines stay clear on a faint heat
        self._draw_outlines(painter, box)
        painter.restore()

    def picture_box(self) -> QRectF:
        """Where the picture lies in the widget."""
        if self._shown.picture is None:
            return QRectF()
        top = self._banner_height()
        room = QSize(self.width(), self.height() - top)
        size = self._shown.picture.size().scaled(room, Qt.AspectRatioMode.KeepAspectRatio)
        left, above = (room.width() - size.width()) // 2, (room.height() - size.height()) // 2
        return QRectF(left, top + above, size.width(), size.height())

    def _banner_height(self) -> int:
        return self._scale.mm(9) if self._shown.banner else 0

    def _forget_scaled(self) -> None:
        self._picture = self._heat = None
        self.update()

    def _scale_once(self, box: QRectF) -> None:
        if self._picture is None and self._shown.picture is not None:
            self._picture = self._scaled(self._shown.picture, box)
        if self._heat is None and self._shown.heat is not None:
            self._heat = self._scaled(self._shown.heat, box)

    def _scaled(self, image: QImage, box: QRectF) -> QPixmap:
        ratio = self.devicePixelRatioF()
        size = QSize(round(box.width() * ratio), round(box.height() * ratio))
        smooth = Qt.TransformationMode.SmoothTransformation
        keep = Qt.AspectRatioMode.IgnoreAspectRatio
        pixmap = QPixmap.fromImage(image.scaled(size, keep, smooth))
        pixmap.setDevicePixelRatio(ratio)
        return pixmap

    def _draw_outlines(self, painter: QPainter, box: QRectF) -> None:
        """Each contour light on dark, so that it stands out on any part without a colour."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        width = self._scale.mm(0.5)
        pens = QPen(QColor(OUTLINE_HALO), width * 2.2), QPen(QColor(OUTLINE_INK), width)
        for outline in self._shown.outlines:
            shape = _polygon(outline, box)
            for pen in pens:
                painter.setPen(pen)
                painter.drawPolygon(shape)

    def _draw_banner(self, painter: QPainter) -> None:
        band = QRectF(0, 0, self.width(), self._banner_height())
        painter.fillRect(band, QColor(theme.FOCUS))
        painter.setPen(QColor(theme.RAISED))
        painter.setFont(theme.font(self._scale.mm(theme.HEADING_MM), bold=True))
        painter.drawText(band, Qt.AlignmentFlag.AlignCenter, self._shown.banner)

    def _draw_sentence(self, painter: QPainter) -> None:
        painter.setPen(QColor(theme.STAGE_INK))
        painter.setFont(theme.font(self._scale.mm(theme.HEADING_MM)))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        pad = self._scale.mm(8)
        painter.drawText(self.rect().adjusted(pad, pad, -pad, -pad), flags, self._shown.sentence)


def _draw_pixmap(painter: QPainter, box: QRectF, pixmap: QPixmap | None) -> None:
    if pixmap is not None:
        painter.drawPixmap(box.topLeft(), pixmap)


def _polygon(outline: Outline, box: QRectF) -> QPolygonF:
    return QPolygonF(
        [QPointF(box.left() + x * box.width(), box.top() + y * box.height()) for x, y in outline]
    )
