"""Every trigger gets one number, whatever the camera does to its own."""

import pytest

from inspector.camera.frame_ids import FrameIds


@pytest.mark.parametrize(
    ("camera_ids", "expected"),
    [
        pytest.param([7, 8, 9], [0, 1, 2], id="from 0, wherever the camera begins"),
        pytest.param([1, 2, 5, 6], [0, 1, 4, 5], id="a gap stays a gap"),
        pytest.param([65534, 65535, 1, 2], [0, 1, 2, 3], id="a 16-bit counter starts again"),
        pytest.param([65534, 2], [0, 3], id="and loses frames there"),
        pytest.param([2**32 - 1, 0, 1], [0, 1, 2], id="as does one of 32 bits"),
        pytest.param([2**32 - 2, 1], [0, 3], id="and loses two there"),
        pytest.param([2**64 - 1, 0, 3], [0, 1, 4], id="as would one of 64 bits"),
        pytest.param([65535, 65536, 65537], [0, 1, 2], id="a wider counter goes on there"),
        pytest.param([500, 1, 2], [0, 1, 2], id="a camera that began anew lost nobody knows what"),
        pytest.param([70000, 65535, 1], [0, 1, 2], id="and so did one whose counter is wide"),
        pytest.param([4, 4, 5], [0, 1, 2], id="a repeated id is still another frame"),
        pytest.param([None, None, None], [0, 1, 2], id="a camera that does not count"),
        pytest.param([3, "spoilt", 5, 6], [0, 1, 2, 3], id="incomplete, and counted by the camera"),
        pytest.param([3, "spoilt", 4, 5], [0, 1, 2, 3], id="incomplete, and not counted"),
        pytest.param([3, "spoilt", 7], [0, 1, 4], id="incomplete, and two more lost"),
        pytest.param(["spoilt", "spoilt", 9], [0, 1, 2], id="incomplete from the start"),
    ],
)
def test_ids(camera_ids: list[int | str | None], expected: list[int]) -> None:
    ids = FrameIds()
    assert [ids.spoilt() if one == "spoilt" else ids.next(one) for one in camera_ids] == expected


def test_frames_and_lost_are_all_the_ids_and_a_restart_is_told() -> None:
    ids = FrameIds()
    for one in (65530, 65534, None, 7, 9, 20):
        ids.next(one)
    ids.spoilt()
    last = ids.next(30)
    assert ids.frames + ids.lost == last + 1
    assert (ids.frames, ids.lost, ids.restarts) == (8, 3 + 1 + 10 + 8, 0)
    ids.next(2)
    assert (ids.frames, ids.lost, ids.restarts) == (9, 22, 1)
