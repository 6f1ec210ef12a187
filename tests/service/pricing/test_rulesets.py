from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cloudkitty_like.db.rules import rulesets as rows
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import NotFound
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.service.hashmap.apply import RuleApplication, apply
from cloudkitty_like.service.pricing import rulesets
from cloudkitty_like.service.pricing.modules import decide

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CHANGE = Change(NOW, "test", "apply")


def current(database, metrics="metrics: {}", digest="d" * 64, software="1.0", now=NOW):
    return rulesets.current(database, metrics=metrics, digest=digest, software=software, now=now)


def test_a_version_stays_the_same_while_nothing_changes(database):
    first = current(database)
    assert current(database, now=NOW + timedelta(days=1)) == first
    assert rulesets.get(database, first.version) == first
    assert (first.change, first.metrics, first.software) == (0, "d" * 64, "1.0")


def test_rules_modules_metrics_and_software_each_make_a_new_version(database):
    seen = [current(database)]
    apply(database, [Rule(service="m", cost=Decimal(1))], RuleApplication(NOW), CHANGE)
    seen.append(current(database))
    decide(database, CHANGE, "hashmap", priority=7)
    seen.append(current(database))
    seen.append(current(database, digest="e" * 64, metrics="metrics: {a: 1}"))
    seen.append(current(database, software="1.1"))
    versions = [one.version for one in seen]
    assert versions == sorted(set(versions))
    assert len(versions) == 5
    assert [rulesets.get(database, version) for version in versions] == seen


def test_the_metrics_of_a_version_are_kept(database):
    text = "metrics:\n  a: {unit: ☃}\n" * 20_000
    version = current(database, metrics=text)
    with database.read() as tx:
        assert rows.document(tx, version.metrics) == text
        assert rows.document(tx, "0" * 64) is None


def test_many_workers_find_the_same_version(database):
    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(lambda _: current(database), range(12)))) == 1


def test_an_unknown_version_is_not_found(sqlite):
    with pytest.raises(NotFound, match="99"):
        rulesets.get(sqlite, 99)
