"""Sums of amounts in SQL that are exact on every database and cannot overflow.

An amount is two integer columns, ``<name>_whole`` and ``<name>_part``.  SQLite
adds in 64 bits, where 10^8 parts of almost 10^12 would not fit; so a part is
added up in two pieces of 20 and fewer than 20 bits.
"""
from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, func, literal

from cloudkitty_like.domain import money
from cloudkitty_like.domain.query import Sum

LOW_BITS = 20
LOW_MASK = (1 << LOW_BITS) - 1


def sum_columns(table: FromClause) -> list[ColumnElement[Any]]:
    """What :func:`sum_of` reads: eight sums over the columns of a total."""
    return [
        *_pieces(table, "qty"), *_pieces(table, "price"),
        func.sum(table.c.points), func.sum(table.c.unpriced),
    ]


def _pieces(table: FromClause, name: str) -> list[ColumnElement[Any]]:
    whole, part = table.c[f"{name}_whole"], table.c[f"{name}_part"]
    bits = literal(LOW_BITS, Integer)          # PostgreSQL shifts a bigint by an integer only
    return [func.sum(whole), func.sum(part.bitwise_rshift(bits)), func.sum(part.bitwise_and(LOW_MASK))]


def joined(whole: Any, high: Any, low: Any) -> Decimal:
    """One amount from its three sums, whatever number type the driver answers with."""
    return money.decimal(int(whole or 0), (int(high or 0) << LOW_BITS) + int(low or 0))


def sum_of(cells: Sequence[Any]) -> Sum:
    """The eight cells of :func:`sum_columns` as a Sum."""
    return Sum(joined(*cells[0:3]), joined(*cells[3:6]), int(cells[6] or 0), int(cells[7] or 0))
