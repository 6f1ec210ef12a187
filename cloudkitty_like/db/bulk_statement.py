"""One statement for many rows, straight to the driver: SQLAlchemy's own work per row would cost more than the row."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, UpdateBase


class BulkStatement:
    """A statement with a parameter for each of ``columns``; ``build`` makes it for a dialect's name.

    Values go to the driver as they are: instants must be integers already.
    """

    def __init__(self, columns: Sequence[str], build: Callable[[str], UpdateBase]) -> None:
        self._columns, self._build = tuple(columns), build
        self._texts: dict[str, tuple[str, tuple[str, ...] | None, tuple[Any, ...]]] = {}

    def run(self, tx: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Execute it once for each row, values in the order of the columns; how many rows of the table it met."""
        if not rows:
            return 0
        text, order, constants = self._text(tx)
        names = (*self._columns, *(name for name, _ in constants))
        fixed = tuple(value for _, value in constants)
        parameters: list[Any] = [row + fixed for row in rows] if fixed else list(rows)
        if order is None:
            parameters = [dict(zip(names, row, strict=True)) for row in parameters]
        elif order != names:
            parameters = list(map(itemgetter(*map(names.index, order)), parameters))
        return tx.exec_driver_sql(text, parameters).rowcount

    def _text(self, tx: Connection) -> tuple[str, tuple[str, ...] | None, tuple[Any, ...]]:
        """The statement, the order of its parameters (None: by name), and those that are the same for every row."""
        dialect = tx.dialect
        if dialect.name not in self._texts:
            name = "mysql" if dialect.name == "mariadb" else dialect.name
            compiled: Any = self._build(name).compile(dialect=dialect, column_keys=list(self._columns))
            order = tuple(compiled.positiontup) if compiled.positional else None
            constants = tuple((key, value) for key, value in compiled.params.items() if key not in self._columns)
            self._texts[dialect.name] = str(compiled), order, constants
        return self._texts[dialect.name]
