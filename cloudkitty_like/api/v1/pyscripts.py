"""``/v1/rating/module_config/pyscripts``: rating scripts."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wsme import types as wtypes
from wsme import wsattr

from cloudkitty_like.api.context import Answer, Context
from cloudkitty_like.api.errors import MethodNotAllowed
from cloudkitty_like.api.fields import Boolean, Text
from cloudkitty_like.api.params import Param, gives, list_of, object_of, takes
from cloudkitty_like.api.routes import Route
from cloudkitty_like.api.v1.types import Kept, Uuid, params_of, schema_of, text, written
from cloudkitty_like.api.v1.validity import WHICH, RuleEnd, RuleInstant, said
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.script import MAX_TEXT
from cloudkitty_like.service.pyscripts.request import Draft
from cloudkitty_like.service.pyscripts.scripts import Scripts, StoredScript
from cloudkitty_like.service.rule_changes.validity import Which

URL = "/v1/rating/module_config/pyscripts"
CAUSE = "api"


class Program(Kept):
    """The text of a script."""

    kind = Text(longest=MAX_TEXT)


class Script(wtypes.Base):  # type: ignore[misc]
    """A rating script, in the order in which CloudKitty writes its attributes; and its place among others."""

    script_id = Uuid()
    name = wsattr(text, mandatory=True)
    data = wsattr(Program())
    checksum = text
    created_at = wsattr(RuleInstant(), readonly=True)
    start = wsattr(RuleInstant())
    end = wsattr(RuleEnd())
    description = text
    deleted = wsattr(RuleInstant(), readonly=True)
    created_by = wsattr(text, readonly=True)
    updated_by = wsattr(text, readonly=True)
    deleted_by = wsattr(text, readonly=True)
    order = int


@dataclass(frozen=True)
class Pyscripts:
    """Scripts, one at a time and in a list."""

    kept: Scripts

    @gives(object_of(scripts=list_of(schema_of(Script, "data"))))
    @takes(**WHICH, no_data=Param(Boolean(), False, "without their texts"))
    def scripts(self, context: Context, no_data: bool, **asked: Any) -> Any:
        """Scripts, in the order in which they were made."""
        found = self.kept.scripts(context.now, Which(**asked), texts=not no_data)
        return {"scripts": [_written(one) for one in found]}

    @gives(schema_of(Script))
    @takes(script_id=Param(Text()))
    def script(self, context: Context, script_id: str) -> Any:
        """One script, unless it is deleted."""
        return _written(self.kept.script(script_id, context.now))

    @gives(schema_of(Script))
    @takes(**params_of(Script, leave_out=("script_id",), data=True), script_id=Param(Text(), None, hidden=True),
           force=Param(Boolean(), False, "it may start in the past"))
    def add(self, context: Context, script_id: str | None, force: bool, **given: Any) -> Any:
        """Makes one, from now on unless it says otherwise; refused where it does not compile."""
        return _made(context, self.kept.add(Draft(**said(given)), _by(context), force))

    @gives(schema_of(Script))
    @takes(**params_of(Script, leave_out=("script_id",), name=False), script_id=Param(Text()))
    def put(self, context: Context, script_id: str, **given: Any) -> Any:
        """Ends a running one, or changes one that has not begun."""
        return _made(context, self.kept.update(script_id, Draft(**said(given)), _by(context)))

    @takes(script_id=Param(Text()))
    def remove(self, context: Context, script_id: str) -> Any:
        """It ends now."""
        self.kept.remove(script_id, _by(context))
        return Answer(status=204)

    def nothing(self, context: Context) -> Any:
        """Nothing, by any method."""
        raise MethodNotAllowed([])


def routes(scripts: Scripts) -> list[Route]:
    """For the table of the whole API.  An id may be in the path, the query or the body."""
    kept = Pyscripts(scripts)
    return [
        _route("GET", "/scripts", kept.scripts),
        _route("GET", "/scripts/{script_id}", kept.script),
        _route("POST", "/scripts", kept.add, 201),
        _route("PUT", "/scripts[/{script_id}]", kept.put, 201),
        _route("DELETE", "/scripts[/{script_id}]", kept.remove, 204),
        *(Route(method, f"{URL}[/script]", kept.nothing, "rating:module_config", hidden=True)
          for method in ("GET", "POST", "PUT", "DELETE")),
    ]


def _route(method: str, url: str, answers: Any, status: int = 200) -> Route:
    return Route(method, URL + url, answers, "rating:module_config", status)


def _by(context: Context) -> Change:
    return Change(context.now, context.author, CAUSE)


def _made(context: Context, one: StoredScript) -> Answer:
    return Answer(_written(one), 201, {"Location": f"{context.url}{URL}/scripts/{one.id}"})


def _written(one: StoredScript) -> dict[str, Any]:
    version, fate = one.version, one.fate
    data = {} if one.text is None else {"data": one.text}
    return written(
        Script, script_id=one.id, name=version.name, **data, checksum=version.checksum, created_at=fate.created_at,
        start=version.valid.begin, end=version.valid.end, description=version.description or None,
        deleted=fate.deleted_at, created_by=fate.created_by, updated_by=fate.updated_by, deleted_by=fate.deleted_by,
        order=version.order)
