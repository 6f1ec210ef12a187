"""What stands behind the door in tests of identity: an application that says who it takes the caller for."""
from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_config import cfg
from webtest import TestApp

from cloudkitty_like.api import identity
from cloudkitty_like.api.policies import Policy
from cloudkitty_like.domain.errors import Forbidden

CLAIMS = {
    "X-User-Id": "1", "X-User-Name": "root", "X-User": "1", "X-Project-Id": "web", "X-Project-Name": "web",
    "X-Tenant-Id": "web", "X-Tenant": "web", "X-Domain-Id": "default", "X-Roles": "admin", "X-Role": "admin",
    "X-Identity-Status": "Confirmed", "X-Service-Roles": "service", "X-Is-Admin-Project": "True",
    "OpenStack-System-Scope": "all", "X_Roles": "admin", "x-roles": "admin",
}
"""What a client might say of itself, and nobody should believe."""


def configuration(directory: Path, text: str = "") -> cfg.ConfigOpts:
    """A configuration of that text, in a file there."""
    path = directory / "cloudkitty_like.conf"
    path.write_text(text, encoding="utf-8")
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(path)], project="cloudkitty_like", default_config_files=[], default_config_dirs=[])
    return conf


def echo(policy: Policy, strategy: str) -> WSGIApplication:
    """Answers with the caller as JSON; ``?rule=NAME&project=ID`` asks for that rule first, and may be a 403."""
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        context = identity.request_context(environ, strategy)
        asked = dict(part.split("=", 1) for part in environ["QUERY_STRING"].split("&") if part)
        headers = [("Content-Type", "application/json")]
        try:
            if "rule" in asked:
                policy.authorize(asked["rule"], context, {"project_id": asked.get("project", context.project_id)})
        except Forbidden as error:
            start_response("403 Forbidden", headers)
            return [json.dumps({"error": str(error)}).encode()]
        caller = identity.caller(context, policy)
        start_response("200 OK", headers)
        seen = {"user": caller.user_id, "project": caller.project_id, "domain": caller.domain_id,
                "roles": sorted(caller.roles), "admin": caller.is_admin,
                "headers": sorted(name for name in environ if name.startswith(identity.CLAIMS))}
        return [json.dumps(seen).encode()]

    return application


def door(conf: cfg.ConfigOpts) -> TestApp:
    """The echo behind the strategy that the configuration names."""
    identity.register(conf)
    return TestApp(identity.wrap(echo(Policy(conf), conf.auth_strategy), conf))
