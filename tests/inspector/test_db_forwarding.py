"""What a station could not send waits, and lands once when the site's database is there."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine.types import DatabaseError
from inspector.app import NoScreen
from inspector.db.central import parse_url, upgrade_url
from inspector.db.forwarding import Forwarding
from inspector.db.log import InspectionLog
from inspector.db.outbox import pending
from inspector.db.turns import Turns
from inspector.db.writer import Writer
from inspector.pipeline.control import Control
from inspector.settings import SiteSettings
from inspector.station import StationSession
from tests.inspector.db_parts import inspection, run_info
from tests.inspector.line_parts import wait_for
from tests.inspector.station_parts import make_station


def arrived(site: Path) -> int:
    with closing(sqlite3.connect(site)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM inspection").fetchone()
    return int(count)


def test_records_wait_for_the_site_and_land_once(tmp_path: Path) -> None:
    station, site = tmp_path / "station.sqlite", tmp_path / "site.sqlite"
    said: list[str] = []
    with Writer(station) as writer:
        with InspectionLog(station, run_info(), writer=writer, outbox=True) as log:
            for number in range(3):
                log.write(inspection(number))
        with Forwarding(writer, f"sqlite:///{site}", said.append, pause_s=0.05):
            wait_for(lambda: len(said) == 1)
            assert "schema" in said[0]  # an empty file: nobody has made the site's tables yet
            assert pending(station) == 3
            upgrade_url(f"sqlite:///{site}")
            wait_for(lambda: pending(station) == 0)
            wait_for(lambda: said[-1] == "")
    assert arrived(site) == 3


def test_a_station_with_a_site_sends_each_record(tmp_path: Path) -> None:
    site = tmp_path / "site.sqlite"
    site.touch()
    upgrade_url(f"sqlite:///{site}")
    settings = make_station(tmp_path, "sim:disc?parts=4&size=64", site={"url": f"sqlite:///{site}"})
    session, control = StationSession(settings), Control()
    control.start()
    session.run(control, NoScreen())
    control = Control()
    control.start()
    session.run(control, NoScreen())
    # what the last run did not get to send is sent by the next
    assert arrived(site) + pending(session.database) == 8
    assert arrived(site) >= 4


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are Unicode")
def test_a_station_below_a_folder_whose_name_is_no_text_runs_and_sends(tmp_path: Path) -> None:
    (folder := tmp_path / os.fsdecode(b"Ger\xe4t")).mkdir()
    (site := folder / "site.sqlite").touch()
    upgrade_url(f"sqlite:///{site}")
    settings = make_station(folder, "sim:disc?parts=4&size=64", site={"url": f"sqlite:///{site}"})
    session, control = StationSession(settings), Control()
    control.start()
    session.run(control, NoScreen())

    assert arrived(site) + pending(session.database) == 4


@pytest.mark.parametrize(
    "url",
    [
        "mysql://server/inspections",
        "postgresql://me:secret@server/inspections",
        "postgresql://me:1234/secret@server/inspections",
        "postgresql://server/inspections?password=secret",
        "postgresql://server/inspections?sslmode=require&pass%77ord=secret",
        "postgresql://server/inspections?sslpassword=secret",
        "postgresql://server:54x2/inspections",
        "postgresql://::1/inspections",
        "sqlite://",
        "sqlite:///",
        "sqlite://site.sqlite",
    ],
)
def test_a_site_is_a_database_and_its_url_keeps_no_password(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SiteSettings(url=url)
    assert "secret" not in str(refused.value.errors()[0]["msg"])


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///inspections",
        "postgresql://me@server:5432/inspections?sslmode=require",
        "postgresql://[::1]:5432/inspections",
        "sqlite:///site.sqlite",
        "sqlite:////mnt/a:b@c/site.sqlite",
    ],
)
def test_what_a_site_may_be(url: str) -> None:
    assert SiteSettings(url=url).url == url
    parse_url(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://server:54x2/inspections", "The port in a database's URL is a number"),
        ("postgresql://127.0.0.1:1/inspections?sslmod=require", "sslmod"),
        ("postgresql:///inspections?host=a:1&host=b:2&port=3", "is not usable"),
        ("postgresql:///inspections?host=a:1:2&host=b:3:4", "is not usable"),
    ],
)
def test_a_slip_in_the_url_is_said_and_ends_no_run(tmp_path: Path, url: str, told: str) -> None:
    pytest.importorskip("psycopg", reason="the extra postgresql is not installed")
    said: list[str] = []
    with (
        Writer(tmp_path / "station.sqlite") as writer,
        Forwarding(writer, url, said.append, pause_s=0.01) as forwarding,
    ):
        wait_for(lambda: said != [], 30)
        assert told in said[0]
        assert forwarding._thread.is_alive()


def test_a_site_that_answers_after_the_end_is_no_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer is closed by then; what the site took is sent once more, and lands once."""
    monkeypatch.setattr("inspector.db.forwarding.PATIENCE_S", 0.05)
    station, site = tmp_path / "station.sqlite", tmp_path / "site.sqlite"
    said: list[str] = []
    site.touch()
    upgrade_url(f"sqlite:///{site}")
    with closing(sqlite3.connect(site, isolation_level=None)) as other:
        with (
            Writer(station) as writer,
            Forwarding(writer, f"sqlite:///{site}", said.append, pause_s=0.05) as forwarding,
        ):
            wait_for(lambda: said == [""], 30)
            other.execute("BEGIN EXCLUSIVE")
            with InspectionLog(station, run_info(), writer=writer, outbox=True) as log:
                log.write(inspection(0))
            wait_for(lambda: is_held(site), 30)
        assert forwarding._thread.is_alive()
        other.execute("ROLLBACK")
        forwarding._thread.join(30)

    assert not forwarding._thread.is_alive()
    assert said == [""]
    assert (arrived(site), pending(station)) == (1, 1)


def is_held(site: Path) -> bool:
    """Whether somebody has the turn to write into it."""
    try:
        with Turns(site, 0).taken():
            return False
    except DatabaseError:
        return True


def test_a_site_that_goes_away_meanwhile_is_said_once_and_so_is_its_return(tmp_path: Path) -> None:
    station, site = tmp_path / "station.sqlite", tmp_path / "site.sqlite"
    said: list[str] = []
    site.touch()
    upgrade_url(f"sqlite:///{site}")
    with (
        Writer(station) as writer,
        InspectionLog(station, run_info(), writer=writer, outbox=True) as log,
        Forwarding(writer, f"sqlite:///{site}", said.append, pause_s=0.05),
        closing(sqlite3.connect(site, isolation_level=None)) as other,
    ):
        wait_for(lambda: said == [""], 30)
        other.execute("BEGIN EXCLUSIVE")
        log.write(inspection(0))
        wait_for(lambda: len(said) == 2, 30)
        assert "locked" in said[1]
        other.execute("ROLLBACK")
        wait_for(lambda: said[-1] == "", 30)
        wait_for(lambda: pending(station) == 0, 30)
    assert len(said) == 3
    assert arrived(site) == 1


def test_a_site_that_one_run_lost_and_the_next_finds_well_is_said_to_be(tmp_path: Path) -> None:
    site = tmp_path / "site.sqlite"
    said: list[str] = []
    with Writer(tmp_path / "station.sqlite") as writer:
        with Forwarding(writer, f"sqlite:///{site}", said.append, pause_s=0.05):
            wait_for(lambda: len(said) == 1)
        upgrade_url(f"sqlite:///{site}")
        with Forwarding(writer, f"sqlite:///{site}", said.append, pause_s=0.05):
            wait_for(lambda: len(said) == 2)
    assert "schema" in said[0]
    assert said[1] == ""
