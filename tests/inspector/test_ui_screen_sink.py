"""The screen's sink: letters that are complete, and pictures that own their bytes."""

import numpy as np
import pytest

from inspector.pipeline.inspection import Reason, Verdict
from inspector.ui.images import fit, heat_rgba
from inspector.ui.mailbox import Mailbox
from inspector.ui.screen import ScreenState
from inspector.ui.screen_sink import ScreenSink, view_of
from tests.inspector.db_parts import inspection
from tests.inspector.pipeline_parts import frame
from tests.inspector.ui_parts import part, part_with_picture


def test_a_letter_holds_all_that_the_mailbox_dropped() -> None:
    mailbox: Mailbox[ScreenState] = Mailbox()
    sink = ScreenSink(mailbox, recent=3)
    verdicts = [Verdict.OK, Verdict.NG, Verdict.FAULT, Verdict.OK, Verdict.OK]
    for number, verdict in enumerate(verdicts):
        one = part(number, verdict)
        assert sink.write(one) is one
    letter = mailbox.take()
    assert letter is not None
    total = letter.counts.total
    assert (total.ok, total.ng, total.fault, total.triggers) == (3, 1, 1, 5)
    newest_first = [part(number).id for number in (4, 3, 2)]
    assert [shown.id for shown in letter.recent] == newest_first
    assert letter.part is letter.recent[0]


def test_the_image_owns_its_bytes() -> None:
    one = part_with_picture(100, 30, 40)
    assert one.frame.image is not None
    view = view_of(one, 1600)
    one.frame.image[:] = 7
    assert view.picture is not None
    assert view.picture.pixelColor(3, 3).red() == 100


def test_a_large_picture_is_shrunk_for_the_screen() -> None:
    view = view_of(part_with_picture(100, 600, 300), 200)
    assert view.picture is not None
    assert (view.picture.width(), view.picture.height()) == (100, 200)


def test_a_small_picture_is_left_alone() -> None:
    picture = np.zeros((3, 5, 3), np.uint8)
    assert fit(picture, 5) is picture


def test_a_fault_without_picture_has_nothing_to_draw() -> None:
    lost = inspection(1, Verdict.FAULT, frame=frame(1, fault=None), reason=Reason.LOST_FRAME)
    broken = np.zeros((4, 4), np.uint8)
    spoilt = inspection(1, Verdict.FAULT, frame=frame(1, broken))
    assert view_of(lost, 100).heat is None
    assert view_of(spoilt, 100).picture is None
    assert view_of(spoilt, 100).thumbnail is None


def test_a_map_that_is_no_number_is_not_coloured() -> None:
    one = part(1, Verdict.NG)
    assert one.prediction is not None
    one.prediction.map[0, 0] = np.nan
    assert view_of(one, 100).heat is None


def test_outlines_are_shares_of_the_picture() -> None:
    (outline,) = view_of(part(1, Verdict.NG), 100).outlines
    assert outline[0] == pytest.approx((5.5 / 60, 6.5 / 40))


def test_heat_is_clear_up_to_the_limit_and_opaque_at_the_peak() -> None:
    scores = np.array([[-3.0, 0.5, 0.7, 0.9]], np.float32)
    alpha = heat_rgba(scores, 0.5)[0, :, 3]
    assert list(alpha[:2]) == [0, 0]
    assert 0 < alpha[2] < 255
    assert alpha[3] == 255


def test_a_map_below_the_limit_is_clear() -> None:
    assert not heat_rgba(np.zeros((4, 4), np.float32), 0.5)[..., 3].any()
