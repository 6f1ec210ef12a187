"""The scripts of one rule-set version, ready to rate: each in a process of its own, in their order."""
from __future__ import annotations

import base64
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.explanation import ExplainedFrames, LazySequence, PricePart
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.script import Script
from cloudkitty_like.rating.pyscripts.answer import ErrorContext, frames_after, shown
from cloudkitty_like.rating.pyscripts.answer_stream import AnswerMessage
from cloudkitty_like.rating.pyscripts.runner import PRINTED
from cloudkitty_like.rating.pyscripts.sandbox import Sandbox, ScriptAborted, packed_frames
from cloudkitty_like.service.pricing.trace import Trace

MODULE = "pyscripts"
SHOWN = 10
PrintHandler = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class CompiledScript:
    """A script as it is run; ``code`` is for its own process only."""

    id: str
    script: Script
    code: bytes
    form: str                          # "data" or "columns": see :mod:`.execution`


def compiled(sandbox: Sandbox, identity: str, script: Script) -> CompiledScript:
    """The script's code, compiled in the sandbox; Invalid, with line and reason, where it does not compile."""
    try:
        answer = sandbox.run({"job": "compile", "name": script.name, "text": script.text})
    except ScriptAborted as error:
        raise Invalid(f"it does not compile: {error}") from None
    if answer.syntax is not None:
        raise Invalid(f"line {answer.syntax.line}: {answer.syntax.reason}" if answer.syntax.line else
                      f"it does not compile: {answer.syntax.reason}")
    if answer.code is None:
        raise Invalid(f"it does not compile: {answer.failed or 'nobody knows why'}")
    return CompiledScript(identity, script, base64.b64decode(answer.code), answer.form)


@dataclass(frozen=True, slots=True)
class _Alone:
    """A tariff of one script."""

    rate: Callable[[str, Period, Sequence[Frame]], Sequence[Frame]]


class PyscriptsTariff:
    """Rates by scripts.  A :class:`~cloudkitty_like.ports.Tariff`.

    A script that holds for a period (at its begin) is run on all usage of one
    scope in it; the first of every ``recheck`` runs is done twice (0: never),
    and must come to the same.  ``printed`` is told what a script of that name prints.
    """

    def __init__(self, scripts: Mapping[str, Script], sandbox: Sandbox, scope_key: str, recheck: int,
                 printed: PrintHandler = lambda name, text: None) -> None:
        problems: list[str] = []
        self._scripts: list[CompiledScript] = []
        for identity, script in scripts.items():
            try:
                self._scripts.append(compiled(sandbox, identity, script))
            except Invalid as error:
                problems.append(f"script {script.name!r}: {error}")
        if problems:
            raise Invalid(*problems[:SHOWN])
        self._scripts.sort(key=lambda program: program.script.place)
        self._sandbox, self._scope_key, self._recheck, self._printed = sandbox, scope_key, recheck, printed
        self._runs: Counter[str] = Counter()
        self._counting = threading.Lock()

    @property
    def side_by_side(self) -> int:
        """Scopes that can be rated at a time; 0 where there is no script, and so nothing to wait for."""
        return self._sandbox.side_by_side if self._scripts else 0

    def rate(self, scope: str, period: Period, frames: Sequence[Frame]) -> Sequence[Frame]:
        """The frames as the scripts leave them.

        Invalid, with the script's own traceback, where one fails, runs too
        long or answers what is no usage; Unavailable where none can be run.
        """
        for program in self._in_force(period):
            frames = self._run(program, scope, period, frames)
        return frames

    def explain(self, scope: str, period: Period, frames: Sequence[Frame]) -> ExplainedFrames:
        """What ``rate`` answers to the same; a part is what one script made of a row."""
        trace = Trace(frames)
        named = {program.id: program.script.name for program in self._in_force(period)}
        for program in self._in_force(period):
            trace.through(program.id, _Alone(partial(self._run, program)), scope, period)
        return ExplainedFrames(trace.frames, [
            LazySequence(len(frame), partial(self._parts, trace, named, number))
            for number, frame in enumerate(trace.frames)])

    @staticmethod
    def _parts(trace: Trace, named: Mapping[str, str], frame: int, row: int) -> tuple[PricePart, ...]:
        return tuple(PricePart(MODULE, part.amount, f"script {named[part.module]}: {part.what}", part.module)
                     for part in trace.parts(frame, row))

    def _in_force(self, period: Period) -> list[CompiledScript]:
        return [program for program in self._scripts if period.begin in program.script.valid]

    def _run(self, program: CompiledScript, scope: str, period: Period,
             frames: Sequence[Frame]) -> Sequence[Frame]:
        if not any(map(len, frames)):
            return frames
        place = ErrorContext(program.script.name, scope, self._scope_key, period)
        request: dict[str, object] = {
            "job": "run", "name": program.script.name, "text": program.script.text,
            "code": program.code, "form": program.form,
            "begin": int(place.period.begin.timestamp()), "end": int(place.period.end.timestamp()),
            "frames": packed_frames(frames)}
        answer = self._answered(request, place)
        if answer.printed:
            self._printed(program.script.name, shown(answer.printed, PRINTED))
        if self._again(program) and self._answered(request, place).frames != answer.frames:
            raise place.wrong("two runs on the same usage came to different results; a script may depend on nothing "
                              "but the usage: not on the time, on chance, or on the order of a set")
        return frames_after(place, frames, answer.frames or ())

    def _again(self, program: CompiledScript) -> bool:
        """Count a run; whether it has to be done twice."""
        with self._counting:
            self._runs[program.id] += 1
            return self._recheck > 0 and self._runs[program.id] % self._recheck == 1 % self._recheck

    def _answered(self, request: dict[str, object], place: ErrorContext) -> AnswerMessage:
        try:
            answer = self._sandbox.run(request)
        except ScriptAborted as error:
            raise place.wrong(str(error)) from None
        if answer.wrong is not None:
            raise place.wrong(answer.wrong.reason, answer.wrong.metric, answer.wrong.point)
        if answer.failed is not None or answer.frames is None:
            raise place.wrong(f"it failed:\n{answer.failed}")
        return answer
