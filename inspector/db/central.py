"""The site's database, named by URL: PostgreSQL, or SQLite where one machine is enough.

The same migrations make it. A station never works on it directly: it writes to its own file, and
its outbox is received here. Nothing that is SQLite's alone (pragmas, BEGIN IMMEDIATE, a copy before
a migration) is said to PostgreSQL; its backups are its administrator's.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

from sqlalchemy import Connection, Engine, create_engine, exc
from sqlalchemy.engine import URL, make_url

from engine.types import DatabaseError, InputError
from inspector.clock import utc_now
from inspector.db.connect import BUSY_MS, writing_engine
from inspector.db.errors import explained
from inspector.db.migrate import find_revision, newest_revision, upgrade
from inspector.db.outbox import Item, RowRefusedError
from inspector.db.payload import columns_of
from inspector.db.put import put
from inspector.db.run_info import write_rests
from inspector.db.side_tables import ReceivedRow
from inspector.db.tables import DefectRow, InspectionRow, ProductRow, RunRow
from inspector.db.turns import Turns
from inspector.db.upgrade import Upgraded, upgrade_file
from inspector.settings import SECRETS

PATIENCE: Final = MappingProxyType(
    {"connect_timeout": 5, "tcp_user_timeout": 10_000, "keepalives_idle": 5}
    | {"keepalives_interval": 2, "keepalives_count": 3}
)
"""Of PostgreSQL's client, in s (the second in ms): a peer that falls silent is given up."""
EXAMPLE: Final = "postgresql://inspector@server/inspections"
INSUFFICIENT_PRIVILEGE: Final = "42501"  # PostgreSQL's SQLSTATE
RAISED: Final = "P0"  # its class of what a function or a trigger raises


class Central:
    """Receives what stations send; :meth:`receive` is a forwarder's ``send``.

    :class:`InputError` for a URL that is none, :class:`DatabaseError` where the database cannot be
    reached, takes nothing or is of another schema,
    :class:`RowRefusedError` where it does not take a row. A row sent twice lands once.
    """

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self._turn: Callable[[], AbstractContextManager[None]] = nullcontext
        if self._url.get_backend_name() == "sqlite":
            self._turn = Turns(Path(str(self._url.database)), BUSY_MS).taken
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._engine = engine_of(self._url)
            stack.callback(self._engine.dispose)
            with reached(self._url), self._engine.begin() as connection:
                name = shown(self._url)
                if find_revision(connection, name) != newest_revision():
                    raise DatabaseError(
                        f"The database {name} has not this program's schema: "
                        "run 'inspector db upgrade' on it."
                    )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def receive(self, item: Item) -> bool:
        """Write one row of an outbox, all of it or nothing; False where it had arrived before."""
        try:
            with self._turn(), reached(self._url), self._engine.begin() as connection:
                return receive(connection, item, utc_now())
        except DatabaseError:
            self._engine.dispose()  # a session that began read-only stays so: begin another
            raise
        except (exc.StatementError, KeyError) as error:  # constraint, value, or what lacks either
            said = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise RowRefusedError(
                f"The database {shown(self._url)} refuses {item.key}: {said}."
            ) from error


def receive(connection: Connection, item: Item, now: datetime) -> bool:
    """The rows of one message, unless this revision of it is there.

    No message says when a run began. Here it did when that part was inspected which arrived first.
    """
    mark = {"key": item.key, "revision": item.revision, "received_at": now}
    if not put(connection, ReceivedRow, mark):
        return False
    run = columns_of(RunRow, item.payload["run"])
    part = columns_of(InspectionRow, item.payload["inspection"])
    write_rests(connection, run, item.payload["run"].get("bundle_name"), None, part["inspected_at"])
    put(connection, RunRow, {**run, "started_at": part["inspected_at"]})
    if part["product"] is not None:
        seen = {"name": part["product"], "first_seen_at": part["inspected_at"]}
        put(connection, ProductRow, seen)
    put(connection, InspectionRow, part)
    for defect in item.payload["defects"]:
        put(connection, DefectRow, columns_of(DefectRow, defect))
    return True


def upgrade_url(text: str) -> Upgraded:
    """Bring a database named by URL to this program's schema; an empty server's gets all tables."""
    url = parse_url(text)
    if url.get_backend_name() == "sqlite":
        return upgrade_file(Path(str(url.database)))
    engine = engine_of(url)
    try:
        with reached(url), engine.begin() as connection:
            found = find_revision(connection, shown(url))
            if found != newest_revision():
                upgrade(connection)
            return Upgraded(shown(url), found, newest_revision())
    finally:
        engine.dispose()


def parse_url(text: str) -> URL:
    """``postgresql://USER@HOST/NAME`` or ``sqlite:///PATH``; :class:`InputError` for others, which
    are not repeated: a password may stand anywhere in them."""
    try:
        url = make_url(text)
    except exc.ArgumentError:
        raise InputError(f"This is no URL of a database: try {EXAMPLE}.") from None
    except ValueError:
        raise InputError(f"The port in a database's URL is a number: try {EXAMPLE}.") from None
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and url.database:
        return url
    raise InputError(f"Only PostgreSQL and SQLite are supported, not {shown(url)}: try {EXAMPLE}.")


def engine_of(url: URL) -> Engine:
    """:class:`ModuleNotFoundError` of psycopg where its extra is not installed; :class:`InputError`
    where several hosts and ports in the query do not go together."""
    if url.get_backend_name() == "sqlite":
        return writing_engine(Path(str(url.database)))
    try:
        return create_engine(url, connect_args=dict(PATIENCE), pool_pre_ping=True)
    except (exc.ArgumentError, ValueError) as error:
        raise InputError(f"The URL {shown(url)} is not usable: {error}.") from error


def shown(url: URL) -> str:
    """For people: without passwords, without the driver; a file's path as it is."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{url.database or ''}"
    query = {name: said for name, said in url.query.items() if name.casefold() not in SECRETS}
    plain = url.set(drivername=url.get_backend_name(), query=query)
    return plain.render_as_string(hide_password=True)


@contextmanager
def reached(url: URL) -> Iterator[None]:
    """What a database says of itself, in one sentence; what it says of a row stays as it is.

    Of a row it speaks by a constraint, by a value that it cannot hold, or by a trigger of the
    site's own, and by nothing else: a server that is read-only, say, answers and takes no row, and
    none of them is at fault.
    """
    in_file: AbstractContextManager[None] = nullcontext()
    if url.get_backend_name() == "sqlite":
        in_file = explained(Path(str(url.database)))
    try:
        with in_file:
            yield
    except (exc.IntegrityError, exc.DataError):
        raise
    except exc.DBAPIError as error:
        if (getattr(error.orig, "sqlstate", None) or "").startswith(RAISED):
            raise
        raise DatabaseError(f"The database {shown(url)} {_trouble(error)}.") from error


def _trouble(error: exc.DBAPIError) -> str:
    driver = error.orig
    said = (str(driver).strip() or type(driver).__name__).splitlines()[0]
    if getattr(driver, "sqlstate", None) == INSUFFICIENT_PRIVILEGE:
        return "does not allow this user to do that: ask its administrator"
    # Without a statement it comes from connecting: from an option that there is not, say.
    away = error.statement is None or isinstance(error, (exc.OperationalError, exc.InterfaceError))
    if away and not isinstance(driver, sqlite3.Error):
        return f"does not answer ({said}): check its address, its server and who may enter"
    return f"takes nothing ({said}): ask its administrator"
