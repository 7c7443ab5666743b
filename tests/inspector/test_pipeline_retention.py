"""Files only, ours only, old ones only; and a row whose picture went does not look damaged."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path, PurePosixPath
from uuid import UUID

import pytest

from engine.types import InputError
from inspector.pipeline.kept import ENTRIES_A_PAUSE, PICTURES, Tier, picture_path, tier_of
from inspector.pipeline.retention import BATCH, Batch, Gone, aged, oldest, retire
from inspector.pipeline.retired import NOTE, note_retired, read_retired, was_retired

NOW = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)
KEEP = {Tier.OK: 30, Tier.NG: 180}


def keep(
    folder: Path, days_ago: int, name: str = "picture", *, ok: bool = False, size: int = 10
) -> Path:
    """One picture of so many days ago (negative: of the future)."""
    at = NOW - timedelta(days=days_ago)
    part = str(UUID(int=len(list(folder.rglob("*.*"))) + 1))
    path = folder / picture_path(part, at, name, ok=ok, suffix=".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"p" * size)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recent days, so that the older ones are known to be old."""
    for days_ago in (0, 1, 2):
        keep(tmp_path, days_ago)
        keep(tmp_path, days_ago, ok=True)
    return tmp_path


def found(batches: Iterator[Batch]) -> list[tuple[int, str, int]]:
    return [((NOW.date() - one.day).days, one.tier.value, len(one.files)) for one in batches]


def paths(batches: Iterator[Batch]) -> set[Path]:
    return {file.path for one in batches for file in one.files}


def test_each_tier_goes_after_its_days_and_not_before(folder: Path) -> None:
    for days_ago in (30, 31, 180, 181):
        keep(folder, days_ago, ok=True)
        keep(folder, days_ago)
        keep(folder, days_ago, "overlay")

    assert found(aged(folder, KEEP, NOW)) == [
        (181, "ok", 1),
        (180, "ok", 1),
        (31, "ok", 1),
        (181, "ng", 2),
    ]


def test_for_room_the_oldest_ok_go_first_and_never_todays(folder: Path) -> None:
    keep(folder, 5)
    keep(folder, 3, ok=True)

    assert found(oldest(folder, NOW)) == [
        (3, "ok", 1),
        (2, "ok", 1),
        (1, "ok", 1),
        (5, "ng", 1),
        (2, "ng", 1),
        (1, "ng", 1),
    ]


def test_what_comes_from_the_future_stays(folder: Path) -> None:
    tomorrow = keep(folder, -1, ok=True)
    written_later = keep(folder, 40, ok=True)
    later = NOW.timestamp() + 60
    os.utime(written_later, (later, later))

    assert not {tomorrow, written_later} & paths(aged(folder, KEEP, NOW))
    assert not {tomorrow, written_later} & paths(oldest(folder, NOW))


def test_a_clock_ten_years_ahead_finds_nothing_old_until_three_days_bear_it_out(
    folder: Path,
) -> None:
    ahead = NOW + timedelta(days=3650)
    last = [keep(folder, days_ago) for days_ago in (-3648, -3649)]
    wrong = paths(aged(folder, KEEP, ahead))
    keep(folder, -3650)
    borne_out = paths(aged(folder, KEEP, ahead))

    assert len(wrong) == 4  # the day before yesterday's and yesterday's: three days followed
    assert len(borne_out) == 6
    assert not borne_out & set(last)


def test_one_wrong_day_deletes_nothing_of_the_last_three(tmp_path: Path) -> None:
    for days_ago in (0, 1):
        keep(tmp_path, days_ago)

    assert not paths(aged(tmp_path, KEEP, NOW + timedelta(days=3650)))


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "picture.png",
        "00000000-0000-0000-0000-000000000001-picture.bmp",
        "00000000-0000-0000-0000-000000000001-picture.png.bak",
        "x00000000-0000-0000-0000-000000000001-picture.png",
        "00000000-0000-0000-0000-000000000001-picture-ok.png/..",
    ],
)
def test_only_names_of_ours_have_a_tier(name: str) -> None:
    assert tier_of(name) is None


def test_files_of_others_and_what_links_lead_to_stay(folder: Path, tmp_path: Path) -> None:
    old = keep(folder, 400)
    beside = old.with_name("notes.txt")
    beside.write_text("do not delete")
    outside = tmp_path / "elsewhere"
    treasure = keep(outside, 400)
    try:
        link = old.with_name(f"{UUID(int=77)}-picture.png")
        link.symlink_to(treasure)
        (folder / PICTURES / "2020-01-01").symlink_to(treasure.parent, target_is_directory=True)
    except OSError:
        pytest.skip("this account may not make links")
    if os.utime in os.supports_follow_symlinks:
        os.utime(link, (0, 0), follow_symlinks=False)  # old itself, too
    (folder / PICTURES / "20200102").mkdir()

    assert paths(aged(folder, KEEP, NOW)) == {old}
    for batch in aged(folder, KEEP, NOW):
        retire(folder, batch, "age", NOW)
    assert (old.exists(), beside.exists(), treasure.exists()) == (False, True, True)


def test_a_folder_that_is_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    station = tmp_path / "station"
    station.mkdir()
    try:
        (station / PICTURES).symlink_to(folder / PICTURES, target_is_directory=True)
    except OSError:
        pytest.skip("this account may not make links")

    with pytest.raises(InputError, match="is a link"):
        list(aged(station, KEEP, NOW))


def test_what_a_killed_writer_left_goes_with_its_tier(folder: Path) -> None:
    old = keep(folder, 181)
    left = old.with_name(old.name + ".part")
    old.rename(left)

    assert paths(aged(folder, KEEP, NOW)) == {left}


def test_a_missing_picture_is_explained_by_the_note_and_no_other_is(folder: Path) -> None:
    old, kept = keep(folder, 31, ok=True), keep(folder, 31)
    gone = [retire(folder, batch, "age", NOW) for batch in aged(folder, KEEP, NOW)]
    retired = read_retired(folder)

    assert gone == [Gone(files=1, bytes=10)]
    assert not old.exists()
    assert was_retired(old.relative_to(folder), retired)
    assert not was_retired(kept.relative_to(folder), retired)
    assert not was_retired(PurePosixPath("pictures/2026-11-20") / old.name, retired)
    assert not was_retired(PurePosixPath("else/where.png"), retired)


def test_the_note_comes_first_and_stopping_in_the_middle_is_made_good(folder: Path) -> None:
    for _ in range(3):
        keep(folder, 31, ok=True)
    (batch,) = aged(folder, KEEP, NOW)
    answers = iter([True, False])
    first = retire(folder, batch, "age", NOW, lambda: next(answers))
    announced = read_retired(folder)
    (rest,) = aged(folder, KEEP, NOW)
    second = retire(folder, rest, "age", NOW)

    assert (first.files, second.files) == (1, 2)
    assert announced == {(batch.day, Tier.OK)}
    assert len((folder / PICTURES / NOTE).read_text().splitlines()) == 1
    assert not rest.files[0].path.parent.exists()


def test_nothing_goes_that_cannot_be_noted(folder: Path) -> None:
    old = keep(folder, 31, ok=True)
    (folder / PICTURES / NOTE).mkdir()
    (batch,) = aged(folder, KEEP, NOW)

    with pytest.raises(InputError, match=NOTE):
        retire(folder, batch, "age", NOW)
    assert old.exists()


def test_a_line_cut_short_spoils_neither_itself_nor_the_next(folder: Path) -> None:
    note_retired(folder, date(2026, 1, 1), Tier.OK, "age", NOW)
    with (folder / PICTURES / NOTE).open("ab") as note:
        note.write(b'{"day": "2026-01-02", "ti')
    note_retired(folder, date(2026, 1, 3), Tier.NG, "room", NOW)

    assert read_retired(folder) == {(date(2026, 1, 1), Tier.OK), (date(2026, 1, 3), Tier.NG)}


def test_a_day_of_many_files_comes_in_batches_and_goes_whole(folder: Path) -> None:
    day = keep(folder, 200).parent
    old = [day / f"{UUID(int=n)}-picture.png" for n in range(900, 900 + 2 * BATCH)]
    for path in old:
        path.touch()
        os.utime(path, (0, 0))
    pauses = 0

    def pause() -> None:
        nonlocal pauses
        pauses += 1

    sizes, gone = [], Gone()
    for batch in aged(folder, KEEP, NOW, pause):
        sizes.append(len(batch.files))
        gone += retire(folder, batch, "age", NOW)

    assert max(sizes) == BATCH
    assert sum(sizes) == gone.files == 2 * BATCH + 1
    assert pauses >= 2 * BATCH // ENTRIES_A_PAUSE
    assert not day.exists()


DELETE_ALL = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from inspector.pipeline.retention import oldest, retire
folder, now = Path(sys.argv[1]), datetime(2026, 11, 21, 0, 30, tzinfo=UTC)
for batch in oldest(folder, now):
    retire(folder, batch, "room", now)
"""


def test_killed_anywhere_every_missing_picture_is_explained(folder: Path) -> None:
    named = [keep(folder, days_ago, ok=days_ago % 2 == 0) for days_ago in range(1, 10)]
    more = [
        path.with_name(f"{UUID(int=n)}-picture.png") for path in named for n in range(900, 1900)
    ]
    for path in more:
        path.touch()
        os.utime(path, (0, 0))
    command = [sys.executable, "-c", DELETE_ALL, str(folder)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 30
    while all(path.exists() for path in named) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.kill()
    process.wait()

    missing = [path for path in named + more if not path.exists()]
    retired = read_retired(folder)
    assert missing
    assert all(was_retired(path.relative_to(folder), retired) for path in missing)
    for batch in oldest(folder, NOW):
        retire(folder, batch, "room", NOW)
    assert [path for path in named + more if path.exists()] == []
