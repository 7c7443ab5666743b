from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.types import Image
from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.inspection import Alarm, Inspection, Reason, Verdict
from inspector.pipeline.pictures import PictureSink
from inspector.pipeline.verdict import find_regions
from inspector.settings import PictureSettings
from tests.inspector.pipeline_parts import LIMIT, NOON, frame, picture, prediction

FOLDER = Path("pictures", "2026-11-21")


def inspection(verdict: Verdict, number: int = 1, image: Image | None = None) -> Inspection:
    judged = None if verdict is Verdict.FAULT else prediction(0.9, [(20, 10)])
    return Inspection(
        id=f"part-{number}",
        frame=frame(number, image),
        verdict=verdict,
        reason=None if verdict is Verdict.OK else Reason.DEFECT,
        product="disc",
        inspected_at=NOON,
        prediction=judged,
        map_threshold=None if judged is None else 0.5,
        regions=find_regions(judged.map, LIMIT) if judged and verdict is Verdict.NG else (),
    )


def read(path: Path) -> Image:
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def saved(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_an_ng_keeps_overlay_crop_and_the_picture_itself(tmp_path: Path) -> None:
    with PictureSink(tmp_path) as sink:
        written = sink.write(inspection(Verdict.NG))

    assert written.pictures == {
        "overlay": FOLDER / "part-1-overlay.jpg",
        "crop": FOLDER / "part-1-crop.jpg",
        "picture": FOLDER / "part-1-picture.png",
    }
    assert saved(tmp_path) == sorted(path.as_posix() for path in written.pictures.values())
    assert (read(tmp_path / written.pictures["picture"]) == picture(1)).all()
    assert read(tmp_path / written.pictures["overlay"]).shape == (40, 60, 3)
    assert read(tmp_path / written.pictures["crop"]).shape == (40, 60, 3)
    assert written.alarm is None
    assert written.stages_ms["draw"] > 0
    assert written.stages_ms["save"] > 0


def test_the_overlay_marks_the_defect(tmp_path: Path) -> None:
    grey = np.full((40, 60, 3), 100, np.uint8)
    with PictureSink(tmp_path) as sink:
        written = sink.write(inspection(Verdict.NG, image=grey))
    overlay = read(tmp_path / written.pictures["overlay"])

    assert overlay[10, 20].tolist() == pytest.approx([0, 255, 255], abs=8)  # JPEG, for the eye
    assert tuple(overlay[11, 21]) != (100, 100, 100)


def test_a_fault_keeps_its_picture_if_it_has_one(tmp_path: Path) -> None:
    with PictureSink(tmp_path) as sink:
        shown = sink.write(inspection(Verdict.FAULT))
        blind = inspection(Verdict.FAULT, 2)
        lost = sink.write(replace(blind, frame=replace(blind.frame, image=None)))
        odd = sink.write(inspection(Verdict.FAULT, 3, np.zeros((4, 4), np.uint8)))

    assert list(shown.pictures) == ["picture"]
    assert (lost.pictures, lost.alarm) == ({}, None)
    assert (odd.pictures, odd.alarm) == ({}, None)


@pytest.mark.parametrize(("every_ok", "kept"), [(0, []), (1, [1, 2, 3, 4]), (2, [2, 4]), (3, [3])])
def test_every_nth_ok_is_kept(tmp_path: Path, every_ok: int, kept: list[int]) -> None:
    with PictureSink(tmp_path, every_ok=every_ok) as sink:
        for number in range(1, 5):
            sink.write(inspection(Verdict.OK, number))

    assert saved(tmp_path) == [(FOLDER / f"part-{n}-picture-ok.png").as_posix() for n in kept]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_nearly_full_disk_is_left_to_the_records(tmp_path: Path, verdict: Verdict) -> None:
    with PictureSink(tmp_path, every_ok=1, least_free=100, free=lambda folder: 99) as sink:
        written = sink.write(inspection(verdict))

    assert (written.verdict, written.alarm) == (verdict, Alarm.PICTURE_NOT_SAVED)
    assert written.pictures == {}
    assert saved(tmp_path) == []


def test_the_room_is_that_of_the_disk_they_go_to(tmp_path: Path) -> None:
    free = {tmp_path: 10**12, tmp_path / "pictures": 0}
    with PictureSink(tmp_path, every_ok=1, free=free.__getitem__, least_share=0) as sink:
        first = sink.write(inspection(Verdict.OK, 1))  # into a folder that is not there yet
        second = sink.write(inspection(Verdict.OK, 2))

    assert (first.alarm, second.alarm) == (None, Alarm.PICTURE_NOT_SAVED)


@pytest.mark.parametrize(("free", "kept"), [(49, 0), (50, 1)])
def test_five_hundredths_of_a_large_disk_are_left_to_the_records(
    tmp_path: Path, free: int, kept: int
) -> None:
    disk = {"free": lambda folder: free, "total": lambda folder: 1000}
    with PictureSink(tmp_path, every_ok=1, least_free=10, **disk) as sink:
        written = sink.write(inspection(Verdict.OK))

    assert len(saved(tmp_path)) == kept
    assert (written.alarm is Alarm.PICTURE_NOT_SAVED) is (kept == 0)


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        (PictureSettings(), {Verdict.NG: 3, Verdict.FAULT: 1, Verdict.OK: 0}),
        (PictureSettings(ng="none"), {Verdict.NG: 0, Verdict.FAULT: 1, Verdict.OK: 0}),
        (PictureSettings(fault="none"), {Verdict.NG: 3, Verdict.FAULT: 0, Verdict.OK: 0}),
        (PictureSettings(every_ok=1), {Verdict.NG: 3, Verdict.FAULT: 1, Verdict.OK: 1}),
    ],
)
def test_each_verdict_has_its_own_policy(
    tmp_path: Path, settings: PictureSettings, kept: dict[Verdict, int]
) -> None:
    with PictureSink.of(tmp_path, settings, [].append) as sink:
        written = {verdict: sink.write(inspection(verdict)) for verdict in Verdict}

    assert {verdict: len(one.pictures) for verdict, one in written.items()} == kept
    assert all(one.alarm is None for one in written.values())


def test_a_jpeg_is_smaller_and_looks_alike_at_the_quality_asked_for(tmp_path: Path) -> None:
    smooth = np.asarray(cv2.GaussianBlur(picture(1, 200, 300), (0, 0), 5), np.uint8)
    sizes = []
    for quality in (95, 30):
        kept = PictureSettings(every_ok=1, format="jpeg", jpeg_quality=quality)
        with PictureSink.of(tmp_path, kept, [].append) as sink:
            path = sink.write(inspection(Verdict.OK, quality, smooth)).pictures["picture"]
        assert path.suffix == ".jpg"
        assert np.abs(read(tmp_path / path).astype(int) - smooth).mean() < 4
        sizes.append((tmp_path / path).stat().st_size)

    assert sizes[1] < sizes[0] < smooth.size / 4


def test_a_folder_that_cannot_be_made_costs_the_pictures_not_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("a file in the folder's place")
    with PictureSink(tmp_path) as sink:
        written = sink.write(inspection(Verdict.NG))

    assert (written.verdict, written.reason) == (Verdict.NG, Reason.DEFECT)
    assert (written.pictures, written.alarm) == ({}, Alarm.PICTURE_NOT_SAVED)


def test_a_folder_that_vanishes_while_running_costs_pictures_only(tmp_path: Path) -> None:
    folder = tmp_path / "stick"
    with PictureSink(folder) as sink:
        folder.rmdir()
        written = sink.write(inspection(Verdict.NG))

    assert (written.verdict, written.alarm) == (Verdict.NG, Alarm.PICTURE_NOT_SAVED)


def test_the_row_names_only_what_was_saved_before_the_disk_filled(tmp_path: Path) -> None:
    free = iter([10**9, 10**9, 0])
    with PictureSink(tmp_path, free=lambda folder: next(free), least_share=0) as sink:
        written = sink.write(inspection(Verdict.NG))

    assert list(written.pictures) == ["overlay", "crop"]
    assert len(saved(tmp_path)) == 2
    assert written.alarm is Alarm.PICTURE_NOT_SAVED


@pytest.mark.parametrize("shape", [(65_501, 2), (2, 65_501)])
def test_a_picture_too_large_for_jpeg_costs_the_views_alone(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    large = inspection(Verdict.NG, image=np.zeros((*shape, 3), np.uint8))
    assert large.prediction is not None
    seen = replace(large.prediction, map=np.zeros(shape, np.float32))
    with PictureSink(tmp_path) as sink:
        written = sink.write(replace(large, prediction=seen, regions=()))

    assert (written.verdict, written.alarm) == (Verdict.NG, Alarm.PICTURE_NOT_SAVED)
    assert read(tmp_path / written.pictures["picture"]).shape == (*shape, 3)
    assert "overlay" not in written.pictures


def test_that_pictures_are_not_saved_is_told_once_until_they_are_again(tmp_path: Path) -> None:
    room, said = [10**9], list[StationEvent]()
    with PictureSink(
        tmp_path, every_ok=2, least_share=0, free=lambda disk: room[0], tell=said.append
    ) as sink:
        for number, room[0] in enumerate((10**9, 0, 0, 0, 10**9, 0)):
            sink.write(inspection(Verdict.NG, number))
            sink.write(inspection(Verdict.OK, number))  # each second one wants nothing

    assert [event.code for event in said] == [EventCode.PICTURE_NOT_SAVED] * 2
    assert [event.details["inspection"] for event in said] == ["part-1", "part-5"]
    assert {event.text for event in said} == {
        f"The disk of {tmp_path / 'pictures'} is nearly full: free some space."
    }


def test_it_is_told_why_pictures_are_not_saved(tmp_path: Path) -> None:
    said: list[StationEvent] = []
    folder = tmp_path / "stick"
    with PictureSink(folder, tell=said.append) as sink:
        folder.rmdir()
        sink.write(inspection(Verdict.NG))
    with PictureSink(tmp_path, every_ok=1, format="jpeg", tell=said.append) as sink:
        sink.write(inspection(Verdict.OK, image=np.zeros((2, 65_501, 3), np.uint8)))

    assert [event.text.partition(":")[0] for event in said] == [
        f"{folder} cannot be written",
        "No JPEG holds 65501 × 2 pixels, 65,500 a side is the most",
    ]


def test_a_file_that_cannot_be_put_in_place_leaves_no_part_behind(tmp_path: Path) -> None:
    (tmp_path / FOLDER / "part-1-crop.jpg").mkdir(parents=True)
    with PictureSink(tmp_path) as sink:
        written = sink.write(inspection(Verdict.NG))

    assert (list(written.pictures), written.alarm) == (["overlay"], Alarm.PICTURE_NOT_SAVED)
    assert saved(tmp_path) == [(FOLDER / f"part-1-{n}.jpg").as_posix() for n in ("crop", "overlay")]
