"""The options by which a plugin is told where its Prometheus is and how to reach it."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from oslo_config import cfg

from cloudkitty_like.client import transport_options
from cloudkitty_like.client.prometheus import Basic, Bearer, Prometheus, Transport
from cloudkitty_like.domain.errors import Invalid

FILES = ("prometheus_password_file", "bearer_token_file", "certfile", "keyfile")

OPTS = (
    cfg.StrOpt("prometheus_url", default="",
               help="Where the server's HTTP API is, with or without the trailing /api/v1."),
    cfg.StrOpt("prometheus_user", help="User of basic authentication."),
    cfg.StrOpt("prometheus_password", secret=True, help="Password of basic authentication."),
    cfg.StrOpt("prometheus_password_file", help="File that holds the password; it is read for each request."),
    cfg.StrOpt("bearer_token", secret=True, help="Token that is sent with each request."),
    cfg.StrOpt("bearer_token_file", help="File that holds the token; it is read for each request."),
    cfg.StrOpt("cafile", help="File of the certificate authorities that the server's certificate is checked with."),
    cfg.BoolOpt("insecure", default=False, help="Do not check the server's certificate; cafile wins over it."),
    cfg.StrOpt("certfile", help="File of the client certificate."),
    cfg.StrOpt("keyfile", help="File of the client certificate's key, where certfile does not hold it too."),
    cfg.FloatOpt("timeout", default=60, min=0, help="Seconds after which a request is given up."),
)


def connect(group: Any, own_problems: Sequence[str] = ()) -> Prometheus:
    """The client that a group with OPTS describes; Invalid, with every reason, where it describes none.

    ``own_problems`` is what a plugin has found wrong with options of its own: it is said in the
    same go.
    """
    problems = [*own_problems, *url_problems(group.prometheus_url),
                *_authentication_problems(group),
                *transport_options.unreadable(group, FILES),
                *transport_options.key_problems(group),
                *transport_options.authority_problems(group),
                *transport_options.timeout_problems(group)]
    if problems:
        raise Invalid(*problems)
    auth: Basic | Bearer | None = None
    if group.prometheus_user:
        auth = Basic(group.prometheus_user, group.prometheus_password or "", group.prometheus_password_file or "")
    elif group.bearer_token or group.bearer_token_file:
        auth = Bearer(group.bearer_token or "", group.bearer_token_file or "")
    return Prometheus(group.prometheus_url, Transport(
        timeout=group.timeout, auth=auth, verify=transport_options.verification(group),
        cert=transport_options.certificate(group),
    ))


def url_problems(url: str | None) -> list[str]:
    """What keeps a text from being the URL of a server; none of it repeats the text, which may hold a password."""
    if not url:
        return ["prometheus_url: is not set"]
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ["prometheus_url: is not a URL"]
    problems = [] if valid else ["prometheus_url: is not a URL of http or https"]
    if parts.username or parts.password:
        problems.append("prometheus_url: holds a user or a password; use prometheus_user and prometheus_password")
    if parts.query or parts.fragment:
        problems.append("prometheus_url: holds a query or a fragment")
    return problems


def _authentication_problems(group: Any) -> list[str]:
    problems = []
    if group.prometheus_password and group.prometheus_password_file:
        problems.append("prometheus_password, prometheus_password_file: set one of them")
    if bool(group.prometheus_user) != bool(group.prometheus_password or group.prometheus_password_file):
        problems.append("prometheus_user, prometheus_password: set both or neither (the password perhaps by "
                        "prometheus_password_file)")
    if group.bearer_token and group.bearer_token_file:
        problems.append("bearer_token, bearer_token_file: set one of them")
    if group.prometheus_user and (group.bearer_token or group.bearer_token_file):
        problems.append("prometheus_user: cannot be used together with a bearer token")
    if group.bearer_token and not (group.bearer_token.isascii() and group.bearer_token.isprintable()):
        problems.append("bearer_token: holds characters that no token has")
    return problems
