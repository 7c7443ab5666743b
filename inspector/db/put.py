"""Insert what may be there already: the same statement for SQLite and PostgreSQL."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, func
from sqlalchemy.dialects import postgresql, sqlite

from inspector.db.tables import Base

INSERT: Final[Mapping[str, Callable[[Table], sqlite.Insert | postgresql.Insert]]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def put(connection: Connection, row: type[Base], values: Mapping[str, Any]) -> bool:
    """Insert a row unless its primary key is there; True where it was new.

    Of one that is there, only columns that are NULL are filled: a bundle's name, a recipe's text.
    """
    table = row.__table__
    assert isinstance(table, Table)
    statement = INSERT[connection.dialect.name](table).values(**values)
    gaps = [name for name in values if table.c[name].nullable]
    # RETURNING, since psycopg tells no row count here.
    asked = statement.on_conflict_do_nothing().returning(*table.primary_key)
    new = connection.execute(asked).first() is not None
    if gaps and not new:
        keys = [column == values[column.name] for column in table.primary_key]
        filled = {name: func.coalesce(table.c[name], values[name]) for name in gaps}
        connection.execute(table.update().where(*keys).values(filled))
    return new
