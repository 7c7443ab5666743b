"""A log file that somebody has open, as Windows takes it: no line is lost, and no older file."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inspector.logs.station_log import FOLDER, StationLog
from inspector.logs.writer import FILE
from inspector.settings import LogSettings
from tests.inspector.test_logs import event, lines

SETTINGS = LogSettings(megabytes=0.002, files=5)  # a dozen lines a file


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Opened by somebody: Windows itself then refuses, elsewhere it is played."""

    def refusing(act: Callable[..., None]) -> Callable[..., None]:
        def acted(name: str | Path, *more: object, **options: object) -> None:
            if Path(name) == path:
                raise PermissionError(errno.EACCES, "is being used by another process", str(name))
            act(name, *more, **options)

        return acted

    with path.open("rb"), pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "replace", "remove", "unlink"):
            patch.setattr(os, name, refusing(getattr(os, name)))
        yield


def say(out: Path, numbers: Iterable[int]) -> int:
    """As lines of the log; how many were lost."""
    with StationLog(out, "a", SETTINGS) as log:
        for number in numbers:
            log.say(event(str(number)))
    return log.lost


def files(out: Path) -> list[str]:
    """Their names, the oldest first."""

    def age(name: str) -> int:
        number = name.rpartition(".")[2]
        return int(number) if number.isdigit() else -1

    return sorted((path.name for path in (out / FOLDER).iterdir()), key=age, reverse=True)


def said(out: Path, name: str) -> list[int]:
    return [int(line["text"]) for line in lines(out, name)]


def all_said(out: Path) -> list[int]:
    return [number for name in files(out) for number in said(out, name)]


def test_the_newest_grows_while_it_is_held(tmp_path: Path) -> None:
    say(tmp_path, range(30))
    older = {name: said(tmp_path, name) for name in files(tmp_path)[:-1]}
    with held(tmp_path / FOLDER / FILE):
        lost = say(tmp_path, range(30, 60))
        assert {name: said(tmp_path, name) for name in files(tmp_path)[:-1]} == older
        assert (tmp_path / FOLDER / FILE).stat().st_size > 4000
    lost += say(tmp_path, range(60, 70))

    assert older
    assert lost == 0
    assert all_said(tmp_path) == list(range(70))
    assert (tmp_path / FOLDER / FILE).stat().st_size <= 2000
    assert f"{FILE}.0" not in files(tmp_path)


def test_an_older_one_that_is_held_costs_the_oldest_alone(tmp_path: Path) -> None:
    say(tmp_path, range(80))
    oldest, second, *_ = files(tmp_path)
    first_left = said(tmp_path, second)[0]
    with held(tmp_path / FOLDER / f"{FILE}.1"):
        lost = say(tmp_path, range(80, 140))
        assert all_said(tmp_path) == list(range(first_left, 140))
    lost += say(tmp_path, range(140, 145))
    left = all_said(tmp_path)

    assert oldest == f"{FILE}.4"
    assert lost == 0
    assert left == list(range(left[0], 145))
    assert f"{FILE}.0" not in files(tmp_path)
