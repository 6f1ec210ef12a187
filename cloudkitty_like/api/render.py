"""Values as bytes: JSON, CSV, XML; instants as each version of the API writes them."""
from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import msgspec

ROWS_AT_ONCE = 500
_ENCODER = msgspec.json.Encoder()


def json_bytes(value: Any) -> bytes:
    """JSON in UTF-8, on one line, with a space behind each comma and colon as CloudKitty has it."""
    return msgspec.json.format(_ENCODER.encode(value), indent=0)


def naive(when: datetime | None) -> str | None:
    """As v1 writes an instant: UTC, without saying so."""
    return None if when is None else when.astimezone(UTC).replace(tzinfo=None).isoformat()


def with_offset(when: datetime | None) -> str | None:
    """As v2 writes an instant: ``2026-11-01T00:00:00+00:00``."""
    return None if when is None else when.astimezone(UTC).isoformat()


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """A table with a header, some rows at a time."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for number, row in enumerate(rows, 1):
        writer.writerow([_cell(cell) for cell in row])
        if number % ROWS_AT_ONCE == 0:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _cell(cell: Any) -> Any:
    # What a spreadsheet would take for a formula is made a text, as a label may come from anybody.
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not _is_number(cell):
        return f"'{cell}"
    return cell


def _is_number(text: str) -> bool:
    return text[1:].replace(".", "", 1).isdigit()


def xml_bytes(value: Any, name: str = "result") -> bytes:
    """JSON's values as elements, as WSME writes them: a list as ``item`` elements, null as ``nil``."""
    document: bytes = ElementTree.tostring(_element(name, value), encoding="utf-8")
    return document


def _tag(name: str) -> str:
    tag = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return tag if re.match("[A-Za-z_]", tag) else f"_{tag}"


def _element(name: str, value: Any) -> ElementTree.Element:
    element = ElementTree.Element(_tag(name))
    if value is None:
        element.set("nil", "true")
    elif isinstance(value, dict):
        element.extend(_element(key, cell) for key, cell in value.items())
    elif isinstance(value, list | tuple):
        element.extend(_element("item", cell) for cell in value)
    elif isinstance(value, bool):
        element.text = "true" if value else "false"
    else:
        element.text = re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", str(value))
    return element
