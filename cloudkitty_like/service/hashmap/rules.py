"""Hashmap's services, fields, groups, mappings and thresholds, as the API reads and changes them.

The rules are those of the command line, in one history: every call that
changes something is one recorded change.  A call takes a handful of queries,
however many rules there are.
"""
from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.rules import history, names
from cloudkitty_like.db.rules.history import RuleHistory, RuleHistoryFilter
from cloudkitty_like.domain.change import AuditInfo, Change
from cloudkitty_like.domain.errors import NotFound
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.domain.rule_names import FIELD, GROUP, SERVICE, RuleName
from cloudkitty_like.service.hashmap.editor import RuleEditor
from cloudkitty_like.service.hashmap.names import Directory
from cloudkitty_like.service.hashmap.request import (
    MAPPING,
    THRESHOLD,
    RuleKind,
    RuleRequest,
    changed_mapping,
    changed_threshold,
    new_rule,
)
from cloudkitty_like.service.rule_changes.change_log import NothingToRecord, recorded
from cloudkitty_like.service.rule_changes.validity import ValidityFilter

T = TypeVar("T")
CAUSE = "api"


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule and what became of it; of ``service_id`` and ``field_id`` one is set, by what it is a rule of."""

    id: str
    rule: Rule
    service_id: str | None
    field_id: str | None
    group_id: str | None
    created_at: datetime
    created_by: str
    updated_by: str | None = None
    deleted_at: datetime | None = None
    deleted_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFilter(ValidityFilter):
    """Which rules a list is to have; None and False leave it open."""

    service_id: str | None = None      # rules of the service itself, not of its fields
    field_id: str | None = None        # not looked at where a service is given
    group_id: str | None = None
    no_group: bool = False             # not looked at where a group is given
    tenant_id: str | None = None       # looked at only under filter_tenant; None: rules for every tenant
    filter_tenant: bool = False


EVERYTHING = RuleFilter()


class Hashmap:
    """All that the API does with rules.  Errors: Invalid, NotFound, Conflict, each as CloudKitty's clients expect."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database, self._clock = database, clock

    # --- names -------------------------------------------------------------------------------------

    def services(self) -> list[RuleName]:
        return self._directory().all(SERVICE)

    def service(self, identity: str) -> RuleName:
        return self._directory().get(SERVICE, identity)

    def add_service(self, name: str, author: str) -> RuleName:
        """Conflict, with the id of the other, where there is one of this name."""
        return self._change(author, lambda book: book.add_name(SERVICE, name))

    def remove_service(self, identity: str, author: str) -> None:
        """With its fields; its rules and theirs are deleted, as by :meth:`remove_rule`."""
        self._change(author, lambda book: book.remove_service(identity))

    def fields(self, service_id: str) -> list[RuleName]:
        """None where there is no such service."""
        return self._directory().all(FIELD, service_id)

    def field(self, identity: str) -> RuleName:
        return self._directory().get(FIELD, identity)

    def add_field(self, service_id: str, name: str, author: str) -> RuleName:
        """Invalid without such a service; Conflict, with the id of the other, where it has a field of this name."""
        return self._change(author, lambda book: book.add_name(FIELD, name, service_id))

    def remove_field(self, identity: str, author: str) -> None:
        """Its rules are deleted, as by :meth:`remove_rule`."""
        self._change(author, lambda book: book.remove_field(identity))

    def groups(self) -> list[RuleName]:
        return self._directory().all(GROUP)

    def group(self, identity: str) -> RuleName:
        return self._directory().get(GROUP, identity)

    def add_group(self, name: str, author: str) -> RuleName:
        """Conflict, with the id of the other, where there is one of this name."""
        return self._change(author, lambda book: book.add_name(GROUP, name))

    def remove_group(self, identity: str, recursive: bool, author: str) -> None:
        """Its rules are in no group from now on, or deleted (``recursive``).

        Conflict where one would then hold at the same time as another of its kind.
        """
        self._change(author, lambda book: book.remove_group(identity, recursive))

    # --- rules -------------------------------------------------------------------------------------

    def rules(self, kind: RuleKind, rule_filter: RuleFilter = EVERYTHING) -> list[StoredRule]:
        """In the order in which they were made."""
        parent = rule_filter.service_id or rule_filter.field_id
        with self._database.read() as tx:
            directory = Directory(names.ever(tx))
            of = directory.parents().get(parent) if parent else None
            if parent and of is None:
                return []
            histories = history.read(tx, RuleHistoryFilter(kind == THRESHOLD, parent=of,
                                                           deleted=rule_filter.deleted))
        now = self._clock()
        return [rule for rule_history in histories
                if _matches(rule := _stored(rule_history, directory), rule_history.audit_info,
                            rule_filter, now)]

    def rule(self, kind: RuleKind, identity: str) -> StoredRule:
        """A deleted mapping is still found, but for one whose service or field is gone; a deleted threshold is not."""
        with self._database.read() as tx:
            return self._rule(tx, kind, identity, Directory(names.ever(tx)))

    def group_of(self, kind: RuleKind, identity: str) -> RuleName:
        """NotFound where the rule has no group, too."""
        with self._database.read() as tx:
            directory = Directory(names.ever(tx))
            group_id = self._rule(tx, kind, identity, directory).group_id
        if group_id is None:
            raise NotFound(f"{kind.capitalize()} has no group (UUID: {identity})")
        return directory.get(GROUP, group_id)

    def add_rule(self, kind: RuleKind, draft: RuleRequest, author: str, force: bool = False) -> StoredRule:
        """From now on, unless the draft says otherwise.

        ``force`` lets it start in the past; deleted rules give way to it there.
        Invalid where the draft makes no rule; Conflict where another one of the
        same key holds at the same time, or another mapping has the given name.
        """
        now = self._clock()

        def work(book: RuleEditor) -> StoredRule:
            rule = new_rule(kind, draft, book.directory, now, force)
            if kind == MAPPING and rule.name == draft.name:
                book.check_name(rule.name)
            return StoredRule(book.add(rule).id, rule, *book.directory.ids(rule), now, author[:255])

        return self._change(author, work, now)

    def update_rule(self, kind: RuleKind, identity: str, draft: RuleRequest, author: str) -> None:
        """Make of it what :mod:`cloudkitty_like.service.hashmap.request` says; where that is the same, nothing."""
        now = self._clock()

        def work(book: RuleEditor) -> None:
            state = book.get(kind, identity)
            if kind == MAPPING:
                book.replace(state, changed_mapping(state.rule, book.directory.ids(state.rule), draft, now))
            else:
                book.revise(state, changed_threshold(state.rule, draft, book.directory, now))

        with suppress(NothingToRecord):
            self._change(author, work, now)

    def remove_rule(self, kind: RuleKind, identity: str, author: str) -> None:
        """It ends now, and what it has priced keeps its price; NotFound where it is deleted already."""
        self._change(author, lambda book: book.remove([book.get(kind, identity)]))

    # -----------------------------------------------------------------------------------------------

    def _directory(self) -> Directory:
        with self._database.read() as tx:
            return Directory(names.stored(tx))

    def _rule(self, tx: Connection, kind: RuleKind, identity: str, directory: Directory) -> StoredRule:
        histories = history.read(tx, RuleHistoryFilter(kind == THRESHOLD, id=identity,
                                                       deleted=kind == MAPPING))
        if not histories:
            raise NotFound(f"No such {kind}: {identity}")
        rule = _stored(histories[0], directory)
        if not directory.has(rule.service_id or rule.field_id):
            raise NotFound(f"No such {kind}: {identity}")
        return rule

    def _change(self, author: str, work: Callable[[RuleEditor], T], now: datetime | None = None) -> T:
        at = now or self._clock()

        def recording(tx: Connection, number: int) -> T:
            book = RuleEditor(tx, number, at)
            result = work(book)
            book.close()
            return result

        return recorded(self._database, Change(at, author, CAUSE), recording)


def _stored(rule_history: RuleHistory, directory: Directory) -> StoredRule:
    audit = rule_history.audit_info
    ids = directory.ids(rule_history.rule, None if audit.deleted_at is None else rule_history.since)
    return StoredRule(rule_history.id, rule_history.rule, *ids, audit.created_at, audit.created_by,
                      audit.updated_by, audit.deleted_at, audit.deleted_by)


def _matches(stored: StoredRule, audit: AuditInfo, rule_filter: RuleFilter, now: datetime) -> bool:
    if rule_filter.service_id is not None:
        parent = stored.service_id == rule_filter.service_id
    else:
        parent = rule_filter.field_id is None or stored.field_id == rule_filter.field_id
    if rule_filter.group_id is not None:
        group = stored.group_id == rule_filter.group_id
    else:
        group = not rule_filter.no_group or stored.group_id is None
    return (
        parent and group
        and (not rule_filter.filter_tenant or stored.rule.scope == rule_filter.tenant_id)
        and rule_filter.has(stored.rule.valid, stored.rule.description, audit, now)
    )
