"""Services, fields and groups by their ids: what the API calls by an id, rules call by a name."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cloudkitty_like.domain.errors import Conflict, Invalid, NotFound
from cloudkitty_like.domain.rule import Rule, text_problems
from cloudkitty_like.domain.rule_names import FIELD, GROUP, SERVICE, NameKind, RuleName

MISSING = {SERVICE: "No such service: None (UUID: %s)", FIELD: "No such field: %s",
           GROUP: "No such group: None (UUID: %s)"}


class NameIds(NamedTuple):
    """Of a rule: its service's id or its field's, whichever it is a rule of, and its group's."""

    service: str | None
    field: str | None
    group: str | None


class Directory:
    """The names at one time; those removed before serve to name what has been deleted."""

    def __init__(self, names: Iterable[RuleName]) -> None:
        self._known: dict[str, RuleName] = {}
        self._called: dict[tuple[NameKind, str, str | None], list[RuleName]] = {}
        for entry in names:
            if entry.removed is None:
                self._known[entry.id] = entry
            self._called.setdefault((entry.kind, entry.name, entry.service_id), []).append(entry)

    def get(self, kind: NameKind, identity: str) -> RuleName:
        """NotFound, in CloudKitty's words, where there is none of this id."""
        entry = self._known.get(identity)
        if entry is None or entry.kind != kind:
            raise NotFound(MISSING[kind] % identity)
        return entry

    def has(self, identity: str | None) -> bool:
        """Whether there is one of this id that has not been removed."""
        return identity in self._known

    def all(self, kind: NameKind, service_id: str | None = None) -> list[RuleName]:
        """In the order in which they were made; of fields those of one service."""
        return [entry for entry in self._known.values()
                if entry.kind == kind and entry.service_id == service_id]

    def parents(self) -> dict[str, tuple[str, str | None]]:
        """By the id of a service or field, removed ones too: the names of the service and the field."""
        every = {entry.id: entry for same in self._called.values() for entry in same}
        parents: dict[str, tuple[str, str | None]] = {}
        for entry in every.values():
            if entry.kind == SERVICE:
                parents[entry.id] = entry.name, None
            elif entry.kind == FIELD and entry.service_id in every:
                parents[entry.id] = every[entry.service_id].name, entry.name
        return parents

    def check_new(self, kind: NameKind, name: str, service_id: str | None = None) -> None:
        """Invalid where this cannot be a name, Conflict where it is one already."""
        problems = ["name: is empty"] if not name else [*text_problems("name", name)]
        if problems:
            raise Invalid(*problems)
        for entry in self._called.get((kind, name, service_id), ()):
            if entry.removed is None:
                raise Conflict(f"{kind.capitalize()} {name} already exists (UUID: {entry.id})")

    def ids(self, rule: Rule, deleted_since: int | None = None) -> NameIds:
        """The ids of what a rule names: the known ones, or for a deleted rule those at the change that is given."""
        service = self._id(SERVICE, rule.service, None, deleted_since)
        group = self._id(GROUP, rule.group, None, deleted_since) if rule.group else None
        if rule.field is None:
            return NameIds(service, None, group)
        return NameIds(None, self._id(FIELD, rule.field, service, deleted_since), group)

    def _id(self, kind: NameKind, name: str, service_id: str | None, since: int | None) -> str | None:
        called: Sequence[RuleName] = self._called.get((kind, name, service_id), ())
        return next((entry.id for entry in called
                     if entry.removed is None or (since is not None and entry.removed >= since)),
                    None)
