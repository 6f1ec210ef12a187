"""A total that is not the sum of its points is found, whichever table is wrong."""
from __future__ import annotations

import pytest
from sqlalchemy import text

from cloudkitty_like.db import tables
from cloudkitty_like.service.ledger.writer import Ledger
from cloudkitty_like.service.operation.verification import differences
from cloudkitty_like.service.reports.summary import Summary
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage
from cloudkitty_like.testing.databases import KINDS
from tests.databases import new_database
from tests.orchestrator.worker import Bench


@pytest.fixture(scope="module", params=KINDS)
def filled(request):
    """A ledger with its points in the same database; every test puts back what it breaks."""
    with new_database(request.param) as database:
        bench = Bench(database)
        bench.storage = SqlalchemyStorage(database, shares_transaction=True)
        bench.ledger = Ledger(database, bench.storage, bench.clock, "tester")
        bench.worker().drain()
        yield bench


def found(bench):
    return differences(bench.database, Summary(bench.database, bench.storage))


def test_a_sound_ledger_has_no_differences(filled):
    assert found(filled) == []


@pytest.mark.parametrize("column", ["qty_part", "price_part", "price_whole", "points", "unpriced"])
@pytest.mark.parametrize(("table", "name"), [("total", "frames"), ("day_total", "days"), ("month_total", "months")])
def test_one_digit_in_one_row_is_found_and_named(filled, table, name, column):
    first = "SELECT min(revision) FROM frame"
    where = "WHERE metric = 'ram' AND " + (
        f"revision = ({first})" if table == "total" else
        f"scope_id = (SELECT scope_id FROM frame WHERE revision = ({first}))")
    change(filled, f"UPDATE {table} SET {column} = {column} + 1 {where}")
    try:
        problems = found(filled)
    finally:
        change(filled, f"UPDATE {table} SET {column} = {column} - 1 {where}")
    assert len(problems) == 1
    assert "ram" in problems[0]
    assert name in problems[0]
    assert found(filled) == []


def test_a_point_that_was_changed_is_found_in_everything_that_adds_it_up(filled):
    where = "WHERE revision = (SELECT min(revision) FROM frame) AND qty_whole = 1"
    change(filled, f"UPDATE point SET qty_part = coalesce(qty_part, 0) + 1 {where}")
    try:
        problems = found(filled)
    finally:
        change(filled, f"UPDATE point SET qty_part = qty_part - 1 {where}")
    assert {name for name in ("frames", "days", "months") for problem in problems if name in problem} == \
        {"frames", "days", "months"}
    assert found(filled) == []


def test_points_that_nobody_published_do_not_count(filled):
    with filled.database.write() as tx:
        tx.execute(tables.revision_block.insert().values(first=1000, last=1000, at=filled.now))
        tx.execute(text("INSERT INTO appended SELECT 1000, scope, begin, \"end\", collected FROM appended "
                        "WHERE revision = 1" if filled.database.dialect != "mysql" else
                        "INSERT INTO appended SELECT 1000, scope, begin, `end`, collected FROM appended "
                        "WHERE revision = 1"))
        tx.execute(text("INSERT INTO point SELECT 1000, series, qty_whole, qty_part, price_whole, price_part "
                        "FROM point WHERE revision = 1"))
        tx.execute(text("UPDATE ledger_setting SET value = '1000' WHERE name = 'last_revision'"))
    assert found(filled) == []


def change(bench, statement):
    with bench.database.write() as tx:
        assert tx.execute(text(statement)).rowcount > 0
