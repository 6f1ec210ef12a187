"""Ids of hashmap's services, fields and groups, under which the API knows what rules name.

A name without a rule is possible, as CloudKitty's clients make a service
before its first mapping; a rule without one is not: whoever records rules
calls :func:`ensure`.
"""
from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import uuid4

from sqlalchemy import Connection, insert, select, true, update
from sqlalchemy.sql import ColumnElement

from cloudkitty_like.db.rules.bitemporal import recorded_at
from cloudkitty_like.db.tables import hashmap_name
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.domain.rule_names import FIELD, GROUP, SERVICE, NameKind, RuleName


def stored(tx: Connection, change: int | None = None) -> list[RuleName]:
    """Those known at ``change`` (None: now), in the order in which they were made."""
    return _read(tx, recorded_at(hashmap_name, change))


def ever(tx: Connection) -> list[RuleName]:
    """Also those that have been removed, in the order in which they were made."""
    return _read(tx, true())


def _read(tx: Connection, which: ColumnElement[bool]) -> list[RuleName]:
    rows = tx.execute(select(hashmap_name).where(which).order_by(hashmap_name.c.id))
    return [RuleName(row.name_id, row.kind, row.name, row.service_id, row.recorded_to) for row in rows]


def add(tx: Connection, change: int, kind: NameKind, name: str, service_id: str | None = None) -> RuleName:
    """A new one; the caller has looked that there is none like it."""
    rule_name = RuleName(str(uuid4()), kind, name, service_id)
    tx.execute(insert(hashmap_name).values(name_id=rule_name.id, kind=kind, name=name,
                                           service_id=service_id, recorded_from=change))
    return rule_name


def remove(tx: Connection, change: int, ids: Collection[str]) -> None:
    """They are not known any more from this change on."""
    tx.execute(update(hashmap_name).values(recorded_to=change)
               .where(hashmap_name.c.recorded_to.is_(None), hashmap_name.c.name_id.in_(ids)))


def ensure(tx: Connection, change: int, rules: Iterable[Rule]) -> None:
    """Make the names that these rules use and that there are not yet."""
    rules = list(rules)
    names = {(entry.kind, entry.name, entry.service_id): entry
             for entry in (stored(tx) if rules else ())}

    def name_id(kind: NameKind, name: str, service_id: str | None = None) -> str:
        key = (kind, name, service_id)
        if key not in names:
            names[key] = add(tx, change, *key)
        return names[key].id

    for rule in rules:
        service_id = name_id(SERVICE, rule.service)
        if rule.field is not None:
            name_id(FIELD, rule.field, service_id)
        if rule.group:
            name_id(GROUP, rule.group)
