"""What has become of each rule: made, changed and deleted by whom and when, read from its recorded states."""
from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.sql import ColumnElement

from cloudkitty_like.db.chunks import chunks
from cloudkitty_like.db.rules.bitemporal import audit_info, recorded_at, state_histories
from cloudkitty_like.db.rules.rules import state
from cloudkitty_like.db.tables import hashmap_rule, rule_change
from cloudkitty_like.domain.change import AuditInfo
from cloudkitty_like.domain.rule import Rule


@dataclass(frozen=True, slots=True)
class RuleHistory:
    """A rule in its newest state, and what was done to it."""

    id: str
    rule: Rule
    audit_info: AuditInfo
    since: int                         # the change that made the newest state


@dataclass(frozen=True, slots=True)
class RuleHistoryFilter:
    """Which histories: of thresholds or of mappings; None leaves the rest open."""

    thresholds: bool
    id: str | None = None
    parent: tuple[str, str | None] | None = None       # service, field (None: the service itself)
    deleted: bool = False                              # deleted ones too


def read(tx: Connection, criteria: RuleHistoryFilter) -> list[RuleHistory]:
    """The histories, in the order in which the rules were made.  One query."""
    histories = state_histories(tx, hashmap_rule, hashmap_rule.c.rule_id, *_conditions(criteria))
    return [RuleHistory(identity, state(states[-1]).rule, audit_info(states), states[-1].recorded_from)
            for identity, states in histories.items()]


def _conditions(criteria: RuleHistoryFilter) -> list[ColumnElement[bool]]:
    """Only what is the same in all states of a rule may be asked of each."""
    level = hashmap_rule.c.level
    conditions: list[ColumnElement[bool]] = [
        level.is_not(None) if criteria.thresholds else level.is_(None)]
    if criteria.id is not None:
        conditions.append(hashmap_rule.c.rule_id == criteria.id)
    if criteria.parent is not None:
        service, field = criteria.parent
        column = hashmap_rule.c.field
        conditions += [hashmap_rule.c.service == service,
                       column.is_(None) if field is None else column == field]
    if not criteria.deleted:
        now = hashmap_rule.alias("now")
        conditions.append(hashmap_rule.c.rule_id.in_(
            select(now.c.rule_id).where(recorded_at(now, None), now.c.deleted_at.is_(None))))
    return conditions


@dataclass(frozen=True, slots=True)
class RecordedRule:
    """A rule as it was known at some change, and the change that made it so."""

    id: str
    rule: Rule
    version: int                       # which of its recorded states this is, from 1 on
    since: int
    at: datetime
    author: str
    reason: str


def recorded_rules(tx: Connection, change: int, ids: Collection[str]) -> list[RecordedRule]:
    """These rules as they were known at a change; those that were not are left out."""
    rules: list[RecordedRule] = []
    for rule_ids in chunks(list(ids)):
        earlier = hashmap_rule.alias("earlier")
        version = select(func.count()).where(
            earlier.c.rule_id == hashmap_rule.c.rule_id, earlier.c.id <= hashmap_rule.c.id).scalar_subquery()
        rows = tx.execute(
            select(hashmap_rule, rule_change.c.at, rule_change.c.author, rule_change.c.reason,
                   version.label("version"))
            .join(rule_change, rule_change.c.id == hashmap_rule.c.recorded_from)
            .where(recorded_at(hashmap_rule, change), hashmap_rule.c.rule_id.in_(rule_ids)))
        rules += [RecordedRule(row.rule_id, state(row).rule, row.version, row.recorded_from, row.at,
                               row.author, row.reason)
                  for row in rows]
    return rules
