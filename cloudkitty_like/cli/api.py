"""``api``: the REST API on a WSGI server of several processes."""
from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from cloudkitty_like.cli.foreground import log_as_configured
from cloudkitty_like.cli.parent import end_with_parent

if TYPE_CHECKING:
    from cloudkitty_like.app import App

LOG = logging.getLogger(__name__)
LOOPBACK = ("127.0.0.1", "::1", "localhost")
GRACE_SECONDS = 7       # for requests under way, when told to stop: the whole ends within ten


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", metavar="ADDRESS", help="address to listen on, instead of [api] host_ip")
    parser.add_argument("--port", type=int, metavar="PORT", help="port to listen on, instead of [api] port")
    parser.add_argument("--workers", type=int, metavar="N", help="number of processes, instead of [api] workers")
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)      # as standalone starts it


def run(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.api import options as declared
    from cloudkitty_like.api import server
    from cloudkitty_like.api.application import application
    from cloudkitty_like.api.counters import Counters

    declared.register(app.conf)
    log_as_configured(app.conf, args.debug)
    if args.parent is not None:
        end_with_parent(args.parent)
    options = app.conf.api
    where = server.ServerAddress(
        options.host_ip if args.host is None else args.host, options.port if args.port is None else args.port,
        options.workers if args.workers is None else args.workers, options.threads, GRACE_SECONDS,
        options.max_body_bytes)
    where.check()
    _check(app)
    app.close()
    where.try_address()
    if app.conf.auth_strategy == "noauth" and where.host not in LOOPBACK:
        LOG.warning("nobody has to say who they are, and the API listens on %s: whoever reaches it may do anything",
                    where.host)
    counters = Counters()
    server.serve(lambda: application(app, counters), where)
    return 0


def _check(app: App) -> None:
    """Say what is wrong with the configuration here, and not in every worker; a database may come later."""
    from cloudkitty_like.api.application import application
    from cloudkitty_like.app import SERVING
    from cloudkitty_like.domain.errors import Refused, Unavailable

    try:
        app.check(*SERVING)
    except Refused:
        raise
    except Unavailable as error:
        LOG.warning("%s; the API starts, and answers 503 until that does", error)
    application(app)
