"""What every rating module is held to: a module's test file is a fixture under this class.

::

    class TestMine(RatingModuleContract):
        @pytest.fixture
        def rated(self):
            module = MyModule.from_conf(group, Site(database=database))
            ...                               # rules for the metric ``contract_usage``, if it has any
            return module, change             # and the rule change at which they are there
"""
from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

import pytest

from cloudkitty_like.domain.explanation import EXACT, total
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.ports import RatingModule

METRIC = "contract_usage"
OTHER = "contract_other_usage"
HOUR = Period.starting(datetime(2026, 3, 1, 10, tzinfo=UTC), timedelta(hours=1))
ModulePoints = tuple[RatingModule, int]


def usage() -> list[Frame]:
    """Three metrics of one scope and period: one with labels, one with none but the scope, one without rows."""
    quantities = [Decimal(text) for text in ("0", "1", "0.000000000001", "-2.5", "999999999999999")]
    return [
        Frame.of_usage(METRIC, "piece", HOUR, quantities, {"project_id": ["p"] * 5, "id": list("abcde")},
                       {"flavor": ["m1", "m1", "m2", "", "東京"]}),
        Frame.of_usage(OTHER, "GiB", HOUR, [Decimal(7)], {"project_id": ["p"]}),
        Frame.of_usage("contract_nothing", "GiB", HOUR, [], {"project_id": []}),
    ]


class RatingModuleContract:
    """Subclass it, name it ``Test...``, and give it the fixture ``rated``."""

    @pytest.fixture
    def rated(self) -> ModulePoints:
        """The module, and a rule change at which it has rules."""
        raise NotImplementedError

    @pytest.fixture
    def document(self) -> object:
        """What ``candidate`` takes: other rules for ``contract_usage``; None where there is no such member."""
        return None

    def test_it_says_what_it_is(self, rated: ModulePoints) -> None:
        module, _ = rated
        assert isinstance(module.description, str)
        assert module.description
        assert isinstance(module.enabled_by_default, bool)

    def test_it_answers_frames_of_the_period_with_decimal_prices_or_none(self, rated: ModulePoints) -> None:
        module, change = rated
        for as_of in (0, change):
            answer = module.tariff(as_of).rate("p", HOUR, usage())
            assert all(isinstance(frame, Frame) and frame.period == HOUR for frame in answer)
            prices = [price for frame in answer for price in frame.price]
            assert all(price is None or (isinstance(price, Decimal) and price.is_finite()) for price in prices)

    def test_without_usage_it_answers_none(self, rated: ModulePoints) -> None:
        module, change = rated
        assert list(module.tariff(change).rate("p", HOUR, [])) == []

    def test_it_leaves_what_it_is_given_as_it_is(self, rated: ModulePoints) -> None:
        module, change = rated
        frames = usage()
        before = contents(frames)
        module.tariff(change).rate("p", HOUR, frames)
        assert contents(frames) == before

    def test_one_tariff_prices_alike_again_and_another_of_the_same_change_too(self, rated: ModulePoints) -> None:
        module, change = rated
        tariff = module.tariff(change)
        first = contents(tariff.rate("p", HOUR, usage()))
        assert contents(tariff.rate("p", HOUR, usage())) == first
        assert contents(module.tariff(change).rate("p", HOUR, usage())) == first

    def test_the_context_of_the_caller_does_not_matter(self, rated: ModulePoints) -> None:
        module, change = rated
        expected = contents(module.tariff(change).rate("p", HOUR, usage()))
        with localcontext() as context:
            context.prec = 3
            assert contents(module.tariff(change).rate("p", HOUR, usage())) == expected


    def test_where_it_explains_it_answers_the_same_and_the_parts_add_up_to_what_it_added(
            self, rated: ModulePoints) -> None:
        module, change = rated
        tariff = module.tariff(change)
        explain: Any = getattr(tariff, "explain", None)
        if explain is None:
            pytest.skip("it explains nothing")
        with localcontext(EXACT):
            once = tariff.rate("p", HOUR, usage())
            for frames in (usage(), once, []):
                explained = explain("p", HOUR, frames)
                assert contents(explained.frames) == contents(tariff.rate("p", HOUR, frames))
                before = prices(frames)
                assert len(explained.parts) == len(explained.frames)
                for frame, rows in zip(explained.frames, explained.parts, strict=True):
                    for (key, price), parts in zip(prices([frame]).items(), rows, strict=True):
                        assert total(parts) == (price or 0) - (before.get(key) or 0)
                        assert all(part.what and part.amount.is_finite() for part in parts)

    def test_the_rules_that_it_names_are_known_to_it(self, rated: ModulePoints) -> None:
        module, change = rated
        explain: Any = getattr(module.tariff(change), "explain", None)
        provenance: Any = getattr(module, "provenance", None)
        if explain is None or provenance is None:
            pytest.skip("it names no rules")
        ids = {part.rule for rows in explain("p", HOUR, usage()).parts for parts in rows for part in parts} - {None}
        origins = provenance(change, ids)
        assert {identity: origin.id for identity, origin in origins.items()} == {
            identity: identity for identity in ids}
        assert all(origin.version >= 1 and 0 < origin.change <= change
                   for origin in origins.values())
        assert provenance(change, ["none of them"]) == {}

    def test_a_candidate_is_of_its_document_alone_and_leaves_what_is_recorded(self, rated: ModulePoints,
                                                                              document: object) -> None:
        module, change = rated
        candidate: Any = getattr(module, "candidate", None)
        if candidate is None or document is None:
            pytest.skip("it tries nothing that is not recorded")
        before = contents(module.tariff(change).rate("p", HOUR, usage()))
        assert contents(candidate(document).rate("p", HOUR, usage())) != before
        assert contents(module.tariff(change).rate("p", HOUR, usage())) == before


def prices(frames: Sequence[Frame]) -> dict[tuple[object, ...], Decimal | None]:
    """The price of each row, by what makes it the same before and after rating."""
    return {(frame.metric, frame.unit, tuple(frame.groupby), tuple(frame.metadata), *row[:2]): row[3]
            for frame in frames for row in frame.rows()}


def contents(frames: Sequence[Frame]) -> list[tuple[object, ...]]:
    """All that a set of frames says, to be compared."""
    return [(frame.metric, frame.unit, frame.period, sorted(map(repr, frame.rows()))) for frame in frames]
