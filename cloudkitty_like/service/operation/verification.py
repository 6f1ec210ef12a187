"""Whether the rolled-up answers are the sums of the points, to the last digit."""
from __future__ import annotations

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.ledger import writes
from cloudkitty_like.domain.money import plain
from cloudkitty_like.domain.query import DAY, METRIC, SCOPE, Query, Sum, SummaryRow
from cloudkitty_like.service.reports.summary import Summary

SumsByKey = dict[tuple[tuple[str, ...], str], Sum]


def differences(database: Database, summary: Summary) -> list[str]:
    """One line for each total that is not the sum of its points.

    Compared by scope, metric and unit: the points, the frames' totals, the
    days and the months; and the days by day.  Points recorded while this runs
    are left out of all of them; and where points are forgotten, the frames'
    totals stand for them.
    """
    by_day, by_metric = (SCOPE, METRIC, DAY), (SCOPE, METRIC)
    with database.read() as tx:
        change = writes.last_tx(tx)
    query = Query(scopes=None, groupby=by_day, as_of=change)
    kept, forgotten = map(_keyed, summary.points_and_forgotten(query))
    points = {group: kept.get(group, Sum()) + forgotten.get(group, Sum())
              for group in {*kept, *forgotten}}
    problems = _compared("points", points, "frames", _keyed(summary.rows(query)))
    with database.read() as tx:
        if writes.last_tx(tx) != change:
            return problems        # the rollups have moved on; the frames' totals were compared
    problems += _compared("points", points, "days",
                          _keyed(summary.rows(Query(scopes=None, groupby=by_day))))
    months = _keyed(summary.rows(Query(scopes=None, groupby=by_metric)))
    problems += _compared("points", _without_day(points), "months", months)
    return problems


def _keyed(rows: list[SummaryRow]) -> SumsByKey:
    return {(row.key, row.unit): row.sum for row in rows}


def _without_day(days: SumsByKey) -> SumsByKey:
    sums: SumsByKey = {}
    for (key, unit), total in days.items():
        group = key[:-1], unit
        sums[group] = sums[group] + total if group in sums else total
    return sums


def _compared(left_name: str, left: SumsByKey, right_name: str, right: SumsByKey) -> list[str]:
    problems = []
    for group in sorted({*left, *right}):
        left_sum, right_sum = left.get(group, Sum()), right.get(group, Sum())
        if left_sum != right_sum:
            (key, unit) = group
            problems.append(f"{' '.join(key)} {unit}: {left_name} {_text(left_sum)}, "
                            f"{right_name} {_text(right_sum)}")
    return problems


def _text(total: Sum) -> str:
    return (f"{plain(total.qty)} at {plain(total.price)} "
            f"({total.points} points, {total.unpriced} unpriced)")
