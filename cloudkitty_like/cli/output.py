"""What commands print: tables for people, JSON for programs."""
from __future__ import annotations

import json as _json
import sys
import unicodedata
from collections.abc import Collection, Sequence


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = ()) -> None:
    """Columns as wide as their content; those named in ``right`` are flush right."""
    lines = [list(headers), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(_width(line[n]) for line in lines) for n in range(len(headers))]
    for number, line in enumerate(lines):
        cells = [
            " " * (widths[n] - _width(cell)) + cell if headers[n] in right else cell + " " * (widths[n] - _width(cell))
            for n, cell in enumerate(line)
        ]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def json(value: object) -> None:
    """One JSON document; amounts are strings, so that no reader makes floats of them."""
    _json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    print()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def printable(text: str) -> str:
    """Ids and labels come from elsewhere: no control character reaches the terminal."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
