"""The rules and names as one change finds them, and what it makes of them.

What has been priced stays: a rule that has begun is never taken back, it
ends.  See ``doc/source/adr/0012-rules-over-the-api.rst``.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection

from cloudkitty_like.db.rules import names, rules
from cloudkitty_like.db.rules.rules import RuleState
from cloudkitty_like.domain.errors import Conflict, Invalid, NotFound
from cloudkitty_like.domain.rule import Rule, RuleKey
from cloudkitty_like.domain.rule_names import FIELD, GROUP, SERVICE, NameKind, RuleName
from cloudkitty_like.service.hashmap.names import Directory
from cloudkitty_like.service.hashmap.request import RuleKind, kind_of
from cloudkitty_like.service.rule_changes.change_log import NothingToRecord


class RuleEditor:
    """To be opened under an open change, and closed when all has been said."""

    def __init__(self, tx: Connection, change: int, now: datetime) -> None:
        self._tx, self._change, self._now = tx, change, now
        self.directory = Directory(names.stored(tx))
        self._states = {state.id: state for state in rules.states(tx)}
        self._by_key: dict[RuleKey, list[RuleState]] = {}
        for state in self._states.values():
            self._by_key.setdefault(state.rule.key, []).append(state)
        self._ended: set[str] = set()
        self._written: list[RuleState] = []
        self._renamed = False

    def close(self) -> None:
        """Record it; Unneeded where nothing has changed."""
        if not (self._ended or self._written or self._renamed):
            raise NothingToRecord
        rules.write(self._tx, self._change, self._ended, self._written)

    # --- names -------------------------------------------------------------------------------------

    def add_name(self, kind: NameKind, name: str, service_id: str | None = None) -> RuleName:
        if service_id is not None:
            try:
                self.directory.get(SERVICE, service_id)
            except NotFound as error:
                raise Invalid(str(error)) from None
        self.directory.check_new(kind, name, service_id)
        self._renamed = True
        return names.add(self._tx, self._change, kind, name, service_id)

    def remove_service(self, identity: str) -> None:
        name = self.directory.get(SERVICE, identity).name
        self._forget([identity, *(field.id for field in self.directory.all(FIELD, identity))])
        self.remove(state for state in self._live() if state.rule.service == name)

    def remove_field(self, identity: str) -> None:
        field = self.directory.get(FIELD, identity)
        service = self.directory.get(SERVICE, field.service_id or "")
        self._forget([identity])
        self.remove(state for state in self._live()
                    if (state.rule.service, state.rule.field) == (service.name, field.name))

    def remove_group(self, identity: str, recursive: bool) -> None:
        name = self.directory.get(GROUP, identity).name
        self._forget([identity])
        members = [state for state in self._live() if state.rule.group == name]
        if recursive:
            self.remove(members)
            return
        for state in members:
            if not state.rule.valid.is_over(self._now):
                self.revise(state, replace(state.rule, group=""))

    def _forget(self, ids: list[str]) -> None:
        self._renamed = True
        names.remove(self._tx, self._change, ids)

    # --- rules -------------------------------------------------------------------------------------

    def get(self, kind: RuleKind, identity: str) -> RuleState:
        """NotFound, in CloudKitty's words, where there is none, or it has been deleted."""
        state = self._states.get(identity)
        if state is None or state.deleted_at is not None or kind_of(state.rule) != kind:
            raise NotFound(f"No such {kind}: {identity}")
        return state

    def check_name(self, name: str) -> None:
        """Conflict where a mapping is called so."""
        for state in self._live():
            if state.rule.level is None and state.rule.name == name:
                raise Conflict(f"name: Mapping {name} already exists (UUID: {state.id})")

    def add(self, rule: Rule) -> RuleState:
        return self._put(RuleState(str(uuid4()), rule))

    def replace(self, state: RuleState, rule: Rule) -> None:
        """The rule is what is given, as if it had always been."""
        if rule != state.rule:
            self._ended.add(state.id)
            self._put(RuleState(state.id, rule))

    def revise(self, state: RuleState, rule: Rule) -> None:
        """The rule is what is given from now on; what it was keeps its price, as a rule that is deleted now."""
        if rule == state.rule:
            return
        before, after = state.rule.valid.until(self._now), rule.valid.since(self._now)
        if before is not None:
            self._written.append(RuleState(str(uuid4()), replace(state.rule, valid=before), self._now))
        if after is not None:
            self._ended.add(state.id)
            self._put(RuleState(state.id, replace(rule, valid=after)))

    def remove(self, states: Iterable[RuleState]) -> None:
        """They end now and are deleted; one that has not begun is withdrawn."""
        for state in states:
            self._ended.add(state.id)
            valid = state.rule.valid.until(self._now)
            if valid is not None:
                self._written.append(RuleState(state.id, replace(state.rule, valid=valid), self._now))

    def _live(self) -> Iterator[RuleState]:
        return (state for state in self._states.values() if state.deleted_at is None)

    def _put(self, state: RuleState) -> RuleState:
        """Conflict where another rule of the same key holds at the same time; a deleted one gives way."""
        for other in self._by_key.get(state.rule.key, ()):
            if other.id == state.id or not other.rule.valid.overlaps(state.rule.valid):
                continue
            if other.deleted_at is None:
                raise Conflict(f"{kind_of(other.rule).capitalize()} {other.rule} already exists (UUID: {other.id}) "
                               f"and holds {other.rule.valid}")
            self._ended.add(other.id)
            for number, valid in enumerate(other.rule.valid.without(state.rule.valid)):
                identity = str(uuid4()) if number else other.id
                self._written.append(RuleState(identity, replace(other.rule, valid=valid), other.deleted_at))
        self._written.append(state)
        return state
