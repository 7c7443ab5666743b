"""How the window looks: quiet greys, colour for the abnormal only (ISA-101), sizes in millimetres.

Sizes are millimetres on the glass, so that a target is 12 mm for a gloved finger whatever the
screen's pixels are. Every text and ground pair below has a contrast of at least 4.5 (WCAG AA).
"""

from dataclasses import dataclass
from typing import Final

from PySide6.QtGui import QColor, QFont, QFontDatabase, QScreen

MM_PER_INCH: Final = 25.4
TOUCH_MM: Final = 12.0
BODY_MM: Final = 3.6
SMALL_MM: Final = 3.0
HEADING_MM: Final = 4.6
DPI_RANGE: Final = (84.0, 130.0)  # screens lie about their size; beyond this, believe none of it

CANVAS: Final = "#D3D6D9"
PANEL: Final = "#E4E6E8"
RAISED: Final = "#F3F4F5"
LINE: Final = "#B3B9BE"
INK: Final = "#1B2025"
INK_SOFT: Final = "#465059"
INK_OFF: Final = "#8A9299"
STAGE: Final = "#23272B"
STAGE_INK: Final = "#E4E6E8"
ACCENT: Final = "#2F4A60"
FOCUS: Final = "#0B62B8"


@dataclass(frozen=True, slots=True)
class Tone:
    """A ground and the ink that is readable on it."""

    ground: str
    ink: str


CALM: Final = Tone("#CFDDD4", "#17472D")
ALARM: Final = Tone("#B3201B", "#FFFFFF")
CAUTION: Final = Tone("#F5BD1F", "#1B2025")
QUIET: Final = Tone("#E4E6E8", "#465059")

_FAMILIES: Final = ("Inter", "Segoe UI", "Noto Sans", "Liberation Sans", "DejaVu Sans")


@dataclass(frozen=True, slots=True)
class Scale:
    """Turns millimetres on the glass into Qt's device-independent pixels."""

    dpi: float = 96.0

    def mm(self, length: float) -> int:
        """``length`` millimetres in pixels, never less than one."""
        return max(1, round(length * self.dpi / MM_PER_INCH))

    @property
    def touch(self) -> int:
        """The least side of anything a finger presses, in pixels."""
        return self.mm(TOUCH_MM) + 1  # rounded up: 12 mm is the floor


def scale_of(screen: QScreen) -> Scale:
    """The scale of one screen; implausible sizes are drawn into a believable range.

    Take the screen from QGuiApplication: the binding makes one from ``widget.screen()`` the
    widget's child, which is then deleted with it.
    """
    low, high = DPI_RANGE
    return Scale(min(max(screen.physicalDotsPerInch(), low), high))


def font(pixels: int, *, bold: bool = False) -> QFont:
    """The house font with figures of equal width, so that counters do not dance."""
    made = QFont(_installed_families())
    made.setPixelSize(max(1, pixels))
    made.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    made.setFeature(QFont.Tag("tnum"), 1)
    return made


def _installed_families() -> list[str]:
    installed = set(QFontDatabase.families())
    return [name for name in _FAMILIES if name in installed] or [QFont().family()]


def mixed(one: str, other: str, share: float) -> QColor:
    """``share`` of ``other`` blended into ``one``."""
    a, b = QColor(one), QColor(other)
    parts = zip(a.getRgb()[:3], b.getRgb()[:3], strict=True)  # type: ignore[index]
    return QColor(*(round(x * (1 - share) + y * share) for x, y in parts))


def style_sheet(scale: Scale) -> str:
    """The window's style sheet at one scale."""
    return f"""
QWidget {{ color: {INK}; font-size: {scale.mm(BODY_MM)}px; }}
QMainWindow, QWidget#page {{ background: {CANVAS}; }}
QFrame#panel {{ background: {PANEL}; border: 1px solid {LINE}; border-radius: {scale.mm(1.2)}px; }}
QFrame#card {{ background: {PANEL}; border: 2px solid {ACCENT}; border-radius: {scale.mm(1.2)}px; }}
QWidget#bar {{ background: {PANEL}; border-bottom: 1px solid {LINE}; }}
QWidget#strip {{ background: {PANEL}; border-top: 1px solid {LINE}; }}
QLabel#title {{ font-size: {scale.mm(HEADING_MM)}px; font-weight: 600; }}
QLabel#soft {{ color: {INK_SOFT}; }}
QLabel#small {{ color: {INK_SOFT}; font-size: {scale.mm(SMALL_MM)}px; }}
QLabel#strong {{ font-weight: 600; }}
{_buttons(scale)}
{_inputs(scale)}
{_table(scale)}
{_scroll_bars(scale)}
"""


def _buttons(scale: Scale) -> str:
    return f"""
QPushButton {{
  background: {RAISED}; border: 1px solid {LINE}; border-radius: {scale.mm(1)}px;
  min-height: {scale.touch - 2}px; min-width: {scale.touch - 2}px; padding: 0 {scale.mm(3)}px;
}}
QPushButton:hover {{ border-color: {INK_SOFT}; }}
QPushButton:pressed {{ background: {LINE}; }}
QPushButton:focus {{ border: 2px solid {FOCUS}; }}
QPushButton:checked {{ background: {ACCENT}; border-color: {ACCENT}; color: {RAISED}; }}
QPushButton:checked:focus {{ border: 2px solid {FOCUS}; }}
QPushButton#action {{ min-height: {scale.mm(15)}px; padding: 0; font-weight: 600; }}
QPushButton:disabled {{ background: {PANEL}; color: {INK_OFF}; }}
"""


def _inputs(scale: Scale) -> str:
    return f"""
QComboBox, QDateTimeEdit, QLineEdit#field {{
  background: {RAISED}; border: 1px solid {LINE}; border-radius: {scale.mm(1)}px;
  min-height: {scale.touch - 2}px; padding: 0 {scale.mm(2.5)}px;
}}
QComboBox:focus, QDateTimeEdit:focus, QLineEdit#field:focus {{ border: 2px solid {FOCUS}; }}
QLineEdit#field:disabled {{ background: {PANEL}; color: {INK_OFF}; }}
QComboBox::drop-down, QDateTimeEdit::drop-down {{ border: 0; width: {scale.mm(8)}px; }}
QComboBox::down-arrow, QDateTimeEdit::down-arrow {{ image: none; }}
QComboBox QAbstractItemView {{ background: {RAISED}; selection-background-color: {ACCENT};
  selection-color: {RAISED}; outline: 0; }}
QComboBox QAbstractItemView::item {{ min-height: {scale.touch}px; padding: 0 {scale.mm(2)}px; }}
QSlider {{ min-height: {scale.touch}px; }}
QSlider::groove:horizontal {{ height: {scale.mm(1.4)}px; background: {LINE};
  border-radius: {scale.mm(0.7)}px; }}
QSlider::sub-page:horizontal {{ background: {ACCENT}; border-radius: {scale.mm(0.7)}px; }}
QSlider::handle:horizontal {{ background: {RAISED}; border: 2px solid {ACCENT};
  width: {scale.mm(6)}px; margin: -{scale.mm(2.6)}px 0; border-radius: {scale.mm(1.2)}px; }}
QSlider::handle:horizontal:focus {{ border-color: {FOCUS}; }}
"""


def _table(scale: Scale) -> str:
    return f"""
QTableView {{
  background: {RAISED}; alternate-background-color: #EBEDEE; border: 1px solid {LINE};
  gridline-color: transparent; selection-background-color: {ACCENT}; selection-color: {RAISED};
}}
QTableView:focus {{ border: 2px solid {FOCUS}; }}
QTableView::item {{ padding: 0 {scale.mm(2)}px; border: 0; }}
QHeaderView {{ background: {PANEL}; }}
QHeaderView::section {{
  background: {PANEL}; color: {INK_SOFT}; border: 0; border-bottom: 1px solid {LINE};
  padding: {scale.mm(1.6)}px {scale.mm(2) + 3}px; font-weight: 600;
}}
"""


def _scroll_bars(scale: Scale) -> str:
    return f"""
QScrollBar:vertical {{ background: {PANEL}; width: {scale.mm(5)}px; margin: 0; }}
QScrollBar:horizontal {{ background: {PANEL}; height: {scale.mm(5)}px; margin: 0; }}
QScrollBar::handle {{ background: {INK_OFF}; border-radius: {scale.mm(1)}px;
  min-height: {scale.touch}px; min-width: {scale.touch}px; margin: 2px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: none; }}
QScrollArea {{ background: transparent; border: 0; }}
"""
