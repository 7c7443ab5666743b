"""A folder as a camera: every file is a part, and the layout names what is known of it."""

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.types import InputError
from inspector.camera.base import Frame, FrameFault, GroundTruth
from inspector.camera.folder import FolderCamera


def put(file: Path, value: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(file.suffix, np.full((4, 6, 3), (value, 20, 10), np.uint8))  # BGR
    file.write_bytes(data.tobytes())


def play(folder: Path, **options: str) -> list[Frame]:
    with FolderCamera(folder, **options) as camera:
        return list(camera.frames())


def test_files_come_in_the_order_a_person_expects(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    for name in ("10.png", "2.png", "b/1.PNG", "a1.bmp"):
        put(tmp_path / name)
    assert [one.source for one in play(tmp_path)] == ["2.png", "10.png", "a1.bmp", "b/1.PNG"]


def test_a_frame_is_rgb_and_stamped(tmp_path: Path) -> None:
    put(tmp_path / "é.png", value=30)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with FolderCamera(tmp_path, "screw", clock=lambda: now) as camera:
        [frame] = camera.frames()
    assert frame.image is not None
    assert frame.image.shape == (4, 6, 3)
    assert tuple(frame.image[0, 0]) == (10, 20, 30)
    assert (frame.product, frame.grabbed_at, frame.truth) == ("screw", now, None)
    assert frame.grab_ms > 0


def test_a_file_that_is_no_picture_is_a_frame_with_a_fault(tmp_path: Path) -> None:
    put(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:40])
    (tmp_path / "3.png").touch()
    (tmp_path / "4.png").mkdir()
    put(tmp_path / "5.png")
    frames = play(tmp_path)
    faults = [None, FrameFault.NOT_A_PICTURE, FrameFault.NOT_A_PICTURE, None]
    assert [frame.fault for frame in frames] == faults
    assert [frame.image is None for frame in frames] == [False, True, True, False]
    assert [frame.frame_id for frame in frames] == [0, 1, 2, 3]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two products in an MVTec-AD layout, one of them with its masks."""
    for name in ("screw/train/good/0", "screw/test/good/1", "screw/test/thread_side/2"):
        put(tmp_path / f"{name}.png")
    put(tmp_path / "screw/ground_truth/thread_side/2_mask.png")
    put(tmp_path / "tile/train/good/3.png")
    return tmp_path


def test_a_dataset_labels_its_parts(dataset: Path) -> None:
    known = {frame.source: (frame.product, frame.truth) for frame in play(dataset)}
    good = GroundTruth("good", "a good part")
    assert known == {
        "screw/train/good/0.png": ("screw", good),
        "screw/test/good/1.png": ("screw", good),
        "screw/test/thread_side/2.png": ("screw", GroundTruth("thread_side", "thread side")),
        "tile/train/good/3.png": ("tile", good),
    }


def test_labels_hold_for_a_folder_inside_the_dataset(dataset: Path) -> None:
    [frame] = play(dataset / "screw/test/thread_side", product="bolt")
    assert frame.product == "bolt"
    assert frame.truth is not None
    assert frame.truth.is_defective


def test_a_folder_called_test_is_no_dataset(tmp_path: Path) -> None:
    put(tmp_path / "camera/test/monday/1.png")
    [frame] = play(tmp_path)
    assert (frame.product, frame.truth) == (None, None)


def test_a_loop_goes_on_and_its_ids_grow(tmp_path: Path) -> None:
    put(tmp_path / "1.png")
    put(tmp_path / "2.png")
    with FolderCamera(tmp_path, loop=True) as camera:
        frames = list(islice(camera.frames(), 5))
    assert [frame.frame_id for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.source for frame in frames] == ["1.png", "2.png", "1.png", "2.png", "1.png"]


def test_an_empty_or_missing_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="holds no picture"), FolderCamera(tmp_path):
        pass
    with pytest.raises(InputError, match=r"no folder .*gone"), FolderCamera(tmp_path / "gone"):
        pass
    put(tmp_path / "ground_truth" / "bent" / "1_mask.png")
    with pytest.raises(InputError, match="holds masks only"), FolderCamera(tmp_path):
        pass
    with pytest.raises(RuntimeError, match="context manager"):
        next(FolderCamera(tmp_path).frames())
