"""``keystone``: tokens, checked by keystonemiddleware with the options of ``[keystone_authtoken]``.

This module alone imports it; it comes with ``cloudkitty-like[keystone]``.
"""
from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from copy import copy
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from keystoneauth1 import loading
from keystoneauth1.exceptions import ClientException
from keystonemiddleware import auth_token
from oslo_config import cfg

from cloudkitty_like import option_values
from cloudkitty_like.api.errors import refuse

LOG = logging.getLogger(__name__)
GROUP = "keystone_authtoken"
SERVICE_TYPE = "rating"
PLUGINS = ("password", "v3applicationcredential")
"""Whose options are in the sample; another that ``auth_type`` names brings its own."""
UNREACHABLE = "The Keystone service is temporarily unavailable."
USUAL = "password is usual, with auth_url, username, password, project_name, user_domain_name, project_domain_name"
PASSED = "cloudkitty_like.token_is_valid"


def list_opts() -> list[cfg.Opt]:
    """The options of ``[keystone_authtoken]``, with those of the usual ways of the service to log in itself."""
    opts = {opt.dest: opt for plugin in PLUGINS for opt in loading.get_auth_plugin_conf_options(plugin)}
    opts |= {opt.dest: opt for _, group in auth_token.list_opts() for opt in group}
    return [copy(opt) for opt in opts.values()]


def problems(conf: cfg.ConfigOpts) -> list[str]:
    """What is wrong with ``[keystone_authtoken]`` as far as one can tell without asking Keystone."""
    _register(conf)
    mistakes = option_values.unreadable(
        conf, {GROUP: [opt for _, opts in auth_token.list_opts() for opt in opts]})
    return mistakes or [*_missing(conf), *_login_problems(conf)]


def _missing(conf: cfg.ConfigOpts) -> Iterator[str]:
    """What the middleware would look for at the first request, and not find."""
    options = conf[GROUP]
    for name in ("cafile", "certfile", "keyfile"):
        if options[name] and not Path(options[name]).is_file():
            yield f"[{GROUP}] {name}: {options[name]}: there is no such file"
    if options.memcached_servers and find_spec("memcache") is None:
        yield (f"[{GROUP}] memcached_servers: they need python-memcached, which is not installed: "
               "pip install 'cloudkitty-like[keystone]'")
    if options.memcache_security_strategy.lower() != "none" and not options.memcache_secret_key:
        yield f"[{GROUP}] memcache_secret_key: memcache_security_strategy needs it"


def _login_problems(conf: cfg.ConfigOpts) -> list[str]:
    """What is wrong with how the service itself logs in."""
    try:
        login = loading.load_auth_from_conf_options(conf, GROUP)
    except (ClientException, cfg.Error, ValueError) as error:
        return [f"[{GROUP}] {option_values.reason(str(error))}"]
    if login is None:
        return [f"[{GROUP}] auth_type: it is not set; {USUAL}"]
    if not getattr(login, "auth_url", None):
        return [f"[{GROUP}] auth_type: {conf[GROUP].auth_type} does not log in to a Keystone; {USUAL}"]
    return []


def guard(application: WSGIApplication, conf: cfg.ConfigOpts) -> WSGIApplication:
    """The application behind Keystone's tokens; a Keystone that cannot be asked is a 503."""
    _register(conf)

    def passage(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[PASSED] = True
        return application(environ, start_response)

    # Whatever the file says: who has no valid token is refused here, and not let through to be refused by a policy.
    middleware: Any = auth_token.AuthProtocol(
        passage, {"oslo_config_config": conf, "delay_auth_decision": False})

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            answer: Iterable[bytes] = middleware(environ, start_response)
        except ClientException as error:
            if PASSED in environ:
                raise
            LOG.error("Keystone cannot be asked about a token: %s", error)
            return refuse(start_response, HTTPStatus.SERVICE_UNAVAILABLE, UNREACHABLE)
        return answer

    return guarded


def _register(conf: cfg.ConfigOpts) -> None:
    for group, opts in auth_token.list_opts():
        conf.register_opts(opts, group)
    # With it, the access rules of an application credential work without anything being set.
    conf.set_default("service_type", SERVICE_TYPE, GROUP)
