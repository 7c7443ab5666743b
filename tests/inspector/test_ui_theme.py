"""Sizes for a glove, contrast for two metres, and a word for every code."""

import pytest
import shiboken6
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractButton, QComboBox
from pytestqt.qtbot import QtBot

from inspector.clock import utc_now
from inspector.pipeline.inspection import Alarm, Reason, Verdict
from inspector.ui import marks, theme
from inspector.ui.controls import Controls
from inspector.ui.filter_bar import FilterBar
from inspector.ui.theme import Scale
from inspector.ui.words import alarm_in_words, reason_in_words


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [c / 255 for c in QColor(colour).getRgb()[:3]]  # type: ignore[index]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


PAIRS = [
    (theme.INK, theme.CANVAS),
    (theme.INK, theme.PANEL),
    (theme.INK_SOFT, theme.PANEL),
    (theme.INK_SOFT, theme.CANVAS),
    (theme.RAISED, theme.ACCENT),
    (theme.RAISED, theme.FOCUS),
    (theme.STAGE_INK, theme.STAGE),
    (theme.INK_SOFT, theme.CAUTION.ground),
    *((tone.ink, tone.ground) for tone in (theme.CALM, theme.ALARM, theme.CAUTION, theme.QUIET)),
]


@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_can_be_read(ink: str, ground: str) -> None:
    assert contrast(ink, ground) >= 4.5


@pytest.mark.parametrize("dpi", [84, 96, 110, 130])
def test_whatever_a_finger_presses_is_12_mm(qtbot: QtBot, dpi: float) -> None:
    scale = Scale(dpi)
    for widget in (Controls(scale), FilterBar(scale, utc_now)):
        widget.setStyleSheet(theme.style_sheet(scale))
        widget.show()
        targets = [*widget.findChildren(QAbstractButton), *widget.findChildren(QComboBox)]
        pressed = [target for target in targets if target.isVisible()]
        assert pressed
        for target in pressed:
            assert min(target.width(), target.height()) >= 12 * dpi / 25.4
        shiboken6.delete(widget)


def test_every_verdict_has_a_shape_of_its_own() -> None:
    assert len({marks.OF_VERDICT[verdict] for verdict in Verdict}) == len(Verdict)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_said_in_words(reason: Reason) -> None:
    words = reason_in_words(reason)
    assert " " in words
    assert reason.value not in words


@pytest.mark.parametrize("alarm", list(Alarm))
def test_every_alarm_is_said_in_words(alarm: Alarm) -> None:
    assert " " in alarm_in_words(alarm)
