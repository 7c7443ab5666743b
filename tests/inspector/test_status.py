"""The words of the status strip for what only shows when something is wrong."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from inspector.pipeline.kept import PICTURES
from inspector.settings import SiteSettings
from inspector.status import disk_item, site_item
from inspector.ui.session import Health

Usage = namedtuple("Usage", "total used free")
GB = 2**30
SITE = SiteSettings(url="postgresql://inspector@server/inspections")


@pytest.mark.parametrize(
    ("total_gb", "free_gb", "text", "health"),
    [
        (1000, 51, "51 GB free", Health.GOOD),
        (1000, 49, "49 GB free, no pictures", Health.WARNING),  # the last 5 % are the records'
        (20, 1.5, "2 GB free", Health.WARNING),
        (4, 0.24, "0 GB free, no pictures", Health.WARNING),  # nor the last 256 MB
    ],
)
def test_the_disk_says_when_pictures_are_not_saved_any_more(
    monkeypatch: pytest.MonkeyPatch, total_gb: float, free_gb: float, text: str, health: Health
) -> None:
    usage = Usage(int(total_gb * GB), 0, int(free_gb * GB))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    item = disk_item(Path("records"), 0.05)
    assert (item.text, item.health) == (text, health)


def test_pictures_on_a_disk_of_their_own_need_its_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / PICTURES).mkdir()
    disks = {
        tmp_path: Usage(1000 * GB, 0, 500 * GB),
        tmp_path / PICTURES: Usage(1000 * GB, 0, 49 * GB),
    }
    monkeypatch.setattr(shutil, "disk_usage", disks.__getitem__)
    item = disk_item(tmp_path, 0.05)
    assert (item.text, item.health) == ("500 GB free, no pictures", Health.WARNING)
    assert f"disk of {tmp_path / PICTURES}" in item.detail


def test_a_disk_that_is_not_there_is_bad(tmp_path: Path) -> None:
    assert disk_item(tmp_path / "gone", 0.05).health is Health.BAD


@pytest.mark.parametrize(
    ("is_open", "lost", "text", "health"),
    [
        (True, False, "open", Health.GOOD),
        (True, True, "lost", Health.WARNING),  # the line goes on: no alarm
        (True, None, "connecting", Health.UNKNOWN),
        (False, True, "closed", Health.UNKNOWN),
    ],
)
def test_the_site_is_one_of_the_links(
    is_open: bool, lost: bool | None, text: str, health: Health
) -> None:
    item = site_item(SITE, lost, open=is_open)
    assert (item.name, item.text, item.health) == ("Site", text, health)
