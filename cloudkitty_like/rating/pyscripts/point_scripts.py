"""Scripts on ``data``, as CloudKitty's see it: points as dictionaries, to be changed, dropped or added.

Standard library only.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import is_
from types import CodeType
from typing import Any

from cloudkitty_like.rating.pyscripts.answer_checks import (
    POINTS,
    PRICE,
    InvalidAnswer,
    ScriptResult,
    columns,
    label_text,
    number_text,
    price_text,
)


def run(code: CodeType, period: Mapping[str, datetime], frames: Sequence[Any]) -> Iterator[ScriptResult]:
    """The usage afterwards: new prices by the number of the frame where nothing else has changed, else all points."""
    originals = [_Given(frame) for frame in frames]
    usage: dict[str, list[Any]] = {}
    for original in originals:
        usage.setdefault(original.metric, []).extend(original.points)
    names: dict[str, Any] = {"data": {"period": dict(period), "usage": usage}}
    exec(code, names)  # noqa: S102 - what all of this is for
    after = _usage(names.get("data"))
    for metric in dict.fromkeys(original.metric for original in originals):
        own = {place: original for place, original in enumerate(originals)
               if original.metric == metric}
        points = after.pop(metric, [])
        prices = _prices_alone(own, points, metric)
        if prices is not None:
            yield from prices
        else:
            yield metric, POINTS, _points(metric, points, own.values())
    for metric, points in after.items():
        yield metric, POINTS, _points(metric, points, ())


class _Given:
    """A frame as points, and what they were."""

    def __init__(self, packed: Sequence[Any]) -> None:
        self.metric, self.unit, qty, price, groupby, metadata = packed
        self.qty = list(map(Decimal, qty))
        # An unpriced point shows a price of 0.  It stays unpriced while it has this very object.
        self.nothing = Decimal(0)
        prices = [self.nothing if text is None else Decimal(text) for text in price] if price else \
            [self.nothing] * len(self.qty)
        self.labels = {"groupby": self._cells(groupby), "metadata": self._cells(metadata)}
        rows = [self._rows(cells) for cells in self.labels.values()]
        self.points = list(map(self._maker(), self.qty, prices, *rows))

    @staticmethod
    def _cells(packed: Sequence[Any]) -> dict[str, list[str]]:
        return {name: list(map(values.__getitem__, codes)) for name, (values, codes) in columns(packed).items()}

    def _rows(self, cells: Mapping[str, list[str]]) -> list[dict[str, str]]:
        """A dictionary of labels for each point, by a function made for these names: three times as fast as zip."""
        names = ", ".join(f"a{number}" for number in range(len(cells)))
        members = ", ".join(f"{name!r}: a{number}" for number, name in enumerate(cells))
        return list(map(eval(f"lambda {names}: {{{members}}}"), *cells.values())) if cells else \
            [{} for _ in self.qty]  # noqa: S307 - of our own making, from the repr of text

    def _maker(self) -> Callable[..., dict[str, Any]]:
        unit = self.unit

        def point(qty: Decimal, price: Decimal, groupby: dict[str, str], metadata: dict[str, str]) -> dict[str, Any]:
            return {"vol": {"unit": unit, "qty": qty}, "rating": {"price": price}, "groupby": groupby,
                    "metadata": metadata}

        return point

    def unchanged(self, points: Sequence[Any]) -> bool:
        """Whether these are the points as they were, their prices apart."""
        try:
            vols = [point["vol"] for point in points]
            lengths = {(len(point), len(vol)) for point, vol in zip(points, vols, strict=True)}
            return lengths <= {(4, 2)} and all(map(is_, [vol["qty"] for vol in vols], self.qty)) and \
                {vol["unit"] for vol in vols} <= {self.unit} and \
                all(self._same([point[kind] for point in points], cells) for kind, cells in self.labels.items())
        except (TypeError, KeyError):
            return False

    @staticmethod
    def _same(labels: Sequence[Any], cells: Mapping[str, list[str]]) -> bool:
        return set(map(len, labels)) <= {len(cells)} and all(
            [row[name] for row in labels] == column for name, column in cells.items())


def _usage(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict) or not isinstance(data.get("usage"), dict):
        raise InvalidAnswer("data is no dictionary with usage any more")
    usage = dict(data["usage"])
    for metric, points in usage.items():
        if not isinstance(metric, str):
            raise InvalidAnswer(f"{metric!r:.80} is no metric's name")
        if not isinstance(points, list | tuple):
            raise InvalidAnswer("its points are no list", metric)
    return usage


def _prices_alone(own: Mapping[int, _Given], points: Sequence[Any], metric: str) -> list[ScriptResult] | None:
    """The new prices of each frame; None where more than prices has changed."""
    if len(points) != sum(len(original.points) for original in own.values()):
        return None
    answers: list[ScriptResult] = []
    at = 0
    for place, original in own.items():
        frame_points = points[at:at + len(original.points)]
        if not original.unchanged(frame_points):
            return None
        answers.append((place, PRICE, _new_prices(original, frame_points, metric, at)))
        at += len(frame_points)
    return answers


def _new_prices(original: _Given, points: Sequence[Any], metric: str,
                first: int) -> list[str | None]:
    nothing = original.nothing
    try:
        ratings = [point["rating"] for point in points]
        if set(map(len, ratings)) <= {1}:
            prices = [rating["price"] for rating in ratings]
            if set(map(type, prices)) <= {Decimal}:
                return [None if price is nothing else str(price) for price in prices]
    except (KeyError, TypeError):
        pass
    texts = []
    for number, point in enumerate(points, first):
        price = _rating(point, metric, number)
        texts.append(None if price is nothing else price_text(price, metric, number))
    return texts


def _rating(point: Mapping[str, Any], metric: str, number: int) -> Any:
    """The price of a point; None where it has none."""
    rating = point.get("rating")
    if rating is None:
        return None
    if not isinstance(rating, dict) or list(rating) != ["price"]:
        raise InvalidAnswer(f"its rating is {rating!r:.80}, not {{'price': ...}}", metric, number)
    return rating["price"]


def _points(metric: str, points: Sequence[Any], own: Iterable[_Given]) -> Iterator[list[Any]]:
    """Unit, quantity, price, groupby and metadata of each."""
    nothings = [original.nothing for original in own]
    for number, point in enumerate(points):
        if not isinstance(point, dict):
            raise InvalidAnswer(f"it is {point!r:.80}, no point", metric, number)
        strange = sorted(map(str, set(point) - {"vol", "rating", "groupby", "metadata"}))
        if strange:
            raise InvalidAnswer(f"it has {strange[0][:80]!r}, which a point has not", metric, number)
        vol = point.get("vol")
        if not isinstance(vol, dict) or set(vol) != {"unit", "qty"}:
            raise InvalidAnswer(f"its vol is {vol!r:.80}, not unit and qty", metric, number)
        price = _rating(point, metric, number)
        if any(price is nothing for nothing in nothings):
            price = None
        yield [label_text(vol["unit"], "unit", metric, number), number_text(vol["qty"], "quantity", metric, number),
               price_text(price, metric, number), _label_texts(point, "groupby", metric, number),
               _label_texts(point, "metadata", metric, number)]


def _label_texts(point: Mapping[str, Any], name: str, metric: str, number: int) -> dict[str, str]:
    labels = point.get(name, {} if name == "metadata" else None)
    if not isinstance(labels, dict):
        raise InvalidAnswer(f"its {name} is {labels!r:.80}, no dictionary", metric, number)
    return {label_text(label, f"label in {name}", metric, number):
            label_text(value, f"{name} {label!r:.80}", metric, number) for label, value in labels.items()}
