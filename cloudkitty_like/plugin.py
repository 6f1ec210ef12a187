"""Plugins by name: the entry point says where one is, its OPTS say what it needs."""
from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from oslo_config import cfg
from stevedore.driver import DriverManager
from stevedore.exception import NoMatches

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.option_values import unreadable
from cloudkitty_like.ports import Site

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


def load(kind: str, name: str, conf: cfg.ConfigOpts, site: Site) -> Any:
    """The plugin, built from its own group of the configuration."""
    plugin = load_class(kind, name)
    group = f"{kind}_{name}"
    conf.register_group(cfg.OptGroup(group))        # a plugin without options has a group all the same
    conf.register_opts(plugin.OPTS, group)
    if problems := unreadable(conf, {group: plugin.OPTS}):
        raise Invalid(*problems)
    try:
        return plugin.from_conf(conf[group], site)
    except Invalid as error:
        # A plugin need not know what its group is called; who reads the message must.
        raise Invalid(*(problem if problem.startswith("[") else f"[{group}] {problem}" for problem in error.problems),
                      hint=error.hint) from error


def list_opts() -> Iterator[tuple[str, list[cfg.Opt]]]:
    """Every installed plugin's options, for the sample configuration."""
    for kind in KINDS:
        for name in names(kind):
            yield f"{kind}_{name}", list(load_class(kind, name).OPTS)
