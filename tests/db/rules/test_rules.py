import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event, func, select

from cloudkitty_like.db import tables
from cloudkitty_like.db.rules import modules, rules
from cloudkitty_like.db.rules.modules import ModuleSetting
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import Conflict
from cloudkitty_like.domain.rule import Rule, Validity
from cloudkitty_like.domain.rule_diff import RuleDiff
from cloudkitty_like.service.hashmap.apply import RuleApplication, apply, stored
from cloudkitty_like.service.rule_changes.change_log import recorded

NOW = datetime(2026, 11, 1, 12, 30, 15, 123456, tzinfo=UTC)
RULE = Rule(service="instance", field="flavor", value="m1", cost=Decimal("0.1"))
EVERYTHING = Rule(
    service="Instance ", field="größe", value="m1.LARGE\t", type="rate", cost=Decimal("999999999999." + "9" * 28),
    group="g☃", scope="project'; --", name="n" * 255, description="long\n" * 500,
    valid=Validity(NOW, NOW + timedelta(days=1)))


def change(at=NOW, **values):
    return Change(at, values.get("author", "somebody"), "apply", values.get("reason", ""))


def put(database, *wanted, at=NOW, retroactive=False):
    return apply(database, wanted, RuleApplication(at, retroactive), change(at))


def known(database, number=None):
    with database.read() as tx:
        return list(rules.stored(tx, number).values())


def newest(database):
    with database.read() as tx:
        return rules.latest(tx)


def count(database, table):
    with database.read() as tx:
        return tx.execute(select(func.count()).select_from(table)).scalar()


def test_a_rule_is_read_as_it_was_written(database):
    threshold = Rule(service="s", level=Decimal("-0.00000001"), cost=Decimal("-1E-28"), field="f", scope="")
    put(database, RULE, EVERYTHING, threshold)
    assert sorted(known(database), key=str) == sorted([RULE, EVERYTHING, threshold], key=str)


def test_values_that_differ_in_case_accents_or_blanks_are_different_rules(database):
    values = ["m1", "M1", "m1 ", "ｍ1", "mi", "mí"]
    put(database, *(replace(RULE, value=value) for value in values))
    assert sorted(rule.value for rule in known(database)) == sorted(values)


def test_c17_rules_can_be_read_as_they_were_known_at_every_change(database):
    put(database, RULE)
    first = newest(database)
    dearer = replace(RULE, cost=Decimal(2))
    put(database, dearer, at=NOW + timedelta(days=1), retroactive=True)
    second = newest(database)
    put(database, at=NOW + timedelta(days=2), retroactive=True)
    third = newest(database)
    assert 0 < first < second < third
    assert [known(database, number) for number in (0, first, second, third, None)] == [[], [RULE], [dearer], [], []]
    assert stored(database, known_at=NOW + timedelta(days=1, seconds=-1)) == [RULE]
    assert stored(database, known_at=NOW + timedelta(days=1)) == [dearer]
    assert stored(database, known_at=NOW - timedelta(days=1)) == []


def test_c19_a_threshold_keeps_its_history_too_and_nothing_is_overwritten(database):
    threshold = Rule(service="s", level=Decimal(10), cost=Decimal(1))
    put(database, threshold)
    put(database, replace(threshold, cost=Decimal(2)), at=NOW + timedelta(days=1))
    with database.read() as tx:
        rows = tx.execute(select(tables.hashmap_rule).order_by(tables.hashmap_rule.c.id)).all()
    assert len(rows) == 3                                     # as first recorded; ended; the new one
    assert sorted((row.cost, row.valid_to is None, row.recorded_to is None) for row in rows) == [
        ("1", False, True), ("1", True, False), ("2", True, True)]


def test_doing_it_twice_records_nothing(database):
    put(database, RULE, EVERYTHING)
    before = count(database, tables.hashmap_rule), newest(database), count(database, tables.rule_change)
    assert not put(database, EVERYTHING, RULE, at=NOW + timedelta(days=400))
    assert (count(database, tables.hashmap_rule), newest(database), count(database, tables.rule_change)) == before


def test_who_when_and_why_are_kept(database):
    apply(database, [RULE], RuleApplication(NOW), change(author="a" * 300, reason="because"))
    with database.read() as tx:
        row = tx.execute(select(tables.rule_change)).one()
    assert (row.at, row.author, row.cause, row.reason) == (NOW, "a" * 255, "apply", "because")


def test_p3_all_rules_of_a_change_are_read_by_one_query(database):
    put(database, *(replace(RULE, value=f"v{i}", scope=f"p{i % 7}") for i in range(2000)))
    number = newest(database)
    statements = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert len(known(database, number)) == 2000
    assert len([text for text in statements if text.startswith("SELECT")]) == 1


def test_many_rules_can_end_at_once(database):
    put(database, *(replace(RULE, value=f"v{i}") for i in range(1200)))
    done = put(database, at=NOW + timedelta(days=1))
    assert len(done.changed) == 1200
    assert {rule.valid.end for rule in known(database)} == {NOW + timedelta(days=1)}


def test_c18_two_who_apply_at_once_do_not_both_record(database):
    """Each wants the same new rule at another cost: one cost holds, the rules do not overlap, nobody fails."""
    barrier = threading.Barrier(4)

    def one(cost):
        barrier.wait()
        put(database, replace(RULE, cost=Decimal(cost)), retroactive=True)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(one, [1, 2, 3, 4]))
    final = known(database)
    assert len(final) == 1
    # Everybody saw what was recorded before: the changes form one chain.
    with database.read() as tx:
        chain = tx.execute(select(tables.rule_change.c.id, tables.rule_change.c.previous)
                           .order_by(tables.rule_change.c.id)).all()
    assert [row.previous for row in chain] == [0, *(row.id for row in chain[:-1])]
    assert count(database, tables.hashmap_rule) == len(chain) == 4


def test_a_writer_who_could_not_see_the_last_change_gets_a_conflict(database):
    if database.dialect == "sqlite":
        pytest.skip("on SQLite the second writer waits for the first before it reads")

    def second():
        with database.write() as tx:
            return rules.record(tx, change())

    with ThreadPoolExecutor(1) as threads:
        with database.write() as tx:
            rules.record(tx, change())
            waiting = threads.submit(second)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        with pytest.raises(Conflict):
            waiting.result(timeout=30)


def test_work_that_fails_leaves_no_change_behind(database):
    def work(tx, number):
        rules.amend(tx, number, RuleDiff(added=(RULE,)))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        recorded(database, change(), work)
    assert newest(database) == 0
    assert known(database) == []


def test_modules_are_recorded_with_their_time(database):
    def record(name, *state):
        return recorded(database, change(), lambda tx, number: modules.record(tx, number, name, ModuleSetting(*state)))

    record("hashmap", True, 5)
    first = newest(database)
    record("hashmap", False, 5)
    record("other", True, -3)
    with database.read() as tx:
        assert modules.stored(tx) == {"hashmap": ModuleSetting(False, 5), "other": ModuleSetting(True, -3)}
        assert modules.stored(tx, first) == {"hashmap": ModuleSetting(True, 5)}
        assert modules.stored(tx, 0) == {}
