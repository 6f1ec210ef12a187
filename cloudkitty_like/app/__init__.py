"""The composition root: it reads the configuration and makes the objects of an installation.

Only this package loads plugins, asks for the time and reads ``[collect]``, ``[orchestrator]`` and
their like.  Everything is made at first use, so that a command pays only for what it needs.
"""
from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from oslo_config import cfg

from cloudkitty_like import option_values, plugin
from cloudkitty_like.app.configuration import (
    DAY_SECONDS,
    DEFAULT_CONFIG,
    DEFAULT_DATABASE,
    OPTS,
    database_opts,
    list_opts,
    read_configuration,
    user,
)
from cloudkitty_like.db import schema
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.limits import WaitLimits
from cloudkitty_like.domain.errors import Error, Invalid, NotFound, together
from cloudkitty_like.ports import Closable, Collector, Fetcher, PluginContext, RatingModule, Storage

if TYPE_CHECKING:
    from cloudkitty_like.app.use_cases import UseCases
    from cloudkitty_like.service.metrics.definitions import MetricsFile

__all__ = ["DEFAULT_CONFIG", "OPTS", "App", "Part", "list_opts", "read_configuration"]

Part = Literal["database", "fetcher", "collector", "metrics", "storage", "schema", "ledger"]
"""What a command may need to be right before it begins."""

WORKING: tuple[Part, ...] = (
    "database", "fetcher", "collector", "metrics", "storage", "schema", "ledger")
"""What has to be right before anything is rated, in the order in which it is named."""

SERVING: tuple[Part, ...] = ("metrics", "schema", "ledger", "storage")
"""What has to be right before the API can answer."""


class App:
    """One installation, as its configuration describes it."""

    def __init__(self, conf: cfg.ConfigOpts,
                 clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.conf, self.clock = conf, clock
        self.author = user()
        self._rating_modules: dict[str, RatingModule] = {}
        self._limits: WaitLimits | None = None
        self._check_values()
        self.period = timedelta(seconds=conf.collect.period)
        self.wait_periods: int = conf.collect.wait_periods
        self.scope_key: str = conf.collect.scope_key
        self.collector_name: str = conf.collect.collector
        self.fetcher_name: str = conf.fetcher.backend

    def _check_values(self) -> None:
        problems = option_values.unreadable(self.conf, {**OPTS, "database": database_opts()})
        if not problems:
            collect, orchestrator = self.conf.collect, self.conf.orchestrator
            if DAY_SECONDS % collect.period:
                problems.append(f"[collect] period: {collect.period} seconds do not divide a day")
            if orchestrator.retry_most < orchestrator.retry_first:
                problems.append("[orchestrator] retry_most: it is shorter than retry_first")
            if not collect.scope_key:
                problems.append("[collect] scope_key: it is empty")
        if problems:
            raise Invalid(*problems)

    @cached_property
    def use_cases(self) -> UseCases:
        """All that can be done with this installation."""
        from cloudkitty_like.app.use_cases import UseCases

        return UseCases(self)

    # --- the database ----------------------------------------------------------------------------

    @cached_property
    def database(self) -> Database:
        """The state database; nothing is connected yet."""
        options = self.conf.database
        pool = {"pool_size": options.max_pool_size, "max_overflow": options.max_overflow,
                "pool_timeout": options.pool_timeout}
        settings = {name: value for name, value in pool.items() if value is not None}
        database = Database(options.connection or DEFAULT_DATABASE,
                            pool_recycle=options.connection_recycle_time, **settings)
        if self._limits is not None:
            database.limit(self._limits)
        return database

    def limit_database(self, *, answers: bool, question: float | None = None) -> None:
        """Limit how long this process waits for the database.

        ``answers``: also for one answer, as ``[database] answer_timeout`` says.
        ``question``: seconds that one question may keep the database busy; None: no limit.
        """
        options = self.conf.database
        self._limits = WaitLimits(
            connect=options.connect_timeout, network=options.network_timeout,
            answer=options.answer_timeout if answers else None, question=question)
        if "database" in self.__dict__:
            self.database.limit(self._limits)

    @property
    def schema_version(self) -> str | None:
        """The version of the database's schema as it is now; None: it has none yet."""
        return schema.version(self.database)

    @cached_property
    def schema(self) -> str:
        """The version of the database's schema.

        :raises NotFound: when there is no database.
        :raises Conflict: when the version is not the one that this release needs.
        """
        if not self.database.exists:
            raise NotFound(
                f"there is no database at {self.database}",
                hint="where there was a ledger, name the place that it has now with --state DIR "
                     "or [database] connection; 'cloudkitty-like restore' brings back a backup, "
                     "and only a new installation begins with 'cloudkitty-like dbsync upgrade'")
        return schema.required(self.database)

    # --- plugins ---------------------------------------------------------------------------------

    @property
    def plugin_context(self) -> PluginContext:
        """What every plugin may know of the installation."""
        return PluginContext(self.scope_key, self.database)

    @cached_property
    def collector(self) -> Collector:
        """The plugin that reads usage."""
        collector: Collector = plugin.load("collector", self.collector_name, self.conf,
                                           self.plugin_context)
        return collector

    @cached_property
    def fetcher(self) -> Fetcher:
        """The plugin that finds scopes."""
        fetcher: Fetcher = plugin.load("fetcher", self.fetcher_name, self.conf, self.plugin_context)
        return fetcher

    @cached_property
    def storage(self) -> Storage:
        """The plugin that keeps points."""
        storage: Storage = plugin.load("storage", self.conf.storage.backend, self.conf,
                                       self.plugin_context)
        return storage

    def rating_module(self, name: str) -> RatingModule:
        """Return a rating module; it is made once.

        :raises Invalid: when there is none of that name, or its options do not make sense.
        """
        if name not in self._rating_modules:
            self._rating_modules[name] = plugin.load("rating", name, self.conf, self.plugin_context)
        return self._rating_modules[name]

    # --- metric definitions ----------------------------------------------------------------------

    @cached_property
    def metrics(self) -> MetricsFile:
        """metrics.yml, read and checked."""
        return self.definitions(Path(self.conf.collect.metrics_conf))

    def read_metrics_again(self) -> MetricsFile:
        """Read metrics.yml again and use it from now on; keep the former one when it is wrong."""
        try:
            self.metrics = self.definitions(Path(self.conf.collect.metrics_conf))
        except Error as error:
            logging.getLogger(__name__).debug("%s", error)
        return self.metrics

    def definitions(self, path: Path) -> MetricsFile:
        """Return the metric definitions of a file, as this installation would measure by them.

        :raises Invalid: when the file is wrong.
        """
        from cloudkitty_like.service.metrics import definitions as metrics

        return metrics.load(metrics.read(path), self.collector, self.scope_key,
                            self.conf.orchestrator.skip_datapoints_expression, path.name)

    # --- all of it -------------------------------------------------------------------------------

    def check(self, *names: Part) -> None:
        """Make these parts now; raise everything that is wrong with any of them, at once.

        :raises Unavailable: when nothing is wrong but that systems do not answer.
        """
        errors: list[Error] = []
        for name in names:
            try:
                PARTS[name](self)
            except Error as error:
                errors.append(error)
        if errors:
            raise together(errors)

    def close(self) -> None:
        """End the processes of rating modules and close the database; both open again on use."""
        for module in self._rating_modules.values():
            if isinstance(module, Closable):
                module.close()
        if "database" in self.__dict__:
            self.database.close()


PARTS: Mapping[Part, Callable[[App], object]] = {
    "database": lambda app: app.database,
    "fetcher": lambda app: app.fetcher,
    "collector": lambda app: app.collector,
    "metrics": lambda app: app.metrics,
    "storage": lambda app: app.storage,
    "schema": lambda app: app.schema,
    "ledger": lambda app: app.use_cases.ledger,
}
"""How each part is made."""
