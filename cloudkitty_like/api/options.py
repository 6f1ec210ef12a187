"""The options of serving the API, and of the middleware around it.

Apart from the application, so that whoever only lists options does not load that.
"""
from __future__ import annotations

from collections.abc import Iterator
from copy import copy

from oslo_config import cfg
from oslo_middleware import cors, http_proxy_to_wsgi

METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH")
EXPOSED = ("X-Auth-Token", "X-Subject-Token", "X-Service-Token", "X-OpenStack-Request-ID")
ALLOWED = ("X-Auth-Token", "X-Subject-Token", "X-Roles", "X-User-Id", "X-Domain-Id",
           "X-Project-Id", "X-Tenant-Id", "X-OpenStack-Request-ID")
OPTS: dict[str, list[cfg.Opt]] = {
    "api": [
        cfg.HostAddressOpt("host_ip", default="127.0.0.1",
                           help="Address to listen on. Without authentication anybody who reaches "
                           "it may do anything."),
        cfg.PortOpt("port", default=8889, help="Port to listen on."),
        cfg.IntOpt("workers", default=2, min=1,
                   help="Number of worker processes of 'cloudkitty-like api'."),
        cfg.IntOpt("threads", default=4, min=1,
                   help="Requests that a worker process answers at a time."),
        cfg.IntOpt("max_body_bytes", default=10 * 2**20, min=1024,
                   help="The largest body that is accepted."),
        cfg.FloatOpt("query_seconds", default=60, min=1,
                     help="How long a request may keep the database busy with one question."),
        cfg.IntOpt("simulation_points", default=1_000_000, min=0,
                   help="The most points that a simulation over the API may rate; a million takes "
                   "some ten seconds."),
    ],
}


def list_opts() -> Iterator[tuple[str, list[cfg.Opt]]]:
    """Yield every option of the API, by group, with those of the middleware around it."""
    from cloudkitty_like.api import identity

    yield from OPTS.items()
    yield from identity.OPTS.items()
    yield from _middleware_opts()


def register(conf: cfg.ConfigOpts) -> None:
    """Register the API's own options in this configuration; it may be called again."""
    from cloudkitty_like.api import identity

    conf.register_opts(OPTS["api"], "api")
    identity.register(conf)


def _middleware_opts() -> Iterator[tuple[str, list[cfg.Opt]]]:
    """The options of what is around the application, by group."""
    opts = [copy(opt) for opt in cors.OPTS]
    cfg.set_defaults(opts, allow_headers=list(ALLOWED), expose_headers=list(EXPOSED),
                     allow_methods=list(METHODS))
    yield "cors", opts
    yield "oslo_middleware", list(http_proxy_to_wsgi.OPTS)
