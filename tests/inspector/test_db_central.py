"""The site's database: the same migrations, and rows that land once, on both kinds of database."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text

from engine.types import DatabaseError
from inspector.camera.base import PartIdentity
from inspector.db.central import Central, engine_of, parse_url, upgrade_url
from inspector.db.log import InspectionLog
from inspector.db.migrate import newest_revision
from inspector.db.outbox import Forwarder, Item, Patience, Round, RowRefusedError, pending
from inspector.db.tables import Base
from inspector.db.turns import Turns
from inspector.db.writer import Writer
from inspector.pipeline.inspection import Verdict
from tests.inspector.db_parts import SCRATCH, inspection, run_info
from tests.inspector.pipeline_parts import frame
from tests.inspector.postgres import postgres_server


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind, brought to our schema."""
    if request.param == "sqlite":
        with Writer(path := tmp_path / "site.sqlite"):
            pass
        return f"sqlite:///{path.as_posix()}"
    server = str(request.getfixturevalue("server"))
    engine = create_engine(parse_url(server))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    assert str(upgrade_url(server)).endswith(f"schema none → {newest_revision()}.")
    assert str(upgrade_url(server)).endswith("up to date.")
    return server


@pytest.fixture
def site(url: str) -> Iterator[Engine]:
    engine = engine_of(parse_url(url))
    yield engine
    engine.dispose()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Writer]:
    """A station with three parts to send: OK, NG, FAULT."""
    with Writer(tmp_path / "station.sqlite") as writer:
        said = '{"Width": 64}'
        named = replace(run_info(), bundle_name="gears", shift="late", camera_in_effect=said)
        with InspectionLog(Path(), named, outbox=True, writer=writer) as log:
            for n, verdict in enumerate(Verdict):
                seen = replace(frame(n), part=PartIdentity(serial=f"S{n}"))
                log.write(inspection(n, verdict, frame=seen))
        yield writer


def rows(site: Engine, query: str) -> list[tuple[object, ...]]:
    with site.begin() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_the_migrations_make_the_tables_that_the_code_declares(site: Engine) -> None:
    with site.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_what_a_station_sends_arrives_whole(url: str, site: Engine, station: Writer) -> None:
    with Central(url) as central:
        done = Forwarder(station, central.receive).forward_once()

    assert done == Round(3, 0)
    query = "SELECT verdict, reason, serial, product, score FROM inspection ORDER BY sequence"
    assert rows(site, query) == [
        ("OK", None, "S0", "disc", 0.1),
        ("NG", "defect", "S1", "disc", 0.9),
        ("FAULT", "black_frame", "S2", "disc", None),
    ]
    assert rows(site, "SELECT rank, area_px, peak FROM defect") == [(0, SCRATCH.area_px, 0.9)]
    query = "SELECT station, shift, steps, camera_in_effect FROM run"
    assert rows(site, query) == [("press 4", "late", 10, '{"Width": 64}')]
    assert rows(site, "SELECT name FROM bundle") == [("gears",)]
    assert rows(site, "SELECT name FROM product") == [("disc",)]


def test_ids_beyond_31_bits_arrive(url: str, site: Engine, tmp_path: Path) -> None:
    late = inspection(0, frame=replace(frame(0), frame_id=3_000_000_000))
    with Writer(tmp_path / "late.sqlite") as writer:
        with InspectionLog(Path(), run_info(), outbox=True, writer=writer) as log:
            log.write(late)
        with Central(url) as central:
            assert Forwarder(writer, central.receive).forward_once() == Round(1, 0)
    assert rows(site, "SELECT frame_id FROM inspection") == [(3_000_000_000,)]


def test_a_row_sent_twice_lands_once(url: str, site: Engine, station: Writer) -> None:
    sent: list[Item] = []
    with Central(url) as central:
        Forwarder(station, sent.append).forward_once()
        landed = [central.receive(item) for item in [*sent, *reversed(sent)]]

    assert landed == [True] * 3 + [False] * 3
    assert rows(site, "SELECT count(*) FROM inspection") == [(3,)]
    assert rows(site, "SELECT key, revision FROM received ORDER BY key") == [
        (inspection(n).id, 1) for n in range(3)
    ]


def test_a_station_that_dies_before_it_notes_sends_again_and_lands_once(
    url: str, site: Engine, station: Writer
) -> None:
    with Central(url) as central:

        def send_and_die(item: Item) -> None:
            central.receive(item)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            Forwarder(station, send_and_die).forward_once()
        freed = "UPDATE outbox SET lease_until = NULL"
        station.transact(lambda c: c.exec_driver_sql(freed))
        assert Forwarder(station, central.receive).forward_once() == Round(3, 0)

    assert rows(site, "SELECT count(*) FROM inspection") == [(3,)]


def test_a_row_that_breaks_a_rule_is_refused_whole_and_alone(
    url: str, site: Engine, station: Writer
) -> None:
    spoilt = "UPDATE outbox SET payload = replace(payload, '\"OK\"', '\"MAYBE\"') WHERE id = 1"
    station.transact(lambda c: c.exec_driver_sql(spoilt))
    with Central(url) as central:
        done = Forwarder(station, central.receive, patience=Patience(tries=1)).forward_once()

    assert done == Round(2, 1)
    assert rows(site, "SELECT count(*) FROM inspection") == [(2,)]
    assert rows(site, "SELECT count(*) FROM received") == [(2,)]


REFUSING = {
    "sqlite": (
        "CREATE TRIGGER site_rule BEFORE INSERT ON inspection WHEN NEW.serial = 'S0' "
        "BEGIN SELECT RAISE(ABORT, 'not of this site'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION site_rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.serial = 'S0' THEN RAISE EXCEPTION 'not of this site'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER site_rule BEFORE INSERT ON inspection "
        "FOR EACH ROW EXECUTE FUNCTION site_rule()",
    ),
}


def test_a_row_that_a_rule_of_the_sites_own_refuses_holds_no_other_up(
    url: str, site: Engine, station: Writer
) -> None:
    for statement in REFUSING[site.dialect.name]:
        execute(site, statement)
    with Central(url) as central:
        done = Forwarder(station, central.receive, patience=Patience(tries=1)).forward_once()

    assert done == Round(2, 1)
    assert rows(site, "SELECT serial FROM inspection ORDER BY serial") == [("S1",), ("S2",)]


def test_stations_that_send_to_one_file_take_turns(tmp_path: Path, station: Writer) -> None:
    path = tmp_path / "site.sqlite"
    with Writer(path):
        pass
    sent: list[Item] = []
    Forwarder(station, sent.append).forward_once()
    with Central(f"sqlite:///{path.as_posix()}") as central:
        with Turns(path, 0).taken():
            landing = Thread(target=central.receive, args=(sent[0],))
            landing.start()
            landing.join(0.3)
            assert landing.is_alive()
        landing.join(30)
        assert not landing.is_alive()


READ_ONLY = "default_transaction_read_only"
NOTHING = {
    "sqlite": ("ALTER TABLE received RENAME TO away", "ALTER TABLE away RENAME TO received"),
    "postgresql": (
        f"ALTER DATABASE postgres SET {READ_ONLY} = on",
        f"ALTER DATABASE postgres RESET {READ_ONLY}",
    ),
}


@contextmanager
def taking_nothing(site: Engine) -> Iterator[None]:
    """The site answers, has our schema, and takes no row: of PostgreSQL, each session begun now."""
    begin, end = NOTHING[site.dialect.name]
    execute(site, begin)
    try:
        yield
    finally:
        execute(site, end)


def execute(site: Engine, statement: str) -> None:
    with site.begin() as connection:
        connection.execute(text(statement))


def test_a_site_that_answers_and_takes_nothing_costs_no_row_a_try(
    url: str, site: Engine, tmp_path: Path, station: Writer
) -> None:
    with ExitStack() as opened:
        with taking_nothing(site):
            central = opened.enter_context(Central(url))
            forwarder = Forwarder(station, central.receive, patience=Patience(tries=1))
            done = forwarder.forward_once()
        assert (done.sent, done.refused) == (0, 0)
        assert "takes nothing (" in str(done.unreachable)
        assert pending(tmp_path / "station.sqlite") == 3
        assert forwarder.forward_once() == Round(3, 0)


def test_a_message_that_lacks_something_is_refused(url: str) -> None:
    empty = Item(1, "x", 1, {}, 0, None)
    with Central(url) as central, pytest.raises(RowRefusedError, match="refuses x"):
        central.receive(empty)


def test_what_a_newer_station_says_beyond_our_columns_is_left_out(
    url: str, site: Engine, station: Writer
) -> None:
    sent: list[Item] = []
    Forwarder(station, sent.append).forward_once()
    more = {**sent[0].payload["inspection"], "weather": "rain"}
    with Central(url) as central:
        assert central.receive(replace(sent[0], payload={**sent[0].payload, "inspection": more}))


def test_a_database_without_our_schema_is_refused(server: str) -> None:
    engine = create_engine(parse_url(server))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    with pytest.raises(DatabaseError, match="db upgrade"):
        Central(server).__enter__()
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE contacts (name TEXT)"))
    engine.dispose()
    with pytest.raises(DatabaseError, match="belongs to another program"):
        upgrade_url(server)


def test_a_server_that_went_away_costs_no_row_a_try(tmp_path: Path, station: Writer) -> None:
    with ExitStack() as opened:
        with postgres_server() as url:
            upgrade_url(url)
            central = opened.enter_context(Central(url))
        done = Forwarder(station, central.receive).forward_once()

    assert done.unreachable is not None
    assert "does not answer" in done.unreachable
    assert pending(tmp_path / "station.sqlite") == 3
