"""One script on the usage of one scope and period: what runs in a process of its own.  Standard library only.

A request is a marshalled dictionary, made by the sandbox; an answer is JSON, which is
all that is believed of a process that an operator's program has run in: the
sandbox checks it as it would anybody's.
"""
from __future__ import annotations

import base64
import decimal
import io
import json
import marshal
import symtable
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from types import CodeType
from typing import Any

from cloudkitty_like.rating.pyscripts import column_scripts, point_scripts
from cloudkitty_like.rating.pyscripts.answer_checks import POINTS, InvalidAnswer, ScriptResult
from cloudkitty_like.rating.pyscripts.bounds import (
    FULL_BYTES,
    POINT_BYTES,
    POINTS_EACH,
    POINTS_MORE,
    AnswerBounds,
)

DATA, COLUMNS = "data", "columns"
PRINTED = 64 * 1024                # characters that a script may print
TOLD = 4000                        # characters of what went wrong
INNERMOST = 20                     # of its frames
FILE = "<script "
DIGITS = 60
ROWS = 500                         # points in a piece of an answer
Writer = Callable[[bytes], None]


class _PrintBuffer(io.TextIOBase):
    """Standard output, of limited length."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._left = PRINTED

    def write(self, text: str) -> int:
        self._pieces.append(text[:self._left])
        self._left -= len(text)
        if self._left < 0:
            raise OSError(f"more than {PRINTED} characters were printed")
        return len(text)

    def text(self) -> str:
        return "".join(self._pieces)


def answer(request: bytes | bytearray, write: Writer) -> None:
    """Tell what the process has to say, in one message or in several.  It never raises for a script."""
    printed = _PrintBuffer()
    lines: list[str] = []
    try:
        fields = marshal.loads(request)  # noqa: S302 - of our own making
        lines = fields["text"].splitlines()
        if fields["job"] == "compile":
            said = json.dumps(_compiled(fields["name"], fields["text"])).encode()
        else:
            sys.stdout = sys.stderr = printed
            said = _run(fields, write).last(printed.text())
    except MemoryError:
        said = _failed("MemoryError: it needs more memory than a script may have", printed)
    except InvalidAnswer as wrong:
        said = json.dumps({"wrong": wrong.problem, "printed": printed.text()}).encode()
    except BaseException as error:      # SystemExit, and whatever else a script may raise
        said = _failed(_told(error, lines), printed)
    write(said)


def _failed(text: str, printed: _PrintBuffer) -> bytes:
    return json.dumps({"failed": text[-TOLD:], "printed": printed.text()}).encode()


def _told(error: BaseException, lines: Sequence[str] = ()) -> str:
    """The traceback of the script alone, nothing of ours; ``lines`` are its source."""
    try:
        said = f"{type(error).__name__}: {error}".removesuffix(": ")
        frames: deque[str] = deque(maxlen=INNERMOST)       # of what may be millions, in a process short of memory
        place = error.__traceback__
        while place is not None:
            code, number = place.tb_frame.f_code, place.tb_lineno
            if code.co_filename.startswith(FILE):
                source = lines[number - 1].strip() if 0 < number <= len(lines) else ""
                frames.append(f'  File "{code.co_filename}", line {number}, in {code.co_name}\n'
                              + (f"    {source}\n" if source else ""))
            place = place.tb_next
        head = "Traceback (most recent call last):\n" if frames else ""
        return head + "".join(frames) + said
    except BaseException:               # an exception of the script's own, that cannot even be printed
        return type(error).__name__


# --- compiling ------------------------------------------------------------------------------------


def _compiled(name: str, text: str) -> dict[str, Any]:
    """The script's code, and which form it has; where it does not compile the line and why."""
    try:
        code = compile(text, _filename(name), "exec", dont_inherit=True)
        names = symtable.symtable(text, name, "exec")
    except SyntaxError as error:
        return {"syntax": {"line": error.lineno or 0, "reason": error.msg}}
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return {"syntax": {"line": 0, "reason": str(error) or type(error).__name__}}
    form = COLUMNS if _defines_rate(names) and not _reads_data(names) else DATA
    return {"code": base64.b64encode(marshal.dumps(code)).decode(), "form": form}


def _defines_rate(names: symtable.SymbolTable) -> bool:
    return any(child.get_name() == "rate" and child.get_type() == "function" for child in names.get_children())


def _reads_data(table: symtable.SymbolTable) -> bool:
    """Whether the script uses the global ``data``: then it is of the other form, its ``rate`` an affair of its own."""
    if "data" in table.get_identifiers() and (table.get_type() == "module" or table.lookup("data").is_global()):
        return True
    return any(map(_reads_data, table.get_children()))


def _filename(name: str) -> str:
    return f"{FILE}{name}>"


# --- running --------------------------------------------------------------------------------------


def _run(fields: Mapping[str, Any], write: Writer) -> _Pieces:
    code: CodeType = marshal.loads(fields["code"])  # noqa: S302 - compiled in such a process
    period = {name: datetime.fromtimestamp(fields[name], UTC) for name in ("begin", "end")}
    context = decimal.Context(prec=DIGITS, rounding=decimal.ROUND_HALF_EVEN)
    decimal.setcontext(context)
    decimal.DefaultContext.prec = DIGITS
    form = column_scripts if fields["form"] == COLUMNS else point_scripts
    pieces = _Pieces(fields["frames"], write)
    for result in form.run(code, period, fields["frames"]):
        pieces.add(result)
    return pieces


class _Pieces:
    """An answer on its way, in pieces; they are sent as soon as they make a full message."""

    def __init__(self, frames: Sequence[Any], write: Writer) -> None:
        self._bounds = AnswerBounds.of_usage(frames)
        self._metrics = [frame[0] for frame in frames]
        self._write = write
        self._pending: list[str] = []
        self._size, self._rows, self._cells = 0, 0, 0

    def add(self, result: ScriptResult) -> None:
        """The prices of a frame, or all points of a metric."""
        whose, kind, rows = result
        left, first = iter(rows), 0
        while True:
            piece = list(islice(left, ROWS))
            if piece or not first:
                self._count(whose, kind, piece, first)
                self._put(whose, kind, piece, first)
            first += len(piece)
            if len(piece) < ROWS:
                return

    def last(self, printed: str) -> bytes:
        """The message that ends the answer."""
        return f'{{"frames":[{",".join(self._pending)}],"printed":{json.dumps(printed)}}}'.encode()

    def _count(self, whose: str | int, kind: str, piece: Sequence[Any], first: int) -> None:
        self._rows += len(piece)
        if self._rows > self._bounds.points:
            raise InvalidAnswer(f"there are more than {self._bounds.points} points now, "
                                f"{POINTS_EACH} for each that was given "
                                f"and {POINTS_MORE}", self._metric(whose))
        if kind != POINTS:
            return
        for number, point in enumerate(piece, first):
            labels = len(point[3]) + len(point[4])
            self._cells += labels
            if labels > self._bounds.labels:
                raise InvalidAnswer(f"it has more than {self._bounds.labels} labels", self._metric(whose), number)
        if self._cells > self._bounds.cells:
            raise InvalidAnswer(f"all points together have more than {self._bounds.cells} labels", self._metric(whose))

    def _put(self, whose: str | int, kind: str, piece: Sequence[Any], first: int) -> None:
        text = json.dumps({"metric" if kind == POINTS else "frame": whose, kind: piece})
        if len(text) > POINT_BYTES:
            if len(piece) < 2:
                raise InvalidAnswer(f"it takes more than {POINT_BYTES} bytes", self._metric(whose), first)
            middle = len(piece) // 2
            self._put(whose, kind, piece[:middle], first)
            self._put(whose, kind, piece[middle:], first + middle)
            return
        self._pending.append(text)
        self._size += len(text)
        if self._size >= FULL_BYTES:
            self._write(f'{{"more":true,"frames":[{",".join(self._pending)}]}}'.encode())
            self._pending, self._size = [], 0

    def _metric(self, whose: str | int) -> str:
        return whose if isinstance(whose, str) else self._metrics[whose]
