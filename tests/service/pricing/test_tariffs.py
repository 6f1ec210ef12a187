import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal, getcontext
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty_like.db.rules import rules
from cloudkitty_like.domain import money
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.rating.hashmap.module import HashmapModule
from cloudkitty_like.service.hashmap.apply import RuleApplication, apply
from cloudkitty_like.service.pricing.modules import decide
from cloudkitty_like.service.pricing.tariffs import Pricing, Tariffs

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = Period.starting(NOW, timedelta(hours=1))
CHANGE = Change(NOW, "test", "apply")


def frame(*qty, metric="m", period=HOUR):
    return Frame.of_usage(metric, "u", period, map(Decimal, qty), {"row": [f"{i:04}" for i in range(len(qty))]})


class Tariff:
    """A tariff that prices row by row with a function of the price so far and the quantity."""

    def __init__(self, price):
        self._price = price

    def rate(self, scope, period, frames):
        return [one.with_price(map(self._price, one.price, one.qty)) for one in frames]


class Answer:
    def __init__(self, frames):
        self._frames = frames

    def rate(self, scope, period, frames):
        return self._frames


def priced(*price):
    """What becomes of exact prices."""
    values = dict(enumerate(price))
    tariff = Tariff(lambda _, qty: values[int(qty)])
    return Pricing([("fake", tariff)]).rate("s", HOUR, [frame(*map(str, range(len(price))))])[0].price


def test_the_modules_run_in_their_order_each_on_what_the_one_before_answered():
    first = Tariff(lambda price, qty: qty if price is None else price)
    second = Tariff(lambda price, qty: price * 3)
    assert Pricing([("a", first), ("b", second)]).rate("s", HOUR, [frame("1", "2")])[0].price == (3, 6)


def test_a_price_is_rounded_once_half_even_to_twelve_decimals_after_the_last_module():
    assert priced(Decimal("0.0000000000005"), Decimal("0.0000000000015"), Decimal("-0.0000000000025")) == (
        Decimal(0), Decimal("0.000000000002"), Decimal("-0.000000000002"))
    tiny = Tariff(lambda price, qty: (price or 0) + Decimal("0.0000000000004"))
    assert Pricing([("a", tiny), ("b", tiny)]).rate("s", HOUR, [frame("1")])[0].price == (Decimal("0.000000000001"),)


def test_c51_unpriced_rows_stay_unpriced():
    assert priced(None, Decimal(1), None) == (None, Decimal(1), None)
    nothing = frame("1", "2")
    assert Pricing([]).rate("s", HOUR, [nothing]) == [nothing]


def test_it_is_computed_in_a_context_of_our_own_whatever_the_threads_is():
    thread = getcontext()
    before, thread.prec = thread.prec, 5
    try:
        tariff = Tariff(lambda _, qty: qty * Decimal("1.0000000001"))
        found = Pricing([("a", tariff)]).rate("s", HOUR, [frame("123456")])
    finally:
        thread.prec = before
    assert found[0].price == (Decimal("123456.0000123456"),)


@pytest.mark.parametrize("price", ["1E15", "-1E15", "999999999999999.9999999999995", "NaN", "sNaN", "Infinity"])
@pytest.mark.parametrize("beside", [None, Decimal(1)])
def test_a_price_that_cannot_be_stored_is_refused_by_the_metrics_name(price, beside):
    with pytest.raises(Invalid, match=r"\Am: a price of"):
        priced(Decimal(price), beside)


@pytest.mark.parametrize("price", [1.5, 1, "1", True])
def test_a_price_that_is_no_decimal_is_refused(price):
    with pytest.raises(Invalid, match="no Decimal"):
        priced(price, Decimal(1))
    with pytest.raises(Invalid, match="no Decimal"):
        priced(price, None)


@pytest.mark.parametrize("answer", [[None], ["frame"], [frame("1", period=HOUR.next())]])
def test_an_answer_that_is_no_frame_of_the_period_is_refused_by_the_modules_name(answer):
    with pytest.raises(Invalid, match="odd"):
        Pricing([("odd", Answer(answer))]).rate("s", HOUR, [frame("1")])


@settings(max_examples=300)
@given(st.lists(st.none() | st.decimals(-10**14, 10**14, places=18), min_size=1))
def test_rounding_many_is_rounding_each(price):
    assert priced(*price) == tuple(None if one is None else money.rounded(one) for one in price)


# --- tariffs by rule change ------------------------------------------------------------------------

def put(database, cost):
    apply(database, [Rule(service="m", cost=Decimal(cost))], RuleApplication(NOW, retroactive=True), CHANGE)
    return newest(database)


def newest(database):
    with database.read() as tx:
        return rules.latest(tx)


def test_each_change_has_its_prices_and_a_module_is_made_once(sqlite):
    made = []

    def load(name):
        made.append(name)
        return HashmapModule(sqlite)

    tariffs = Tariffs(sqlite, load, keep=2)
    changes = [0, put(sqlite, 1), put(sqlite, 2), put(sqlite, 3)]
    for _ in range(2):
        found = [tariffs.at(change).rate("s", HOUR, [frame("10")])[0].price[0] for change in changes]
        assert found == [None, 10, 20, 30]
    assert made == ["hashmap"]
    assert tariffs.at(changes[-1]) is tariffs.at(changes[-1])


def test_p4_the_rules_of_a_change_are_read_once(sqlite):
    read = []
    module = SimpleNamespace(tariff=lambda change: read.append(change) or Answer([]))
    tariffs = Tariffs(sqlite, lambda name: module)
    for _ in range(10):
        tariffs.at(0)
    assert read == [0]


def test_c6_nothing_is_rated_without_a_module_that_is_on(sqlite):
    def load(name):
        raise Invalid(f"{name} cannot be loaded")

    tariffs = Tariffs(sqlite, load)
    for _ in range(2):
        with pytest.raises(Invalid, match="hashmap cannot be loaded"):
            tariffs.at(0)
    decide(sqlite, CHANGE, "hashmap", enabled=False)
    usage = frame("1")
    assert tariffs.at(newest(sqlite)).rate("s", HOUR, [usage]) == [usage]


def test_c6_a_module_whose_rules_cannot_be_read_stops_rating_too(sqlite):
    def broken(change):
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk"):
        Tariffs(sqlite, lambda name: SimpleNamespace(tariff=broken)).at(0)


def test_many_threads_share_one_pricing(sqlite):
    tariffs, found = Tariffs(sqlite, lambda name: HashmapModule(sqlite)), []
    threads = [threading.Thread(target=lambda: found.append(tariffs.at(0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1
