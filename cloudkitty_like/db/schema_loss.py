"""What is in the tables and columns of the state database that an older schema does not have."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, cast, column, func, inspect, select, table

TableColumns = Mapping[str, frozenset[str]]
"""The columns of each table, by the table's name."""


def shape(tx: Connection) -> TableColumns:
    """The tables and columns that there are, without Alembic's own."""
    look = inspect(tx)
    return {name: frozenset(info["name"] for info in look.get_columns(name))
            for name in look.get_table_names() if name != "alembic_version"}


def losses(tx: Connection, kept: TableColumns) -> list[tuple[str, int]]:
    """What ``kept`` has no place for: the name of a table, or table.column, and how many of its rows say something."""
    counts: list[tuple[str, int]] = []
    for name, columns in sorted(shape(tx).items()):
        if name not in kept:
            counts.append((name, _count(tx, name)))
            continue
        defaults = {info["name"]: info["default"] for info in inspect(tx).get_columns(name)}
        counts += [(f"{name}.{gone}", _count(tx, name, _says_something(gone, defaults[gone])))
                   for gone in sorted(columns - kept[name])]
    return [(name, rows) for name, rows in counts if rows]


def _says_something(name: str, default: Any) -> ColumnElement[bool]:
    """Whether a cell is neither empty nor what every row has that nobody has written to."""
    if default is None:
        return column(name).is_not(None)
    # 'source'::character varying, '0' and (0) are how databases tell a default.
    return cast(column(name), String(64)) != str(default).partition("::")[0].strip("'()")


def _count(tx: Connection, name: str, condition: ColumnElement[bool] | None = None) -> int:
    query = select(func.count()).select_from(table(name))
    return int(tx.execute(query if condition is None else query.where(condition)).scalar_one())
