"""``/v2/task/reprocesses``: asking for periods to be rated again, watching that, ending it and undoing it."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudkitty_like.api.context import Context, RouteAnswer
from cloudkitty_like.api.fields import InstantField, IntegerField, TextField, TextListField
from cloudkitty_like.api.params import (
    NULLABLE,
    NUMBER,
    TEXT,
    WHOLE,
    Param,
    accepts,
    list_of,
    object_of,
    returns,
)
from cloudkitty_like.api.render import naive
from cloudkitty_like.api.v2.report_query import LIMIT, OFFSET
from cloudkitty_like.domain.amounts import Amounts
from cloudkitty_like.domain.money import decimal
from cloudkitty_like.domain.task import FROM_SOURCE, Task, TaskTotals
from cloudkitty_like.service.corrections.tasks import QUANTITIES, CorrectionTasks

SUM = object_of(qty=NUMBER, price=NUMBER, points=WHOLE, unpriced=WHOLE)
TOTAL = object_of(metric=TEXT, unit=TEXT, before=SUM, after=SUM)
TASK = object_of(scope_id=TEXT, reason=TEXT, start_reprocess_time=TEXT, end_reprocess_time=TEXT,
                 current_reprocess_time=TEXT, id=WHOLE, quantities=TEXT, undoes={"type": ["integer", "null"]},
                 state=TEXT, error=NULLABLE, author=TEXT, periods=WHOLE, periods_done=WHOLE, periods_changed=WHOLE,
                 periods_left_alone=WHOLE, totals=list_of(TOTAL))
WHICH = Param(IntegerField(least=1), text="number of a task")
REASON = Param(TextField(longest=4000, may_be_empty=False))


@dataclass(frozen=True)
class TaskRoutes:
    """Both ends of a request are begins of periods, the last one included; inside they are half-open."""

    reprocessing: CorrectionTasks
    length: timedelta

    @returns(object_of(results=list_of(TASK)))
    @accepts(scope_ids=Param(TextListField(), ()), which=Param(TextField(), None, "id of a scope", hidden=True),
             order=Param(TextField(("asc", "desc"), fold=True), "desc"), offset=OFFSET, limit=LIMIT)
    def get_all(self, context: Context, *, scope_ids: Sequence[str], which: str | None, order: str,
                offset: int, limit: int) -> Any:
        """A page of tasks, the newest first unless asked otherwise; ended ones too."""
        scopes = [which] if which is not None else scope_ids
        tasks = self.reprocessing.tasks(scopes or None)
        if order == "desc":
            tasks.reverse()
        page = tasks[offset:offset + limit]
        totals = self.reprocessing.totals(page)
        return {"results": [self._written(task, totals[task.id], context) for task in page]}

    @returns({"type": "object"})
    @accepts(scope_ids=Param(TextListField()), start_reprocess_time=Param(InstantField()),
             end_reprocess_time=Param(InstantField()),
             reason=REASON, quantities=Param(TextField(QUANTITIES), FROM_SOURCE,
                                             "stored: those that the ledger has kept, without asking the source again"))
    def post(self, context: Context, *, scope_ids: Sequence[str], start_reprocess_time: datetime,
             end_reprocess_time: datetime, reason: str, quantities: str) -> Any:
        """Asks for the periods from the one that begins at the start to the one that begins at the end."""
        self.reprocessing.ask(scope_ids, start_reprocess_time, end_reprocess_time, author=context.author,
                              reason=reason, quantities=quantities)
        return RouteAnswer({}, 202)

    @accepts(which=WHICH)
    def delete(self, context: Context, *, which: int) -> Any:
        """Ends a task; what it has done stays."""
        self.reprocessing.cancel([which], author=context.author)
        return RouteAnswer(status=204)

    @returns(object_of(id=WHOLE))
    @accepts(which=WHICH, reason=REASON)
    def undo(self, context: Context, *, which: int, reason: str) -> Any:
        """Asks for what was there before a task to come back, where nobody has changed it since; the new task."""
        (number,) = self.reprocessing.undo([which], author=context.author, reason=reason)
        return RouteAnswer({"id": number}, 202)

    def _written(self, task: Task, totals: TaskTotals, context: Context) -> dict[str, Any]:
        done = "" if task.due is None or task.due == task.period.begin else naive(task.due - self.length)
        return {"scope_id": task.scope, "reason": task.reason, "start_reprocess_time": naive(task.period.begin),
                "end_reprocess_time": naive(task.period.end - self.length), "current_reprocess_time": done,
                "id": task.id, "quantities": task.kind, "undoes": task.undoes, "state": task.state,
                "error": task.error, "author": task.author, "periods": task.period.length // self.length,
                "periods_done": task.done(self.length), "periods_changed": task.changed,
                "periods_left_alone": task.left_alone,
                "totals": [{"metric": metric, "unit": unit,
                            "before": _sum(totals.before.get((metric, unit), Amounts()), context),
                            "after": _sum(totals.after.get((metric, unit), Amounts()), context)}
                           for metric, unit in sorted({*totals.before, *totals.after})]}


def _sum(amounts: Amounts, context: Context) -> dict[str, Any]:
    return {"qty": context.number(decimal(amounts.qty_whole, amounts.qty_part)),
            "price": context.number(decimal(amounts.price_whole, amounts.price_part)),
            "points": amounts.points, "unpriced": amounts.unpriced}
