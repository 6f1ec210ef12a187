"""``/v1/rating/module_config/pyscripts``: rating scripts."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wsme import types as wtypes
from wsme import wsattr

from cloudkitty_like.api.context import Context, RouteAnswer
from cloudkitty_like.api.errors import UnknownMethod
from cloudkitty_like.api.fields import BooleanField, TextField
from cloudkitty_like.api.params import Param, accepts, list_of, object_of, returns
from cloudkitty_like.api.routes import Route
from cloudkitty_like.api.v1.types import UuidText, VerbatimText, params_of, schema_of, text, written
from cloudkitty_like.api.v1.validity import WHICH, RuleEndText, RuleInstantText, said
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.script import MAX_TEXT
from cloudkitty_like.service.pyscripts.request import ScriptRequest
from cloudkitty_like.service.pyscripts.scripts import Scripts, StoredScript
from cloudkitty_like.service.rule_changes.validity import ValidityFilter

URL = "/v1/rating/module_config/pyscripts"
CAUSE = "api"


class ProgramText(VerbatimText):
    """The text of a script."""

    kind = TextField(longest=MAX_TEXT)


class ScriptBody(wtypes.Base):  # type: ignore[misc]
    """A rating script, in the order in which CloudKitty writes its attributes; and its place among others."""

    script_id = UuidText()
    name = wsattr(text, mandatory=True)
    data = wsattr(ProgramText())
    checksum = text
    created_at = wsattr(RuleInstantText(), readonly=True)
    start = wsattr(RuleInstantText())
    end = wsattr(RuleEndText())
    description = text
    deleted = wsattr(RuleInstantText(), readonly=True)
    created_by = wsattr(text, readonly=True)
    updated_by = wsattr(text, readonly=True)
    deleted_by = wsattr(text, readonly=True)
    order = int


@dataclass(frozen=True)
class PyscriptsRoutes:
    """Scripts, one at a time and in a list."""

    kept: Scripts

    @returns(object_of(scripts=list_of(schema_of(ScriptBody, "data"))))
    @accepts(**WHICH, no_data=Param(BooleanField(), False, "without their texts"))
    def scripts(self, context: Context, no_data: bool, **filters: Any) -> Any:
        """Scripts, in the order in which they were made."""
        scripts = self.kept.scripts(context.now, ValidityFilter(**filters), texts=not no_data)
        return {"scripts": [_written(script) for script in scripts]}

    @returns(schema_of(ScriptBody))
    @accepts(script_id=Param(TextField()))
    def script(self, context: Context, script_id: str) -> Any:
        """One script, unless it is deleted."""
        return _written(self.kept.script(script_id, context.now))

    @returns(schema_of(ScriptBody))
    @accepts(**params_of(ScriptBody, leave_out=("script_id",), data=True),
             script_id=Param(TextField(), None, hidden=True),
             force=Param(BooleanField(), False, "it may start in the past"))
    def add(self, context: Context, script_id: str | None, force: bool, **values: Any) -> Any:
        """Makes one, from now on unless it says otherwise; refused where it does not compile."""
        return _made(context, self.kept.add(ScriptRequest(**said(values)), _by(context), force))

    @returns(schema_of(ScriptBody))
    @accepts(**params_of(ScriptBody, leave_out=("script_id",), name=False), script_id=Param(TextField()))
    def put(self, context: Context, script_id: str, **values: Any) -> Any:
        """Ends a running one, or changes one that has not begun."""
        return _made(context,
                     self.kept.update(script_id, ScriptRequest(**said(values)), _by(context)))

    @accepts(script_id=Param(TextField()))
    def remove(self, context: Context, script_id: str) -> Any:
        """It ends now."""
        self.kept.remove(script_id, _by(context))
        return RouteAnswer(status=204)

    def nothing(self, context: Context) -> Any:
        """Nothing, by any method."""
        raise UnknownMethod([])


def routes(scripts: Scripts) -> list[Route]:
    """For the table of the whole API.  An id may be in the path, the query or the body."""
    kept = PyscriptsRoutes(scripts)
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


def _made(context: Context, script: StoredScript) -> RouteAnswer:
    return RouteAnswer(_written(script), 201,
                       {"Location": f"{context.url}{URL}/scripts/{script.id}"})


def _written(script: StoredScript) -> dict[str, Any]:
    version, audit = script.version, script.audit_info
    data = {} if script.text is None else {"data": script.text}
    return written(
        ScriptBody, script_id=script.id, name=version.name, **data, checksum=version.checksum,
        created_at=audit.created_at, start=version.valid.begin, end=version.valid.end,
        description=version.description or None,
        deleted=audit.deleted_at, created_by=audit.created_by, updated_by=audit.updated_by, deleted_by=audit.deleted_by,
        order=version.order)
