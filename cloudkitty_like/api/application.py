"""The WSGI application: Pecan around the table of routes, and OpenStack's middleware."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pecan
from oslo_config import cfg
from oslo_middleware import cors, http_proxy_to_wsgi, request_id

from cloudkitty_like.api import identity, options
from cloudkitty_like.api.counters import Counters
from cloudkitty_like.api.options import ALLOWED, EXPOSED, METHODS
from cloudkitty_like.api.policies import Policy
from cloudkitty_like.api.readiness import Readiness
from cloudkitty_like.api.root import Root, kept_from_pecan, routes
from cloudkitty_like.api.routes import Dispatcher, RequestLimits

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.app.use_cases import UseCases

AUTHOR = "api"
"""Recorded with what the API itself changes.  A caller's changes have the caller as author."""


def application(app: App, counters: Counters | None = None) -> Readiness:
    """Return the REST API of an installation as a WSGI application.

    The first request looks at the database, and so does every other one until the database is
    there and has the right schema.  ``counters`` are those that all processes of a server share.

    :raises Invalid: when the configuration is wrong; it names everything that is.
    """
    options.register(app.conf)
    app.limit_database(answers=True, question=app.conf.api.query_seconds)
    app.check("metrics", "storage")
    entrance = make(app.use_cases.written_by(AUTHOR), app.conf, counters)
    return Readiness(entrance, lambda: app.check("schema", "ledger"))


def make(use_cases: UseCases, conf: cfg.ConfigOpts, counters: Counters | None = None) -> Any:
    """Return the application without the check of the database.

    :raises Invalid: when the configuration does not make sense.
    """
    counters = counters or Counters()
    table = routes(use_cases, counters, conf.api.simulation_points)
    dispatcher = Dispatcher(table, Policy(conf), conf.auth_strategy, use_cases.clock,
                            RequestLimits(conf.api.max_body_bytes), counters)
    inner = pecan.make_app(Root(dispatcher), debug=False, logging={},
                           guess_content_type_from_ext=False)
    application = identity.wrap(kept_from_pecan(inner), conf)
    application = request_id.RequestId(application)
    application = http_proxy_to_wsgi.HTTPProxyToWSGI(application, conf)
    cors.set_defaults(allow_headers=list(ALLOWED), expose_headers=list(EXPOSED),
                      allow_methods=list(METHODS))
    return cors.CORS(application, conf)
