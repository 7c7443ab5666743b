from dataclasses import replace

import numpy as np

from inspector.pipeline.arrivals import MOST_LOST, Arrivals, fingerprint
from tests.inspector.pipeline_parts import frame, picture


def test_gaps_are_named_id_by_id() -> None:
    arrivals = Arrivals()
    lost = [list(arrivals.note(frame(i)).lost) for i in (0, 1, 4, 5)]

    assert lost == [[], [], [2, 3], []]


def test_frames_lost_before_the_first_count() -> None:
    assert list(Arrivals().note(frame(2)).lost) == [0, 1]


def test_an_id_already_passed_is_out_of_order_and_restarts_the_count() -> None:
    arrivals = Arrivals()
    arrivals.note(frame(0))
    arrivals.note(frame(1))
    again, after = arrivals.note(frame(0)), arrivals.note(frame(1))

    assert (again.in_order, list(again.lost)) == (False, [])
    assert (after.in_order, list(after.lost)) == (True, [])


def test_a_broken_counter_is_told_from_a_loss() -> None:
    assert Arrivals().note(frame(MOST_LOST)).fault == ""
    fault = Arrivals().note(frame(MOST_LOST + 1)).fault
    assert fault.startswith("Camera test jumped from frame -1 to 10001: its frame counter is")


def test_frozen_means_the_same_bytes_as_the_picture_before() -> None:
    arrivals = Arrivals()
    shown = [picture(1), picture(1), picture(2), picture(1)]
    frozen = [arrivals.note(frame(i, image)).frozen for i, image in enumerate(shown)]

    assert frozen == [False, True, False, False]


def test_a_frame_without_picture_does_not_hide_a_frozen_camera() -> None:
    arrivals = Arrivals()
    arrivals.note(frame(0, picture(1)))
    arrivals.note(replace(frame(1), image=None))

    assert arrivals.note(frame(2, picture(1))).frozen


def test_a_reused_buffer_is_not_mistaken_for_a_frozen_picture() -> None:
    buffer, arrivals = picture(1), Arrivals()
    arrivals.note(frame(0, buffer))
    buffer[:] = picture(2)

    assert not arrivals.note(frame(1, buffer)).frozen


def test_the_fingerprint_tells_shapes_and_types_apart() -> None:
    flat = np.zeros((2, 6, 3), np.uint8)

    assert len({fingerprint(flat), fingerprint(flat.reshape(6, 2, 3)), fingerprint(flat > 0)}) == 3
