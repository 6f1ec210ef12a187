"""Scripts that define ``rate(frame)``: prices from columns.  Standard library only."""
from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import CodeType
from typing import Any

from cloudkitty_like.rating.pyscripts.answer_checks import (
    PRICE,
    InvalidAnswer,
    LabelColumn,
    ScriptResult,
    columns,
    price_texts,
)


class ColumnFrame:
    """What a script that defines ``rate(frame)`` is given: the usage of one metric as columns of equal length.

    ``frame["flavor"]`` is a label's text in every row, empty where a row lacks
    it.  ``values(label)`` and ``codes(label)`` are the same, dictionary-encoded:
    row ``i`` holds ``values[codes[i]]``.
    """

    def __init__(self, metric: str, unit: str, period: Mapping[str, datetime], qty: list[Decimal],
                 price: list[Decimal | None], labels: Mapping[str, LabelColumn]) -> None:
        self.metric, self.unit, self.period, self.qty, self.price = metric, unit, period, qty, price
        self._labels = labels

    @property
    def labels(self) -> list[str]:
        """The names of its labels."""
        return list(self._labels)

    def __getitem__(self, label: str) -> list[str]:
        if label not in self._labels:
            return [""] * len(self.qty)
        values, codes = self._labels[label]
        return [values[code] for code in codes]

    def values(self, label: str) -> Sequence[str]:
        return self._labels[label][0] if label in self._labels else ("",)

    def codes(self, label: str) -> Sequence[int]:
        return self._labels[label][1] if label in self._labels else array("I", bytes(4 * len(self.qty)))

    def __len__(self) -> int:
        return len(self.qty)


def run(code: CodeType, period: Mapping[str, datetime], frames: Sequence[Any]) -> Iterator[ScriptResult]:
    """New prices, by the number of the frame; nothing of frames that the script has none for."""
    names: dict[str, Any] = {"__name__": "script"}
    exec(code, names)  # noqa: S102 - what all of this is for
    rate: Callable[[ColumnFrame], Any] = names["rate"]
    for place, (metric, unit, qty, price, groupby, metadata) in enumerate(frames):
        before: list[Decimal | None] = [None] * len(qty)
        if price:
            before = [None if text is None else Decimal(text) for text in price]
        frame = ColumnFrame(metric, unit, dict(period), list(map(Decimal, qty)), before,
                            {**columns(metadata), **columns(groupby)})
        prices = rate(frame)
        if prices is None:
            continue
        prices = list(prices)
        if len(prices) != len(qty):
            raise InvalidAnswer(f"rate answered {len(prices)} prices for {len(qty)} points", metric)
        yield place, PRICE, price_texts(prices, metric, 0)
