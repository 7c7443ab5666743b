"""What is seen while the line runs: the part, the verdict, the counts, the last parts."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSlider, QVBoxLayout, QWidget

from inspector.ui.controls import Controls
from inspector.ui.counters_panel import CountersPanel
from inspector.ui.part_strip import PartStrip
from inspector.ui.picture_view import PictureView, Shown
from inspector.ui.screen import PartView, ScreenState
from inspector.ui.theme import Scale
from inspector.ui.verdict_panel import VerdictPanel
from inspector.ui.widgets import label, named, panel, toggle
from inspector.ui.words import alarm_in_words, clock_time, date_time, reason_in_words

NO_PICTURE = "No picture of this part."
NOTHING_YET = "The picture of the part appears here."


class LivePage(QWidget):
    """Lays the live widgets out and lets a person look back at one of the last parts.

    The verdict and the counts are always the line's: looking back changes the picture only.
    """

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        named(self, "page")
        self.picture = PictureView(scale)
        self.strip = PartStrip(scale)
        self.verdict = VerdictPanel(scale)
        self.counters = CountersPanel(scale)
        self.controls = Controls(scale)
        self.caption = label(role="strong")
        self.live = toggle("Live  L", checked=True)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self._newest: PartView | None = None
        self._held: PartView | None = None
        self._lay_out(scale)
        self._connect()
        self.picture.show_picture(Shown(sentence=NOTHING_YET))
        self._show_caption()

    @property
    def held(self) -> PartView | None:
        """The part being looked at again; None while the view is live."""
        return self._held

    def show_state(self, state: ScreenState) -> None:
        """Show the newest letter; a part that is held stays in view."""
        self._newest = state.part
        self.strip.show_parts(state.recent)
        self.counters.show_counts(state.counts)
        if self._held is None:
            self.picture.show_picture(_shown(state.part))
        self._show_caption()

    def hold(self, part: PartView) -> None:
        """Show one of the last parts large until :meth:`go_live`."""
        self._held = part
        self.picture.show_picture(_shown(part, banner=_banner(part)))
        self._show_caption()

    def go_live(self) -> None:
        """Show the newest part again, and each new one."""
        self._held = None
        if self._newest is not None:
            self.picture.show_picture(_shown(self._newest))
        self._show_caption()

    def _show_caption(self) -> None:
        part = self._held or self._newest
        self.strip.mark_chosen(self._held.id if self._held else None)
        self.live.setChecked(self._held is None)
        self.caption.setText(_caption(part))

    def _connect(self) -> None:
        self.strip.chosen.connect(self.hold)
        self.live.clicked.connect(self.go_live)
        self.opacity.valueChanged.connect(lambda percent: self.picture.set_opacity(percent / 100))
        self.opacity.setValue(60)
        QShortcut(QKeySequence("L"), self, self.go_live)
        QShortcut(QKeySequence("["), self, lambda: self._step_opacity(-10))
        QShortcut(QKeySequence("]"), self, lambda: self._step_opacity(+10))

    def _step_opacity(self, percent: int) -> None:
        self.opacity.setValue(self.opacity.value() + percent)

    def _lay_out(self, scale: Scale) -> None:
        row = QHBoxLayout(self)
        gap = scale.mm(2)
        row.setContentsMargins(gap, gap, gap, gap)
        row.setSpacing(gap)
        row.addLayout(self._left(scale), stretch=68)
        row.addLayout(self._right(scale), stretch=32)

    def _left(self, scale: Scale) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(scale.mm(1.6))
        column.addWidget(self._picture_panel(scale), stretch=1)
        column.addWidget(self.strip)
        return column

    def _picture_panel(self, scale: Scale) -> QFrame:
        ground = panel()
        column = QVBoxLayout(ground)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addWidget(self.picture, stretch=1)
        foot = QHBoxLayout()
        foot.setContentsMargins(scale.mm(2.4), scale.mm(1), scale.mm(1), scale.mm(1))
        foot.setSpacing(scale.mm(2))
        foot.addWidget(self.caption, stretch=1)
        foot.addWidget(label("Overlay", role="soft"))
        foot.addWidget(self.opacity)
        foot.addWidget(self.live)
        self.opacity.setFixedWidth(scale.mm(42))
        self.opacity.setAccessibleName("Overlay opacity")
        self.opacity.setToolTip("Overlay opacity  [  ]")
        column.addLayout(foot)
        return ground

    def _right(self, scale: Scale) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(scale.mm(2))
        column.addWidget(self.verdict, stretch=5)
        column.addWidget(self.counters, stretch=3)
        column.addWidget(self.controls)
        return column


def _shown(part: PartView, banner: str = "") -> Shown:
    if part.picture is None:
        return Shown(sentence=reason_in_words(part.reason) or NO_PICTURE, banner=banner)
    return Shown(part.picture, part.heat, part.outlines, banner=banner)


def _banner(part: PartView) -> str:
    return f"NOT LIVE   ·   {part.verdict}   ·   {clock_time(part.inspected_at)}"


def _caption(part: PartView | None) -> str:
    if part is None:
        return ""
    alarm = f"   ·   {alarm_in_words(part.alarm)}" if part.alarm else ""
    return f"{part.product or 'no product'}   ·   {date_time(part.inspected_at)}{alarm}"
