"""What commands print: tables for people, JSON for programs."""
from __future__ import annotations

import json as _json
import os
import shutil
import sys
import unicodedata
from collections.abc import Collection, Sequence
from itertools import zip_longest

NARROWEST = 12          # columns that a wrapped cell takes at least


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = (),
          wrapped: Collection[str] = ()) -> None:
    """Columns as wide as their content; those named in ``right`` are flush right.

    Those named in ``wrapped`` take several lines where the table is wider than the terminal.
    """
    lines = [list(headers), *([printable(cell) for cell in row] for row in rows)]
    widths = _fitted([max(_width(line[n]) for line in lines) for n in range(len(headers))],
                     [n for n, header in enumerate(headers) if header in wrapped])
    for number, line in enumerate(lines):
        parts = [_pieces(cell, width) for cell, width in zip(line, widths, strict=True)]
        for pieces in zip_longest(*parts, fillvalue=""):
            print("  ".join(_padded(piece, width, header in right) for piece, width, header
                            in zip(pieces, widths, headers, strict=True)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def _padded(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if right else text + blanks


def _fitted(widths: list[int], wrapped: Sequence[int]) -> list[int]:
    """The widths of columns, those of ``wrapped`` cut down so that a line fits the terminal."""
    screen = screen_width()
    if screen is None:
        return widths
    fitted = list(widths)
    room = screen - 2 * (len(widths) - 1) - sum(width for n, width in enumerate(widths) if n not in wrapped)
    # From the narrowest on each takes what it needs, at most an equal share of the room that is left.
    for place, column in enumerate(sorted(wrapped, key=lambda n: widths[n])):
        fitted[column] = min(widths[column], max(room // (len(wrapped) - place), NARROWEST))
        room -= fitted[column]
    return fitted


def screen_width() -> int | None:
    """How many columns a line may take: what COLUMNS says, or the terminal; None where no terminal shows it."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _pieces(text: str, width: int) -> list[str]:
    """The text in lines of at most ``width`` columns, broken between words where that is possible."""
    if _width(text) <= width:
        return [text]
    pieces = [""]
    for word in text.split(" "):
        joined = f"{pieces[-1]} {word}" if pieces[-1] else word
        if _width(joined) <= width:
            pieces[-1] = joined
            continue
        pieces += [""] if pieces[-1] else []
        for character in word:
            if _width(pieces[-1] + character) > width:
                pieces.append("")
            pieces[-1] += character
    return pieces


def json(value: object) -> None:
    """One JSON document; amounts are strings, so that no reader makes floats of them."""
    _json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    print()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def printable(text: str) -> str:
    """Ids and labels come from elsewhere: no control character reaches the terminal."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
