"""The WSGI application: Pecan around the table of routes, and what OpenStack puts in front of its services."""
from __future__ import annotations

from typing import Any

import pecan
from oslo_config import cfg
from oslo_middleware import cors, http_proxy_to_wsgi, request_id

from cloudkitty_like.api import identity
from cloudkitty_like.api.counters import Counters
from cloudkitty_like.api.options import ALLOWED, EXPOSED, METHODS
from cloudkitty_like.api.policies import Policy
from cloudkitty_like.api.root import Root, kept_from_pecan, routes
from cloudkitty_like.api.routes import Dispatcher, Limits
from cloudkitty_like.api.services import Services


def make(services: Services, conf: cfg.ConfigOpts, counters: Counters | None = None) -> Any:
    """The application; Invalid where the configuration does not make sense.

    ``counters`` are those that all processes of a server share.
    """
    counters = counters or Counters()
    dispatcher = Dispatcher(routes(services, counters), Policy(conf), conf.auth_strategy, services.clock,
                            Limits(conf.api.max_body_bytes), counters)
    inner = pecan.make_app(Root(dispatcher), debug=False, logging={}, guess_content_type_from_ext=False)
    application = identity.wrap(kept_from_pecan(inner), conf)
    application = request_id.RequestId(application)
    application = http_proxy_to_wsgi.HTTPProxyToWSGI(application, conf)
    cors.set_defaults(allow_headers=list(ALLOWED), expose_headers=list(EXPOSED), allow_methods=list(METHODS))
    return cors.CORS(application, conf)
