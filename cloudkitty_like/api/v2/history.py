"""``/v2/history``: who has changed what, when and why."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudkitty_like.api.context import Context
from cloudkitty_like.api.fields import BooleanField, InstantField, TextField, TextListField
from cloudkitty_like.api.params import (
    NULLABLE,
    NUMBER,
    TEXT,
    WHOLE,
    Param,
    accepts,
    check_order,
    list_of,
    object_of,
    returns,
)
from cloudkitty_like.api.render import with_offset
from cloudkitty_like.api.v2.report_query import LIMIT, OFFSET
from cloudkitty_like.service.reports import history
from cloudkitty_like.service.reports.history import KINDS, HistoryEntry, HistoryFilter

ENTRY = object_of(at=TEXT, kind=TEXT, first=WHOLE, last=WHOLE, author=TEXT, cause=TEXT, reason=TEXT,
                  summary=TEXT,
                  begin=NULLABLE, end=NULLABLE, scopes=WHOLE, published=WHOLE, superseded=WHOLE,
                  price=NUMBER)


@dataclass(frozen=True)
class HistoryRoutes:
    """The changes of the rules and of the ledger."""

    history: history.ChangeHistory

    @returns(object_of(total=WHOLE, results=list_of(ENTRY)))
    @accepts(begin=Param(InstantField(), None, "first instant"),
             end=Param(InstantField(), None, "first instant after"),
             kind=Param(TextField(KINDS), None),
             scope_id=Param(TextListField(), (), "only what concerns these scopes"),
             everything=Param(BooleanField(), False, "ordinary rating too"), offset=OFFSET,
             limit=LIMIT)
    def get_all(self, context: Context, *, begin: datetime | None, end: datetime | None,
                kind: str | None,
                scope_id: Sequence[str], offset: int, limit: int, **more: bool) -> Any:
        """A page of changes, the newest first."""
        check_order(begin, end)
        history_filter = HistoryFilter(begin, end, KINDS if kind is None else (kind,),
                                       scope_id or None, more["everything"])
        entries = self.history.entries(history_filter)[::-1]
        return {"total": len(entries),
                "results": [_written(entry, context) for entry in entries[offset:offset + limit]]}


def _written(entry: HistoryEntry, context: Context) -> dict[str, Any]:
    period = entry.period
    return {"at": with_offset(entry.at), "kind": entry.kind, "first": entry.first,
            "last": entry.last,
            "author": entry.author, "cause": entry.cause, "reason": entry.reason,
            "summary": entry.summary,
            "begin": None if period is None else with_offset(period.begin),
            "end": None if period is None else with_offset(period.end),
            "scopes": entry.scopes, "published": entry.published, "superseded": entry.superseded,
            "price": None if entry.price is None else context.number(entry.price)}
