from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event

from cloudkitty_like.db.rules import rules
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.plugin import load_class
from cloudkitty_like.ports import PluginContext
from cloudkitty_like.rating.hashmap.module import HashmapModule
from cloudkitty_like.service.hashmap.apply import RuleApplication, apply
from cloudkitty_like.testing.rating import METRIC, RatingModuleContract

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = Period.starting(NOW - timedelta(days=1), timedelta(hours=1))
USAGE = [Frame.of_usage("m", "u", HOUR, [Decimal(3)], {"a": ["b"]})]


def put(database, *wanted, **how):
    apply(database, wanted, RuleApplication(NOW, **how), Change(NOW, "test", "apply"))
    with database.read() as tx:
        return rules.latest(tx)


def price(module, change, scope="s"):
    return module.tariff(change).rate(scope, HOUR, USAGE)[0].price[0]


def test_hashmap_is_installed_and_on_by_default():
    assert load_class("rating", "hashmap") is HashmapModule
    assert HashmapModule.enabled_by_default


def test_c17_a_period_can_be_rated_by_the_rules_of_any_change(database):
    module = HashmapModule.from_conf(None, PluginContext(database=database))
    first = put(database, Rule(service="m", cost=Decimal(1)))
    second = put(database, Rule(service="m", cost=Decimal(2)), Rule(service="m", cost=Decimal(5), scope="own"),
                 retroactive=True)
    gone = put(database, retroactive=True)
    assert [price(module, change) for change in (0, first, second, gone)] == [None, Decimal(3), Decimal(6), None]
    assert price(module, second, "own") == Decimal(15)


def test_c16_c19_a_change_of_now_leaves_the_price_of_what_was_before(database):
    module = HashmapModule(database)
    put(database, Rule(service="m", cost=Decimal(1)))
    change = put(database, Rule(service="m", cost=Decimal(2)))
    assert price(module, change) == Decimal(3)
    later = Period.starting(NOW, timedelta(hours=1))
    usage = [Frame.of_usage("m", "u", later, [Decimal(3)], {"a": ["b"]})]
    assert module.tariff(change).rate("s", later, usage)[0].price == (Decimal(6),)


def test_p3_p4_the_rules_are_read_by_one_query_for_all_scopes_and_periods(sqlite):
    change = put(sqlite, *(Rule(service=f"m{i % 5}", field="a", value=str(i), cost=Decimal(i), scope=f"s{i % 3}")
                           for i in range(300)))
    statements = []
    event.listen(sqlite.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    tariff = HashmapModule(sqlite).tariff(change)
    for number in range(20):
        tariff.rate(f"s{number}", HOUR, USAGE)
    assert len([text for text in statements if text.startswith("SELECT")]) == 1


class TestHashmap(RatingModuleContract):
    @pytest.fixture
    def rated(self, sqlite):
        change = put(sqlite, Rule(service=METRIC, field="flavor", value="m1", cost=Decimal("0.123456789")),
                     Rule(service=METRIC, level=Decimal(0), cost=Decimal(3), group="g"))
        return HashmapModule(sqlite), change

    @pytest.fixture
    def document(self):
        return [Rule(service=METRIC, cost=Decimal(7))]


def test_c17_c19_a_rule_is_told_as_it_was_known_at_any_change_with_who_recorded_it_and_why(database):
    module = HashmapModule(database)
    cost = [Rule(service="m", cost=Decimal(number), name=f"tariff {number}") for number in (1, 2)]
    changes = []
    for number, (author, rule) in enumerate(zip(("ann", "bob"), cost, strict=True), 1):
        apply(database, [rule], RuleApplication(NOW, retroactive=True),
              Change(NOW, author, "apply", f"reason {number}"))
        with database.read() as tx:
            changes.append(rules.latest(tx))
    with database.read() as tx:
        (identity,) = rules.stored(tx)
    for number, (change, author) in enumerate(zip(changes, ("ann", "bob"), strict=True), 1):
        (found,) = module.provenance(change, [identity, "unknown"]).values()
        assert (found.version, found.change, found.author, found.reason) == (number, change, author, f"reason {number}")
        assert (found.kind, found.name, found.recorded) == ("mapping", f"tariff {number}", NOW)
    assert module.provenance(0, [identity]) == {}
