"""One large word: is this part good? Shape, word and ground say it together."""

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.pipeline.inspection import Verdict
from inspector.ui import marks, theme
from inspector.ui.hold import Hold
from inspector.ui.marks import Mark
from inspector.ui.screen import PartView
from inspector.ui.theme import Scale, Tone
from inspector.ui.words import clock_time, number, reason_in_words, verdict_in_words
from inspector.ui.worker import LineState

LINE_MM: Final = 7.5  # 5 mm of capital height, which two metres want
SMALLEST_PX: Final = 9


@dataclass(frozen=True, slots=True)
class Face:
    """What the panel shows: a word, its shape and tone, and up to two lines below."""

    word: str
    mark: Mark
    tone: Tone
    line: str = ""
    small: str = ""


_TONES: Final = {
    Verdict.OK: theme.CALM,
    Verdict.NG: theme.ALARM,
    Verdict.FAULT: theme.CAUTION,
}
_STATES: Final = {
    LineState.IDLE: Face("IDLE", Mark.WAITING, theme.QUIET, "Press Start to begin"),
    LineState.RUNNING: Face("WAITING", Mark.WAITING, theme.QUIET, "For the first part"),
    LineState.PAUSED: Face("PAUSED", Mark.PAUSE, theme.QUIET, "Parts are not inspected"),
    LineState.STOPPING: Face("STOPPING", Mark.STOP, theme.QUIET, "Finishing the part in hand"),
    LineState.STOPPED: Face("STOPPED", Mark.STOP, theme.QUIET, "Parts are not inspected"),
    LineState.FINISHED: Face("FINISHED", Mark.STOP, theme.QUIET, "The source has no more parts"),
    LineState.FAILED: Face("FAILED", Mark.WARNING, theme.CAUTION, "Parts are not inspected"),
}


def face_of_state(state: LineState) -> Face:
    """The face of a line that has no verdict to show."""
    return _STATES[state]


def face_of_hold(hold: Hold, line: str) -> Face:
    """The face of a line that was started and inspects nothing; ``line`` says why."""
    if hold is Hold.STARTING:
        return Face("STARTING", Mark.WAITING, theme.QUIET, "Opening camera, model and database")
    word = "ERROR" if hold is Hold.ERROR else "NOT READY"
    return Face(word, Mark.WARNING, theme.CAUTION, line, "The station is not Ready")


def waiting_since(part: PartView) -> Face:
    """The face of a running line whose last part is long gone."""
    small = f"last part {clock_time(part.inspected_at)}: {part.verdict.value}"
    return Face("WAITING", Mark.WAITING, theme.QUIET, "For the next part", small)


def face_of_part(part: PartView) -> Face:
    """The face of a judged part."""
    line = (
        reason_in_words(part.reason)
        if part.verdict is Verdict.FAULT
        else verdict_in_words(part.verdict, len(part.outlines))
    )
    return Face(
        word=part.verdict.value,
        mark=marks.OF_VERDICT[part.verdict],
        tone=_TONES[part.verdict],
        line=line,
        small=_small_of(part),
    )


def _small_of(part: PartView) -> str:
    """A person who sorts by hand needs to know what becomes of a part that was not judged."""
    if part.verdict is Verdict.FAULT:
        return "Not judged: reject this part"
    if part.score is None:
        return ""
    return f"score {number(part.score)}   limit {number(part.threshold)}"


class VerdictPanel(QWidget):
    """Draws one face as large as its room allows."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self._scale = scale
        self._face = face_of_state(LineState.IDLE)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.show_face(self._face)

    @property
    def face(self) -> Face:
        return self._face

    def show_face(self, face: Face) -> None:
        """Show another face; a repeated one costs nothing."""
        if face == self._face and self.accessibleName():
            return
        self._face = face
        self.setAccessibleName(f"Verdict: {face.word}. {face.line}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._scale.mm(92), self._scale.mm(62))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._scale.mm(66), self._scale.mm(36))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        self._draw_ground(painter, ground)
        pad = self._scale.mm(4)
        room = ground.adjusted(pad, pad, -pad, -pad)
        words = min(room.height() * 0.42, self._scale.mm(30))
        self._draw_word(painter, room.adjusted(0, 0, 0, -words))
        self._draw_lines(painter, room.adjusted(0, room.height() - words, 0, 0))

    def _draw_ground(self, painter: QPainter, box: QRectF) -> None:
        tone = self._face.tone
        painter.setBrush(QColor(tone.ground))
        painter.setPen(QPen(theme.mixed(tone.ground, theme.INK, 0.25), 1))
        corner = self._scale.mm(1.2)
        painter.drawRoundedRect(box, corner, corner)

    def _draw_word(self, painter: QPainter, box: QRectF) -> None:
        """The shape over the word where there is height for both, else beside it."""
        over = box.height() > 0.5 * box.width()
        shape, word = _over(box) if over else _beside(box, self._face.word)
        ink = QColor(self._face.tone.ink)
        marks.draw(painter, self._face.mark, shape, ink)
        painter.setFont(theme.font(_largest(self._face.word, word), bold=True))
        painter.setPen(ink)
        painter.drawText(word, Qt.AlignmentFlag.AlignCenter, self._face.word)

    def _draw_lines(self, painter: QPainter, box: QRectF) -> None:
        """The sentence, and the figures under it, in the same place whatever they say."""
        center = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        small = box.height() * 0.38 if self._face.small else 0
        upper, lower = box.adjusted(0, 0, 0, -small), box.adjusted(0, box.height() - small, 0, 0)
        largest = self._scale.mm(LINE_MM)
        painter.setPen(QColor(self._face.tone.ink))
        painter.setFont(theme.font(_fitting(self._face.line, upper, largest), bold=True))
        painter.drawText(upper, center, self._face.line)
        painter.setFont(theme.font(_fitting(self._face.small, lower, largest * 3 // 4)))
        painter.drawText(lower, center, self._face.small)


def _over(box: QRectF) -> tuple[QRectF, QRectF]:
    """Room for the shape in the upper part, for the word below it."""
    split = box.height() * 0.46
    return box.adjusted(0, 0, 0, split - box.height()), box.adjusted(0, split, 0, 0)


def _beside(box: QRectF, word: str) -> tuple[QRectF, QRectF]:
    """Room for the shape left of the word, both together in the middle."""
    pixels = _largest(word, box.adjusted(0, 0, -0.3 * box.width(), 0))
    metrics = QFontMetrics(theme.font(pixels, bold=True))
    side, width = metrics.capHeight() * 1.3, metrics.horizontalAdvance(word) + 2
    left = box.center().x() - (1.3 * side + width) / 2
    shape = QRectF(left, box.center().y() - side / 2, side, side)
    return shape, QRectF(left + 1.3 * side, box.top(), width, box.height())


def _fitting(text: str, box: QRectF, largest: int) -> int:
    """The font size up to ``largest``, in pixels, at which a wrapped text fits the box."""
    wrapped = int(Qt.TextFlag.TextWordWrap)
    for pixels in range(largest, SMALLEST_PX, -1):
        metrics = QFontMetrics(theme.font(pixels, bold=True))
        needed = metrics.boundingRect(box.toRect(), wrapped, text)
        if needed.height() <= box.height() and needed.width() <= box.width():
            return pixels
    return SMALLEST_PX


def _largest(word: str, box: QRectF) -> int:
    """The font size, in pixels, at which the word just fits the box."""
    probe = QFontMetrics(theme.font(100, bold=True))
    by_width = 100 * box.width() / (probe.horizontalAdvance(word) + 2)
    return max(12, int(min(by_width, 100 * box.height() / probe.height())))
