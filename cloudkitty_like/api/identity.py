"""Who calls: the strategies of authentication, as one WSGI application around ours.

The strategy's part ends where it has put what it knows of the caller into the
headers that OpenStack's services use (``X-User-Id``, ``X-Project-Id``,
``X-Roles``, …).  Whatever of these a client sent is removed first, so that it
says nothing about anybody.
"""
from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_config import cfg
from oslo_context.context import RequestContext

from cloudkitty_like.api.policies import AnonymousContext, Policy
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.service.access import Caller

NOAUTH, HTTP_BASIC, KEYSTONE = "noauth", "http_basic", "keystone"
MODULES = {HTTP_BASIC: "cloudkitty_like.api.identity_basic", KEYSTONE: "cloudkitty_like.api.identity_keystone"}
PUBLIC = ("/", "/v1", "/v2")
HEALTHCHECK = "/healthcheck"

CLAIMS = ("HTTP_X_USER", "HTTP_X_PROJECT", "HTTP_X_TENANT", "HTTP_X_DOMAIN", "HTTP_X_ROLE", "HTTP_X_SERVICE_",
          "HTTP_X_IDENTITY_", "HTTP_X_IS_ADMIN", "HTTP_OPENSTACK_SYSTEM_SCOPE")
"""How the names begin, in a WSGI environment, of the headers that say who somebody is."""
PROOFS = ("HTTP_X_AUTH_TOKEN", "HTTP_X_STORAGE_TOKEN", "HTTP_X_SERVICE_TOKEN", "HTTP_AUTHORIZATION")
"""Those that prove it, each to the strategy that knows it."""

OPTS: dict[str, list[cfg.Opt]] = {
    "DEFAULT": [
        cfg.StrOpt("auth_strategy", default=KEYSTONE, choices=[
            (NOAUTH, "nobody has to say who they are, and everybody may do everything"),
            (HTTP_BASIC, "names and passwords of a file, see [http_basic]"),
            (KEYSTONE, "tokens of OpenStack's Keystone, see [keystone_authtoken]"),
        ], help="How those who use the API say who they are."),
    ],
    "http_basic": [
        cfg.StrOpt("htpasswd_file", default="/etc/cloudkitty_like/htpasswd",
                   help="Names with bcrypt digests of their passwords, as `htpasswd -B` writes them. A password that "
                        "changes here holds at once."),
        cfg.StrOpt("users_file", default="/etc/cloudkitty_like/users.yaml",
                   help="The project and the roles of each name, one a line: `alice: {project: web, roles: [reader]}`. "
                        "It is read at the start."),
    ],
}


def list_opts() -> Iterator[tuple[str, list[cfg.Opt]]]:
    """Every option that has to do with identity and rights, libraries' own among them, by group."""
    from oslo_policy import opts as oslo_policy

    yield from OPTS.items()
    yield from oslo_policy.list_opts()
    try:
        keystone = _module(KEYSTONE)
    except Invalid:
        return              # without the library, its options have nobody to heed them
    yield keystone.GROUP, keystone.list_opts()


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options of OPTS known to this configuration; twice is once."""
    for group, opts in OPTS.items():
        conf.register_opts(opts, None if group == "DEFAULT" else group)


def problems(conf: cfg.ConfigOpts) -> list[str]:
    """What keeps the chosen strategy from working, one line each: options, files, libraries.  No server is asked."""
    register(conf)
    try:
        strategy = conf.auth_strategy
    except (cfg.Error, ValueError) as error:
        return [f"[DEFAULT] auth_strategy: {' '.join(str(error).split())}"]
    if strategy == NOAUTH:
        return []
    try:
        return list(_module(strategy).problems(conf))
    except Invalid as error:
        return list(error.problems)


def warnings(conf: cfg.ConfigOpts) -> list[str]:
    """What might be better about the files of the chosen strategy, one line each."""
    return list(_module(HTTP_BASIC).warnings(conf)) if is_basic(conf) else []


def is_basic(conf: cfg.ConfigOpts) -> bool:
    """Whether names and passwords of a file are asked for."""
    register(conf)
    try:
        return bool(conf.auth_strategy == HTTP_BASIC)
    except (cfg.Error, ValueError):
        return False                   # no strategy at all: see problems()


def wrap(application: WSGIApplication, conf: cfg.ConfigOpts, *, public: Iterable[str] = PUBLIC) -> WSGIApplication:
    """The application, answering only those whom the strategy knows; Invalid with all :func:`problems`.

    ``public`` are paths without a slash at their end (but "/"), open to everybody; nothing is known of who asks
    there.  So is the health check, unless the request brings something that proves who it is from.
    """
    if mistakes := problems(conf):
        raise Invalid(*mistakes)
    open_paths = frozenset(public)
    guarded = application if conf.auth_strategy == NOAUTH else _module(conf.auth_strategy).guard(application, conf)

    def entrance(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        _strip(environ)
        path = environ.get("PATH_INFO", "").rstrip("/") or "/"
        proven = any(name in environ for name in PROOFS)
        if path in open_paths or (path == HEALTHCHECK and not proven):
            return application(environ, start_response)
        answer: Iterable[bytes] = guarded(environ, start_response)
        return answer

    return entrance


def request_context(environ: WSGIEnvironment, strategy: str) -> RequestContext:
    """What the strategy found out about the request: ids, roles, the scope of the token.

    Without a strategy, and only then, it is an :class:`~cloudkitty_like.api.policies.AnonymousContext`.
    """
    if strategy == NOAUTH:
        return AnonymousContext(user_id="", is_admin=True, roles=["admin"],
                                request_id=environ.get("openstack.request_id"))
    return RequestContext.from_environ(environ)


def caller(context: RequestContext, policy: Policy) -> Caller:
    """The same as the use cases know it."""
    return Caller(
        user_id=context.user_id or "", project_id=context.project_id or None, domain_id=context.domain_id or None,
        roles=frozenset(context.roles), is_admin=policy.is_admin(context),
    )


def _strip(environ: dict[str, Any]) -> None:
    for name in [name for name in environ if name.startswith(CLAIMS) and name not in PROOFS]:
        del environ[name]


def _module(strategy: str) -> ModuleType:
    """What stands behind a strategy; Invalid where a library is missing that not everybody needs."""
    try:
        return importlib.import_module(MODULES[strategy])
    except ModuleNotFoundError as error:
        raise Invalid(f"[DEFAULT] auth_strategy: {strategy} needs {error.name}, which is not installed: "
                      f"pip install 'cloudkitty-like[{strategy}]'") from error
