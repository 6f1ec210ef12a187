"""Sums of amounts in SQL that are exact on every database and cannot overflow.

An amount is two integer columns, ``<name>_whole`` and ``<name>_part``.
PostgreSQL and MariaDB add integers up in a decimal.  SQLite adds in 64 bits,
where two wholes of 9 * 10^18 or 10^8 parts of almost 10^12 would not fit; there
a column is added up in two pieces, its high and its low bits.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, FromClause, func

from cloudkitty_like.domain import money
from cloudkitty_like.domain.query import Sum

SPLIT = {"whole": 32, "part": 20}      # bits of the low piece: either sum has room for 2^31 rows
AMOUNTS = ("qty", "price")


def sum_columns(table: FromClause, dialect: str) -> list[ColumnElement[Any]]:
    """What :func:`sum_of` reads: sums over the columns of a total."""
    pieces = [
        piece for name in AMOUNTS for kind in SPLIT for piece in _pieces(table.c[f"{name}_{kind}"], kind, dialect)]
    return [func.sum(table.c.points), func.sum(table.c.unpriced), *pieces]


def _pieces(column: ColumnElement[int], kind: str, dialect: str) -> list[ColumnElement[Any]]:
    if dialect != "sqlite":
        return [func.sum(column)]
    bits = SPLIT[kind]
    # >> keeps the sign and & is of the two's complement, so this is exact below zero too.
    return [func.sum(column.bitwise_rshift(bits)), func.sum(column.bitwise_and((1 << bits) - 1))]


def sum_of(cells: Sequence[Any], dialect: str) -> Sum:
    """The cells of :func:`sum_columns` as a Sum, whatever number type the driver answers with."""
    points, unpriced, *pieces = (int(cell or 0) for cell in cells)
    rest = iter(pieces)
    qty, price = (_amount(rest, dialect) for _ in AMOUNTS)
    return Sum(qty, price, points, unpriced)


def _amount(pieces: Iterator[int], dialect: str) -> Decimal:
    whole, part = (
        next(pieces) if dialect != "sqlite" else (next(pieces) << bits) + next(pieces) for bits in SPLIT.values())
    return money.decimal(whole, part)
