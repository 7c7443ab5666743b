"""The real adapter on real Harvesters: viky.cti, the producer that the genicam wheel ships."""

import signal
from itertools import islice
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest
from genicam.genapi import EAccessMode
from genicam.gentl import GenericException as GenTLError
from genicam.gentl import IoException
from harvesters.core import Component2DImage, ImageAcquirer

from engine.types import InputError, MissingError
from inspector.camera import genicam, producers
from inspector.camera.base import Frame, FrameFault, Setting
from inspector.camera.features import set_feature
from inspector.camera.genicam import GenICamCamera
from inspector.camera.producers import installed_producers, list_devices, shipped_producer

pytestmark = pytest.mark.camera
VIKY = shipped_producer()
FAST: dict[str, Setting] = {"AcquisitionFrameRate": 200.0, "Width": 100, "Height": 100}


def viky(serial: str = "0", **settings: Setting) -> GenICamCamera:
    return GenICamCamera(serial, VIKY, settings={**FAST, **settings})


def take(camera: GenICamCamera, count: int) -> list[Frame]:
    return list(islice(camera.frames(), count))


def test_three_devices_are_listed() -> None:
    assert [device.serial for device in list_devices(VIKY)] == ["0", "1", "2"]
    assert {device.model for device in list_devices(VIKY)} == {"Viky"}


@pytest.mark.parametrize("serial", ["0", "1", "2"])
@pytest.mark.parametrize("pixel_format", ["RGBa8", "Mono8"])
@pytest.mark.parametrize(("width", "height"), [(100, 100), (333, 217), (800, 600)])
def test_every_device_format_and_size(
    serial: str, pixel_format: str, width: int, height: int
) -> None:
    with viky(serial, PixelFormat=pixel_format, Width=width, Height=height) as camera:
        frames = take(camera, 3)
    assert [frame.frame_id for frame in frames] == [0, 1, 2]
    for frame in frames:
        assert frame.fault is None
        assert frame.image is not None
        assert frame.image.shape == (height, width, 3)
        is_grey = np.ptp(frame.image, axis=2).max() == 0
        assert is_grey == (pixel_format == "Mono8")
    assert np.ptp(frames[0].image) > 0, "something is to be seen"


def test_500_frames_are_all_accounted_for() -> None:
    with viky() as camera:
        frames = take(camera, 500)
    ids = [frame.frame_id for frame in frames]
    camera_ids = [int(frame.source) for frame in frames]
    assert ids == [one - camera_ids[0] for one in camera_ids]
    lost = sum(np.diff(ids) - 1)
    assert len(frames) + lost == ids[-1] + 1


def test_frames_lost_while_nobody_fetched_leave_a_gap() -> None:
    with viky() as camera:
        frames = camera.frames()
        next(frames)
        sleep(0.5)  # 100 frames at 200 a second, into 16 buffers
        ids = [frame.frame_id for frame in islice(frames, 30)]
    assert ids[:15] == list(range(1, 16)), "what the buffers held is not lost"
    assert max(np.diff(ids)) > 50


def test_a_process_that_was_held_up_looks_before_it_gives_a_camera_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each look at the clock comes an hour after the one before; the buffers are full."""
    hours = iter(range(0, 3600 * 1000, 3600))
    with viky() as camera:
        frames = camera.frames()
        assert next(frames).frame_id == 0
        sleep(0.2)
        monkeypatch.setattr(genicam, "monotonic", lambda: float(next(hours)))
        assert [frame.frame_id for frame in islice(frames, 10)] == list(range(1, 11))


def test_frames_may_outlive_the_camera_they_came_from() -> None:
    with viky() as camera:
        frames = camera.frames()
        kept = next(frames)
        pixels = kept.image.copy()
        take_more = list(islice(frames, 40))
    frames.close()
    assert len(take_more) == 40
    assert np.array_equal(kept.image, pixels)


def test_ctrl_c_stays_with_the_program() -> None:
    before = signal.getsignal(signal.SIGINT)
    with viky():
        assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def _spoil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Harvesters do with every third buffer what it does with an incomplete one."""
    original = ImageAcquirer.try_fetch
    fetched = 0

    def try_fetch(self: Any, *, timeout: float, is_raw: bool) -> Any:
        nonlocal fetched
        buffer = original(self, timeout=timeout, is_raw=is_raw)
        fetched += buffer is not None
        if buffer is None or fetched % 3:
            return buffer
        buffer.parent.queue_buffer(buffer)
        self._emit_callbacks(self.Events.INCOMPLETE_BUFFER)
        return None

    monkeypatch.setattr(ImageAcquirer, "try_fetch", try_fetch)


@pytest.mark.usefixtures("_spoil")
def test_an_incomplete_buffer_is_a_frame_with_a_fault() -> None:
    with viky() as camera:
        frames = take(camera, 9)
        health = camera.health()
    assert (health["frames"], health["incomplete"], health["lost"]) == (9, 3, 0)
    assert [frame.frame_id for frame in frames] == list(range(9)), "one trigger, one frame"
    for place, frame in enumerate(frames):
        assert frame.fault == (FrameFault.INCOMPLETE if place % 3 == 2 else None)
        assert (frame.image is None) == (place % 3 == 2)


@pytest.mark.parametrize(
    ("part", "value", "fault"),
    [
        ("data", np.empty(0, np.uint8), FrameFault.INCOMPLETE),
        ("data", np.empty(100 * 99 * 4, np.uint8), FrameFault.INCOMPLETE),
        ("data_format", "Mono14p", FrameFault.WRONG_FORMAT),
    ],
)
def test_a_complete_buffer_without_a_picture_is_a_fault(
    part: str, value: Any, fault: FrameFault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Component2DImage, part, property(lambda _: value))
    with viky() as camera:
        [frame] = take(camera, 1)
        assert camera.health()["incomplete"] == (fault is FrameFault.INCOMPLETE)
    assert (frame.fault, frame.image, frame.frame_id) == (fault, None, 0)


def test_packed_pixels_are_taken_from_the_buffer_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped cameras send none; what one sends is read as if it were packed."""
    sent: list[np.ndarray] = []
    real = genicam.to_rgb

    def noted(data: np.ndarray, *shape: Any) -> np.ndarray:
        sent.append(data.copy())
        return real(data, *shape)

    monkeypatch.setattr(genicam, "to_rgb", noted)
    monkeypatch.setattr(Component2DImage, "data_format", property(lambda _: "Mono12Packed"))
    monkeypatch.setattr(Component2DImage, "height", property(lambda _: 60))
    with viky(PixelFormat="Mono8") as camera:
        [packed] = take(camera, 1)
    assert packed.fault is None
    assert packed.image is not None
    numbers = packed.image.shape[0] * packed.image.shape[1]
    groups = sent[0][: 3 * numbers // 2].reshape(-1, 3)
    assert np.ptp(groups) > 0
    np.testing.assert_array_equal(packed.image[..., 1].ravel(), groups[:, ::2].ravel())


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ValueError("cannot reshape"), FrameFault.WRONG_FORMAT),
        (GenTLError("no data"), FrameFault.INCOMPLETE),
    ],
)
def test_what_harvesters_cannot_decode_is_a_fault_and_the_line_goes_on(
    error: Exception, fault: FrameFault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise error

    with viky() as camera:
        monkeypatch.setattr(Component2DImage, "_to_np_array", fails)
        frames = take(camera, 40)  # more than there are buffers: each is given back
    assert [frame.fault for frame in frames] == [fault] * 40
    assert frames[0].frame_id == 0


class Stubborn:
    """A feature of a camera that nods and keeps its own exposure."""

    min, max, value = 10.0, 90.0, property(lambda self: 20.0, lambda self, asked: None)

    def get_access_mode(self) -> int:
        return int(EAccessMode.RW)

    def has_inc(self) -> bool:
        return False


def test_a_setting_is_read_back_and_an_unmet_one_names_the_range() -> None:
    with viky(Width="120", ChunkEnable="false") as camera:  # texts, as from the command line
        assert take(camera, 1)[0].image.shape == (100, 120, 3)
    features = {"ExposureTime": Stubborn()}
    set_feature(features, "7", "ExposureTime", 20.01)
    with pytest.raises(
        InputError, match=r"camera 7 made 20\.0 of .* 25: it takes 10\.0 to 90\.0\."
    ):
        set_feature(features, "7", "ExposureTime", 25)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"Width": 5000}, r"Width = 5000: it takes 100 to 800 in steps of 1\."),
        ({"PixelFormat": "Mono12"}, r"it takes RGBa8, Mono8\."),
        ({"ChunkEnable": "perhaps"}, r"it takes true or false\."),
        ({"Widht": 300}, r"no feature Widht: see Width\."),
        ({"PayloadSize": 3}, "does not let PayloadSize be set"),
        ({"AcquisitionStart": 1}, "does not let AcquisitionStart be set"),
    ],
)
def test_a_setting_the_camera_does_not_take(setting: dict[str, Setting], said: str) -> None:
    with pytest.raises(InputError, match=said), viky(**setting):
        pass


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError, match="no camera '9' among 0, 1, 2"), GenICamCamera("9", VIKY):
        pass
    with pytest.raises(MissingError, match=r"no GenTL producer at .*gone\.cti"):
        list_devices(tmp_path / "gone.cti")
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    monkeypatch.setattr(producers, "installed_producers", lambda: ())
    with pytest.raises(MissingError, match=r"set GENICAM_GENTL64_PATH to the folder"):
        list_devices()


def test_a_file_that_is_no_producer_is_told(tmp_path: Path) -> None:
    (tmp_path / "fake.cti").write_text("no library")
    camera = GenICamCamera("0", tmp_path / "fake.cti")
    with pytest.raises(MissingError, match="No camera is seen where '0' was asked for"), camera:
        pass


def test_producers_are_found_where_installers_put_them(tmp_path: Path) -> None:
    (tmp_path / "b.cti").touch()
    (tmp_path / "a.cti").touch()
    (tmp_path / "readme.txt").touch()
    found = installed_producers({"GENICAM_GENTL64_PATH": str(tmp_path)})
    assert [file.name for file in found] == ["a.cti", "b.cti"]
    assert installed_producers({}) == ()


@pytest.mark.parametrize("answer", [None, IoException("gone")])
def test_a_camera_that_falls_silent_or_fails_is_missing(
    answer: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def try_fetch(self: Any, *, timeout: float, is_raw: bool) -> None:
        if answer is not None:
            raise answer

    monkeypatch.setattr(ImageAcquirer, "try_fetch", try_fetch)
    with (
        GenICamCamera("0", VIKY, settings=FAST, silence_s=0.05) as camera,
        pytest.raises(MissingError, match=r"sent nothing for 0\.05 s|stopped answering"),
    ):
        next(camera.frames())


def test_frames_need_an_open_camera() -> None:
    with pytest.raises(RuntimeError, match="context manager"):
        next(viky().frames())
