"""From what a script's process answers to frames: everything in it is looked at, nothing is believed."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from cloudkitty_like.domain import money
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.frame_schema import FrameSchema, LabelNames, frame_of_points
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.text import LONGEST_VALUE, storable
from cloudkitty_like.rating.pyscripts.answer_stream import AnswerPoint, FrameResult

LONGEST_NUMBER = 1000              # characters; an exact product of costs has some hundred digits
LONGEST_NAME, LONGEST_UNIT = 255, 64

LONGEST_ERROR = 5000
LEAST_EXPONENT, MOST_EXPONENT = -60, 18
"""Of the first digit that counts.  A zero may have a smaller one, as that adds up with every factor."""

Amount = tuple[Decimal, Decimal | None]
"""Quantity and price."""


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """Whose usage a script was given, to say what is wrong with its answer and where."""

    script: str
    scope: str
    scope_key: str
    period: Period

    def wrong(self, reason: str, metric: str = "", point: int | None = None, labels: Mapping[str, str] | None = None
              ) -> Invalid:
        """The error that names script, metric and point (0: the first)."""
        words = [f"script {self.script!r}"]
        if metric:
            words.append(f"metric {metric!r:.80}")
        if point is not None:
            named = ", ".join(f"{name}={value}" for name, value in (labels or {}).items())
            words.append(f"point {point + 1}" + (f" ({named[:200]})" if named else ""))
        return Invalid(shown(f"{', '.join(words)}: {reason}"))


def shown(text: str, longest: int = LONGEST_ERROR) -> str:
    """Text from a script's process, as it can be kept and shown: not too long, no control characters."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text[:longest])


def frames_after(place: ErrorContext, frames: Sequence[Frame],
                 answer: Iterable[FrameResult]) -> list[Frame]:
    """The frames that a script makes of those it was given; Invalid naming script, metric and point."""
    priced: dict[int, Frame] = {}
    replaced: dict[str, list[Frame]] = {}
    for result in answer:
        if result.points is not None:
            replaced[result.metric] = _frames(place, result.metric, result.points)
        elif 0 <= result.frame < len(frames) and len(result.price) == len(frames[result.frame]):
            frame = frames[result.frame]
            priced[result.frame] = frame.with_price(_prices(place, frame, result.price))
        else:
            raise place.wrong("its process answered about what it was not asked")
    kept = [priced.get(number, frame) for number, frame in enumerate(frames)
            if frame.metric not in replaced]
    return [*kept, *(frame for metric_frames in replaced.values() for frame in metric_frames)]


def _prices(place: ErrorContext, frame: Frame, texts: Sequence[str | None]) -> list[Decimal | None]:
    """New prices; where there is none the old one stays."""
    if None in texts:
        return [old if text is None else _price(place, frame, number, text)
                for number, (old, text) in enumerate(zip(frame.price, texts, strict=True))]
    try:
        if max(map(len, texts), default=0) <= LONGEST_NUMBER:  # type: ignore[arg-type]
            prices = list(map(Decimal, texts))  # type: ignore[arg-type]
            if not prices or (-money.POINT_LIMIT < min(prices) <= max(prices) < money.POINT_LIMIT
                              and _ordinary(prices)):
                return list(prices)
    except (InvalidOperation, ValueError):
        pass
    return [_price(place, frame, number, text or "") for number, text in enumerate(texts)]      # it says which


def _price(place: ErrorContext, frame: Frame, number: int, text: str) -> Decimal:
    try:
        return _amount("price", text)
    except Invalid as error:
        labels = {name: column.values[column.codes[number]] for name, column in frame.groupby.items()}
        raise place.wrong(str(error), frame.metric, number, labels) from None


def _ordinary(values: Sequence[Decimal]) -> bool:
    """Whether all exponents are in range; False also where a zero has to be looked at by itself."""
    exponents = set(map(Decimal.adjusted, values))
    return min(exponents) >= LEAST_EXPONENT and max(exponents) <= MOST_EXPONENT


def _amount(what: str, text: str) -> Decimal:
    if len(text) > LONGEST_NUMBER:
        raise Invalid(f"its {what} has {len(text)} digits")
    try:
        value = Decimal(text)
    except (InvalidOperation, ValueError):
        raise Invalid(f"its {what} is {text!r:.80}, no number") from None
    if not value.is_finite():
        raise Invalid(f"its {what} is {text}, no finite number")
    if not -money.POINT_LIMIT < value < money.POINT_LIMIT:
        raise Invalid(f"its {what} is {value:.6E}, out of range: a point stays below 10^15 in size")
    exponent = value.adjusted()
    if not (LEAST_EXPONENT if value else -LONGEST_NUMBER) <= exponent <= MOST_EXPONENT:
        raise Invalid(f"its {what} is {text:.40}, out of range: its exponent is {exponent}, not from "
                      f"{LEAST_EXPONENT} to {MOST_EXPONENT}")
    return value


def _frames(place: ErrorContext, metric: str, points: Sequence[AnswerPoint]) -> list[Frame]:
    """A metric's points as frames, one for each unit and set of labels; those with equal labels are added up."""
    shapes: dict[FrameSchema, dict[LabelNames, Amount]] = {}
    for number, (unit, qty, price, groupby, metadata) in enumerate(points):
        if place.scope:
            groupby.setdefault(place.scope_key, place.scope)
        try:
            _check(place, metric, unit, groupby, metadata)
            amount = _amount("quantity", qty), None if price is None else _amount("price", price)
        except Invalid as error:
            raise place.wrong(str(error), metric, number, groupby) from None
        names = sorted(groupby), sorted(metadata)
        cells = (*map(groupby.__getitem__, names[0]), *map(metadata.__getitem__, names[1]))
        rows = shapes.setdefault(FrameSchema(metric, unit, tuple(names[0]), tuple(names[1])), {})
        rows[cells] = _added(rows[cells], amount) if cells in rows else amount
    try:
        return [frame_of_points(place.period, shape, shapes[shape]) for shape in sorted(shapes)]
    except Invalid as error:
        raise place.wrong(str(error), metric) from None


def _added(amount: Amount, other: Amount) -> Amount:
    prices = [price for price in (amount[1], other[1]) if price is not None]
    with money.arithmetic():
        return amount[0] + other[0], sum(prices, money.ZERO) if prices else None


def _check(place: ErrorContext, metric: str, unit: str, groupby: Mapping[str, str],
           metadata: Mapping[str, str]) -> None:
    for problem in _problems(place, metric, unit, groupby, metadata):
        raise Invalid(problem)


def _problems(place: ErrorContext, metric: str, unit: str, groupby: Mapping[str, str],
              metadata: Mapping[str, str]) -> Iterator[str]:
    """What keeps a point from being this scope's, or from being stored."""
    for what, text, longest in (("metric", metric, LONGEST_NAME), ("unit", unit, LONGEST_UNIT)):
        if len(text) > longest or not storable(text):
            yield f"its {what} has more than {longest} characters or one that cannot be stored"
    if not metric:
        yield "its metric has no name"
    if place.scope and groupby[place.scope_key] != place.scope:
        yield f"its {place.scope_key} is {groupby[place.scope_key]!r:.80}, but this is the usage of {place.scope!r}"
    for labels in (groupby, metadata):
        for name, value in labels.items():
            if not name or len(name) > LONGEST_NAME or not storable(name):
                yield f"its label {name!r:.80} has no name, more than {LONGEST_NAME} characters or a strange one"
            if len(value) > LONGEST_VALUE or not storable(value):
                yield f"its label {name!r:.80} has more than {LONGEST_VALUE} characters or one that cannot be stored"
