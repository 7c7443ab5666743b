"""A station deletes old pictures while it runs, and only in a folder that nobody else writes to."""

import threading
import time
from pathlib import Path

import pytest

from inspector.app import NoScreen
from inspector.lock import TakenError, alone_in
from inspector.pipeline.events import EventCode
from inspector.settings import StationSettings
from inspector.station import StationSession
from tests.inspector.line_parts import wait_for
from tests.inspector.station_parts import make_recipe, make_station
from tests.inspector.test_pipeline_retention import keep
from tests.inspector.test_station_run import Watcher, go, said


@pytest.fixture
def settings(tmp_path: Path) -> StationSettings:
    return make_station(tmp_path, "sim:disc?size=64&fps=20")


@pytest.fixture
def old(settings: StationSettings) -> Path:
    """A picture of an OK part that has aged, by whatever clock, and three later days."""
    return [keep(settings.out, days, ok=True) for days in (997, 998, 999, 1000)][-1]


def retention_runs() -> bool:
    return "retention" in {thread.name for thread in threading.enumerate()}


def test_it_deletes_while_it_runs_and_says_so(settings: StationSettings, old: Path) -> None:
    with StationSession(settings, frames=3) as session:
        assert not retention_runs()
        go(session, Watcher(lambda part: wait_for(lambda: not old.exists(), 20)))
        assert not retention_runs()

    assert EventCode.PICTURES_RETIRED in said(session)


def test_one_that_is_refused_the_folder_deletes_nothing(
    settings: StationSettings, old: Path
) -> None:
    """As a second station's file with the same ``out`` and fewer days."""
    with alone_in(settings.out), StationSession(settings, frames=3) as session:
        time.sleep(0.5)  # a window that is open, and nobody has started it yet
        with pytest.raises(TakenError):
            go(session, NoScreen())

    assert old.exists()


def test_one_whose_recipe_does_not_fit_deletes_nothing(
    settings: StationSettings, old: Path
) -> None:
    with StationSession(settings, frames=3) as session:
        make_recipe(settings.recipe, "of another bundle", limit=1e6)
        with pytest.raises(Exception, match="bundle"):
            go(session, NoScreen())

    assert old.exists()
