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
