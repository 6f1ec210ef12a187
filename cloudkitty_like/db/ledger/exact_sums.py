"""Sums of amounts in SQL that are exact on every database and cannot overflow.

An amount is two integer columns, ``<name>_whole`` and ``<name>_part``.
PostgreSQL and MariaDB add integers up in a decimal.  SQLite adds in 64 bits,
where two wholes of 9 * 10^18 or 10^8 parts of almost 10^12 would not fit; there
a column is added up in two pieces, its high and its low bits.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, func

from cloudkitty_like.domain import money
from cloudkitty_like.domain.query import Sum

SPLIT = {"whole": 32, "part": 20}      # bits of the low piece: either sum has room for 2^31 rows
AMOUNTS = ("qty", "price")


def sum_columns(table: FromClause, dialect: str) -> list[ColumnElement[Any]]:
    """What :func:`sum_of` reads: sums over the columns of a total."""
    pieces = [
        piece for name in AMOUNTS for kind, bits in SPLIT.items()
        for piece in pieces_of(table.c[f"{name}_{kind}"], bits, dialect)]
    return [func.sum(table.c.points), func.sum(table.c.unpriced), *pieces]


def pieces_of(column: ColumnElement[int], bits: int, dialect: str) -> list[ColumnElement[Any]]:
    """Sums that together are the exact sum of a column, ``bits`` of it in the low one; see :func:`joined`."""
    if dialect != "sqlite":
        return [func.sum(column)]
    # >> keeps the sign and & is of the two's complement, so this is exact below zero too.
    return [func.sum(column.bitwise_rshift(bits)), func.sum(column.bitwise_and((1 << bits) - 1))]


def sum_of(cells: Sequence[Any]) -> Sum:
    """The cells of :func:`sum_columns` as a Sum, whatever number type the driver answers with."""
    points, unpriced, *pieces = (int(cell or 0) for cell in cells)
    qty_whole, qty_part, price_whole, price_part = joined(pieces, [*SPLIT.values()] * len(AMOUNTS))
    return Sum(money.decimal(qty_whole, qty_part), money.decimal(price_whole, price_part), points, unpriced)


def joined(pieces: Sequence[int], bits: Sequence[int]) -> list[int]:
    """The sums of which these are the :func:`pieces_of`, column after column, given the bits of each."""
    if len(pieces) == len(bits):
        return list(pieces)
    return [(high << low_bits) + low for high, low, low_bits in zip(pieces[::2], pieces[1::2], bits, strict=True)]
