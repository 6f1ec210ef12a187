"""The options by which a plugin is told where its Gnocchi is and who it is there."""
from __future__ import annotations

from typing import Any

from gnocchiclient.auth import GnocchiBasicPlugin
from keystoneauth1 import loading
from keystoneauth1.exceptions import OptionError
from oslo_config import cfg

from cloudkitty_like.client import transport_options
from cloudkitty_like.client.gnocchi import Gnocchi, GnocchiConnection
from cloudkitty_like.domain.errors import Invalid

BASIC_ADMINISTRATOR = "admin"
"""The user who reads everything where Gnocchi itself uses basic authentication."""

KEYSTONE_TYPES = ("password", "v3applicationcredential")
_SECRETS = ("password", "application_credential_secret")
_CREDENTIALS = (
    "auth_url", "username", "user_id", "user_domain_name", "user_domain_id", "password",
    "project_name", "project_id", "project_domain_name", "project_domain_id", "system_scope",
    "application_credential_id", "application_credential_name", "application_credential_secret",
)

OPTS = (
    cfg.StrOpt("gnocchi_auth_type", default="keystone", choices=("keystone", "basic"),
               help="How Gnocchi knows us: by a token of Keystone, or by a user's name."),
    cfg.StrOpt("gnocchi_user", default="", help="User of basic authentication."),
    cfg.StrOpt("gnocchi_endpoint", default="",
               help="Where Gnocchi is, for basic authentication; else Keystone's catalog says it."),
    cfg.StrOpt("interface", default="internalURL",
               help="Interface of the endpoint in Keystone's catalog."),
    cfg.StrOpt("region_name", default="RegionOne",
               help="Region of the endpoint in Keystone's catalog."),
    cfg.IntOpt("http_pool_maxsize", default=10, min=1, help="Connections that are kept open."),
    cfg.StrOpt("cafile", help="File of the authorities that certificates are checked with."),
    cfg.BoolOpt("insecure", default=False, help="Do not check certificates; cafile wins over it."),
    cfg.StrOpt("certfile", help="File of the client certificate."),
    cfg.StrOpt("keyfile", help="File of its key, where certfile does not hold it."),
    cfg.FloatOpt("timeout", default=60, min=0, help="Seconds after which a request is given up."),
    cfg.StrOpt("auth_type", default="password", choices=KEYSTONE_TYPES,
               help="Kind of the credentials for Keystone."),
    *(cfg.StrOpt(name, secret=name in _SECRETS, help=f"Credentials for Keystone: {name}.")
      for name in _CREDENTIALS),
)


def connect(group: Any) -> Gnocchi:
    """The client that a group with OPTS describes.

    :raises Invalid: when the options describe none; the message has every reason.
    """
    problems = [*transport_options.timeout_problems(group), *transport_options.key_problems(group)]
    basic = group.gnocchi_auth_type == "basic"
    if basic:
        problems += [f"{name}: is not set, and basic authentication needs it"
                     for name in ("gnocchi_user", "gnocchi_endpoint") if not group[name]]
    elif not group.auth_url:
        problems.append("auth_url: is not set")
    if problems:
        raise Invalid(*problems)
    auth: Any = _keystone(group) if not basic else GnocchiBasicPlugin(
        group.gnocchi_user, group.gnocchi_endpoint)
    return Gnocchi(auth, GnocchiConnection(
        timeout=group.timeout, verify=transport_options.verification(group),
        cert=transport_options.certificate(group),
        interface=group.interface or None, region_name=group.region_name or None,
        pool=group.http_pool_maxsize,
        reads_all=group.gnocchi_user == BASIC_ADMINISTRATOR if basic else None))


def _keystone(group: Any) -> Any:
    loader: Any = loading.get_plugin_loader(group.auth_type)
    known = {option.dest for option in loader.get_options()}
    values = {name: group[name] for name in _CREDENTIALS if name in known and group[name]}
    try:
        return loader.load_from_options(**values)
    except OptionError as error:
        raise Invalid(f"auth_type {group.auth_type}: {error}") from None
