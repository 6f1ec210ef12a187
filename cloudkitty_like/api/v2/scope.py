"""``/v2/scope``: which scopes there are, how far each is rated, and from where it is to be rated again."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloudkitty_like.api.context import Context, RouteAnswer
from cloudkitty_like.api.fields import BooleanField, InstantField, TextField, TextListField
from cloudkitty_like.api.params import (
    FLAG,
    NULLABLE,
    TEXT,
    Param,
    accepts,
    list_of,
    object_of,
    returns,
)
from cloudkitty_like.api.render import with_offset
from cloudkitty_like.api.v2.report_query import LIMIT, OFFSET
from cloudkitty_like.domain.errors import Invalid, NotFound
from cloudkitty_like.domain.hole import sentences
from cloudkitty_like.domain.scope import LONGEST, Scope
from cloudkitty_like.domain.scope_state import ScopeState
from cloudkitty_like.service.operation.scopes import ScopeFilter, Scopes

NAME = TextField(longest=64)
NAMES = {name: Param(TextListField(), ()) for name in ("scope_key", "fetcher", "collector")}
SCOPE = object_of(scope_id=TEXT, scope_key=TEXT, fetcher=TEXT, collector=TEXT, last_processed_timestamp=NULLABLE,
                  state=NULLABLE, active=FLAG, scope_activation_toggle_date=TEXT)
WHY = "asked for over the API"


@dataclass(frozen=True)
class ScopeRoutes:
    """``length`` is that of the ledger's periods; the names are those of the plugins in use."""

    scopes: Scopes
    length: timedelta
    scope_key: str
    fetcher: str
    collector: str

    @returns(object_of(results=list_of(SCOPE)))
    @accepts(scope_id=Param(TextListField(), ()), **NAMES,
             active=Param(TextListField(BooleanField()), ()), offset=OFFSET, limit=LIMIT)
    def get_all(self, context: Context, *, active: Sequence[bool], offset: int, limit: int, **names: Any) -> Any:
        """A page of scopes, by id; NotFound where there is none."""
        which = _which(**names)
        states = [state for state in self.scopes.selected(which)
                  if not active or state.active in active]
        page = states[offset:offset + limit]
        if not page:
            raise NotFound("No resource found for provided filters.")
        return {"results": [self._written(state) for state in page]}

    @returns(object_of("warnings", warnings=list_of(TEXT)))
    @accepts(all_scopes=Param(BooleanField(), False), scope_id=Param(TextListField(), ()), **NAMES,
             last_processed_timestamp=Param(InstantField(), text="rate from the period that holds this", alias="state"),
             reason=Param(TextField(longest=4000), "", "kept with the change"))
    def put(self, context: Context, *, all_scopes: bool, last_processed_timestamp: datetime, reason: str,
            **names: Any) -> Any:
        """Rates scopes from a time on: again, where they are rated further; the others skip what lies between."""
        if not all_scopes and not names["scope_id"]:
            raise Invalid("Either all_scopes or a scope_id should be specified.")
        if all_scopes and names["scope_id"]:
            raise Invalid("all_scopes and scope_id cannot be given both")
        states = self.scopes.selected(_which(**names, active=True))
        if not states:
            raise NotFound("No resource found for provided filters.")
        moved = self.scopes.reset([state.identifier for state in states], last_processed_timestamp,
                                  author=context.author, reason=reason.strip() or WHY)
        return RouteAnswer({"warnings": sentences(moved.skipped)} if moved.skipped else {}, 202)

    @returns(SCOPE)
    @accepts(scope_id=Param(TextField(longest=LONGEST)), scope_key=Param(NAME, None), fetcher=Param(NAME, None),
             collector=Param(NAME, None), active=Param(BooleanField(), None))
    def patch(self, context: Context, *, scope_id: str, active: bool | None, **names: str | None) -> Any:
        """Changes one scope; empty names change nothing."""
        changes = {name: value for name, value in names.items() if value}
        return self._written(self.scopes.change(scope_id, active=active, **changes))

    @returns(SCOPE)
    @accepts(scope_id=Param(TextField(longest=LONGEST, may_be_empty=False)), scope_key=Param(NAME, None),
             fetcher=Param(NAME, None), collector=Param(NAME, None), active=Param(BooleanField(), True),
             last_processed_timestamp=Param(InstantField()))
    def post(self, context: Context, *, scope_id: str, active: bool, last_processed_timestamp: datetime,
             **names: str | None) -> Any:
        """Makes a scope, rated from the period after a time on."""
        new = Scope(scope_id, names["scope_key"] or self.scope_key, names["fetcher"] or self.fetcher,
                    names["collector"] or self.collector)
        return self._written(self.scopes.create(new, last_processed_timestamp, active=active))

    def _written(self, state: ScopeState) -> dict[str, Any]:
        last = with_offset(
            None if state.due is None or not (state.rated or state.toggled_at) else state.due - self.length)
        return {
            "scope_id": state.identifier, "scope_key": state.scope.key, "fetcher": state.scope.fetcher,
            "collector": state.scope.collector, "last_processed_timestamp": last,
            "state": last,             # the same, under the name by which the client shows it
            "active": state.active,
            "scope_activation_toggle_date": with_offset(state.toggled_at or state.seen_at)}


def _which(scope_id: Sequence[str], scope_key: Sequence[str], fetcher: Sequence[str], collector: Sequence[str],
           active: bool | None = None) -> ScopeFilter:
    return ScopeFilter(scope_id, scope_key, fetcher, collector, active)
