"""Plugins by name: the entry point says where one is, its OPTS say what it needs."""
from __future__ import annotations

import traceback
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from oslo_config import cfg
from stevedore.driver import DriverManager
from stevedore.exception import NoMatches

from cloudkitty_like.domain.errors import Error, Invalid
from cloudkitty_like.option_values import unreadable
from cloudkitty_like.ports import PluginContext

KINDS = ("collector", "fetcher", "rating", "storage")


@cache
def names(kind: str) -> tuple[str, ...]:
    """The plugins of a kind that were installed when this was first asked, by name; none of them is imported."""
    return tuple(sorted(entry_points(group=f"cloudkitty_like.{kind}").names))


def load_class(kind: str, name: str) -> Any:
    """The plugin's class.  Invalid where there is none of that name or it cannot be imported."""
    try:
        return DriverManager(f"cloudkitty_like.{kind}", name, on_missing_entrypoints_callback=None).driver
    except NoMatches as error:
        raise Invalid(f"no {kind} is called {name!r}: {error}",
                      hint=f"installed: {', '.join(names(kind)) or 'none'}") from error
    except Exception as error:
        # Whatever a plugin's import raises means the same: it cannot be used, and nothing may go on without it.
        raise Invalid(f"the {kind} {name!r} cannot be loaded: {error!r}") from error


def load(kind: str, name: str, conf: cfg.ConfigOpts, context: PluginContext) -> Any:
    """Make the plugin from its own group of the configuration.

    :raises Invalid: when the options do not make sense, or the plugin itself fails; the message names the plugin.
    """
    plugin = load_class(kind, name)
    group = f"{kind}_{name}"
    options = _options(kind, name)
    conf.register_group(cfg.OptGroup(group))        # a plugin without options has a group all the same
    conf.register_opts(options, group)
    if problems := unreadable(conf, {group: options}):
        raise Invalid(*problems)
    try:
        return plugin.from_conf(conf[group], context)
    except Invalid as error:
        # A plugin need not know what its group is called; who reads the message must.
        raise Invalid(*(_named(problem, group) for problem in error.problems), hint=error.hint) from error
    except Error as error:
        error.args = (_named(str(error), group),)
        raise
    except Exception as error:
        # A plugin's bug: it cannot be used, and whoever wrote it wants to know where it failed.
        raise Invalid(f"the {kind} {name!r} cannot be made from [{group}]: {error!r} in {_place(error)}") from error


def _named(problem: str, group: str) -> str:
    return problem if problem.startswith("[") else f"[{group}] {problem}"


def _place(error: Exception) -> str:
    """The file and line that raised the error."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename}, line {last.lineno}"


def _options(kind: str, name: str) -> list[cfg.Opt]:
    """The options that the plugin declares; Invalid where it declares none, or something else."""
    options = getattr(load_class(kind, name), "OPTS", None)
    if not isinstance(options, list | tuple) or not all(isinstance(option, cfg.Opt) for option in options):
        raise Invalid(f"the {kind} {name!r} cannot be used: its OPTS is no list of oslo.config options")
    return list(options)


def list_opts() -> Iterator[tuple[str, list[cfg.Opt]]]:
    """Every installed plugin's options, for the sample configuration."""
    for kind in KINDS:
        for name in names(kind):
            yield f"{kind}_{name}", _options(kind, name)
