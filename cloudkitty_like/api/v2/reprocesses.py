"""``/v2/task/reprocesses``: asking for periods to be rated again."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudkitty_like.api.context import Answer, Context
from cloudkitty_like.api.kinds import Moment, Text, Texts
from cloudkitty_like.api.params import TEXT, Param, gives, list_of, object_of, takes
from cloudkitty_like.api.render import naive
from cloudkitty_like.api.v2.asking import LIMIT, OFFSET
from cloudkitty_like.db.reprocessing import Task
from cloudkitty_like.service.reprocessing import Reprocessing

TASK = object_of(scope_id=TEXT, reason=TEXT, start_reprocess_time=TEXT, end_reprocess_time=TEXT,
                 current_reprocess_time=TEXT)


@dataclass(frozen=True)
class Reprocesses:
    """Both ends of a request are begins of periods, the last one included; inside they are half-open."""

    reprocessing: Reprocessing
    length: timedelta

    @gives(object_of(results=list_of(TASK)))
    @takes(scope_ids=Param(Texts(), ()), path_scope_id=Param(Text(), None, hidden=True),
           order=Param(Text(("asc", "desc"), fold=True), "desc"), offset=OFFSET, limit=LIMIT)
    def get_all(self, context: Context, *, scope_ids: Sequence[str], path_scope_id: str | None, order: str,
                offset: int, limit: int) -> Any:
        """A page of requests, the newest first unless asked otherwise; ended ones too."""
        wanted = [path_scope_id] if path_scope_id is not None else scope_ids
        found = self.reprocessing.tasks(wanted or None)
        if order == "desc":
            found.reverse()
        return {"results": [self._written(task) for task in found[offset:offset + limit]]}

    @gives({"type": "object"})
    @takes(scope_ids=Param(Texts()), start_reprocess_time=Param(Moment()), end_reprocess_time=Param(Moment()),
           reason=Param(Text(longest=4000, may_be_empty=False)))
    def post(self, context: Context, *, scope_ids: Sequence[str], start_reprocess_time: datetime,
             end_reprocess_time: datetime, reason: str) -> Any:
        """Asks for the periods from the one that begins at the start to the one that begins at the end."""
        self.reprocessing.ask(scope_ids, start_reprocess_time, end_reprocess_time, author=context.author,
                              reason=reason)
        return Answer({}, 202)

    def _written(self, task: Task) -> dict[str, Any]:
        done = "" if task.due is None or task.due == task.period.begin else naive(task.due - self.length)
        return {"scope_id": task.scope, "reason": task.reason, "start_reprocess_time": naive(task.period.begin),
                "end_reprocess_time": naive(task.period.end - self.length), "current_reprocess_time": done}
