"""How the shift goes: parts, OK, NG, FAULT, yield and the median latency, in large figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QSizePolicy, QWidget

from inspector.pipeline.counters import Counts
from inspector.ui import marks, theme
from inspector.ui.marks import Mark
from inspector.ui.theme import Scale

COLUMNS: Final = 3


@dataclass(frozen=True, slots=True)
class _Kind:
    label: str
    mark: Mark | None = None
    tip: str = ""


_KINDS: Final[Mapping[str, _Kind]] = {
    "parts": _Kind("Parts"),
    "ok": _Kind("OK", Mark.TICK),
    "ng": _Kind("NG", Mark.CROSS),
    "fault": _Kind("FAULT", Mark.WARNING),
    "yield": _Kind("Yield  %", tip="OK of all parts judged; a FAULT is not judged"),
    "latency": _Kind("Latency  ms", tip="Median (p50), from the grab to the record"),
}


def figures(counts: Counts | None) -> dict[str, str]:
    """Each counter as text; a dash where nothing has been counted.

    Yield is OK / (OK + NG): a FAULT is no defect, it counts against availability.
    """
    if counts is None:
        return dict.fromkeys(_KINDS, "–")
    total, latency = counts.total, counts.latency_ms.get("total")
    judged = total.ok + total.ng
    return {
        "parts": f"{total.triggers:,}",
        "ok": f"{total.ok:,}",
        "ng": f"{total.ng:,}",
        "fault": f"{total.fault:,}",
        "yield": f"{100 * total.ok / judged:.1f}" if judged else "–",
        "latency": f"{latency.p50:.0f}" if latency else "–",
    }


class CountersPanel(QFrame):
    """Six figures in two rows."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        grid = QGridLayout(self)
        margin = scale.mm(2.4)
        grid.setContentsMargins(margin, margin, margin, margin)
        grid.setSpacing(scale.mm(1.2))
        self._figures = {name: _Figure(kind, scale) for name, kind in _KINDS.items()}
        for place, figure in enumerate(self._figures.values()):
            grid.addWidget(figure, place // COLUMNS, place % COLUMNS)
        self.show_counts(None)

    def show_counts(self, counts: Counts | None) -> None:
        """Show these counts; None before the first part."""
        for name, text in figures(counts).items():
            self._figures[name].show_text(text)
        self._share_size()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._share_size()

    def _share_size(self) -> None:
        """One size for all six: the largest at which each fits."""
        pixels = min(figure.largest_px() for figure in self._figures.values())
        for figure in self._figures.values():
            figure.set_pixels(pixels)

    def text(self, name: str) -> str:
        """What one figure shows: parts, ok, ng, fault, yield or latency."""
        return self._figures[name].text


class _Figure(QWidget):
    """A label over a large figure."""

    def __init__(self, kind: _Kind, scale: Scale) -> None:
        super().__init__()
        self._kind = kind
        self._scale = scale
        self._pixels = 0
        self.text = ""
        self.setToolTip(kind.tip)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_text(self, text: str) -> None:
        if text != self.text:
            self.text = text
            self.setAccessibleName(f"{self._kind.label}: {text}")
            self.update()

    def set_pixels(self, pixels: int) -> None:
        if pixels != self._pixels:
            self._pixels = pixels
            self.update()

    def largest_px(self) -> int:
        """The font size at which the figure fits its room, in pixels."""
        box = self._figure_box()
        width = QFontMetrics(theme.font(100, bold=True)).horizontalAdvance(self.text or "0")
        wanted = min(box.height() * 0.8, self._scale.mm(20))
        return max(10, int(min(wanted, 100 * box.width() * 0.88 / width)))

    def sizeHint(self) -> QSize:
        return QSize(self._scale.mm(30), self._scale.mm(18))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._scale.mm(20), self._scale.mm(13))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._draw_label(painter)
        painter.setFont(theme.font(self._pixels, bold=True))
        painter.setPen(QColor(theme.INK))
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(self._figure_box(), left, self.text)

    def _label_px(self) -> int:
        return self._scale.mm(theme.BODY_MM)

    def _figure_box(self) -> QRectF:
        return QRectF(self.rect()).adjusted(0, self._label_px() * 1.4, 0, 0)

    def _draw_label(self, painter: QPainter) -> None:
        pixels, ink = self._label_px(), QColor(theme.INK_SOFT)
        row = QRectF(0, 0, self.width(), pixels * 1.4)
        if self._kind.mark is not None:
            marks.draw(painter, self._kind.mark, QRectF(0, pixels * 0.2, pixels, pixels), ink)
            row = row.adjusted(pixels * 1.35, 0, 0, 0)
        painter.setFont(theme.font(pixels))
        painter.setPen(ink)
        painter.drawText(row, Qt.AlignmentFlag.AlignVCenter, self._kind.label)
