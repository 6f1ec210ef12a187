"""Column types that mean the same on SQLite, PostgreSQL and MariaDB."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BINARY, BigInteger, Integer, LargeBinary, String, Text
from sqlalchemy.dialects.mysql import LONGTEXT, VARCHAR
from sqlalchemy.types import TypeDecorator, TypeEngine

from cloudkitty_like.domain.period import EPOCH

MICROSECOND = timedelta(microseconds=1)

# SQLite numbers rows by itself only where the key is declared INTEGER.
Serial = BigInteger().with_variant(Integer, "sqlite")

# 16 bytes.  MariaDB keeps a blob unique but cannot find it by its index.
Digest = LargeBinary(16).with_variant(BINARY(16), "mysql", "mariadb")

# Text longer than MariaDB's 64 kB.
Document = Text().with_variant(LONGTEXT(), "mysql", "mariadb")


def text(length: int) -> TypeEngine[str]:
    """Text compared byte for byte: MariaDB would find 'a', 'A' and 'a ' equal otherwise."""
    exact = VARCHAR(length, charset="utf8mb4", collation="utf8mb4_nopad_bin")
    return String(length).with_variant(exact, "mysql", "mariadb")


class InstantColumn(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970: no time zone, no rounding, no driver's opinion."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        return None if value is None else EPOCH + value * MICROSECOND


class SecondColumn(TypeDecorator[datetime]):
    """A period's begin or end, an aware datetime, kept as seconds since 1970; a day is ``begin / 86400``."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | int | None, dialect: Any) -> int | None:
        return value if value is None or isinstance(value, int) else seconds(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        return None if value is None else EPOCH + timedelta(seconds=value)


def seconds(when: datetime) -> int:
    """Whole seconds since 1970."""
    return (when - EPOCH) // timedelta(seconds=1)
