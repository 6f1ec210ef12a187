"""The composition root: configuration in, wired objects out.

The only place that loads plugins, knows the wall clock and reads ``[collect]``,
``[orchestrator]`` and their like.  Everything is made at first use, so that a
command pays for what it needs only.
"""
from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from oslo_config import cfg

from cloudkitty_like import __version__, option_values, plugin
from cloudkitty_like.app import state_database
from cloudkitty_like.app.configuration import (
    DAY_SECONDS,
    DEFAULT_CONFIG,
    OPTS,
    database_opts,
    list_opts,
    read_configuration,
    user,
)
from cloudkitty_like.db import schema
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.limits import Limits
from cloudkitty_like.domain.errors import Error, Invalid, NotFound, Unavailable, together
from cloudkitty_like.domain.period import Period
from cloudkitty_like.ports import Site

__all__ = ["DEFAULT_CONFIG", "OPTS", "App", "list_opts", "read_configuration"]

WORKING = ("database", "fetcher", "collector", "metrics", "storage", "schema", "ledger")
"""What has to be right before anything is rated, in the order in which it is named."""

SERVING = ("metrics", "schema", "ledger", "storage")
"""What has to be right before the API can answer."""


class App:
    """One installation, as its configuration describes it."""
    def __init__(self, conf: cfg.ConfigOpts, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.conf, self.clock = conf, clock
        self.author = user()
        self._rating_modules: dict[str, Any] = {}
        self._limits: Limits | None = None
        self._check_values()

    def _check_values(self) -> None:
        problems = option_values.unreadable(self.conf, {**OPTS, "database": database_opts()})
        if not problems:
            if DAY_SECONDS % self.conf.collect.period:
                problems.append(f"[collect] period: {self.conf.collect.period} seconds do not divide a day")
            if self.conf.orchestrator.retry_most < self.conf.orchestrator.retry_first:
                problems.append("[orchestrator] retry_most: it is shorter than retry_first")
            if not self.conf.collect.scope_key:
                problems.append("[collect] scope_key: it is empty")
        if problems:
            raise Invalid(*problems)

    @property
    def period(self) -> timedelta:
        return timedelta(seconds=self.conf.collect.period)

    @cached_property
    def database(self) -> Database:
        database = state_database.make(self.conf.database)
        if self._limits is not None:
            database.limit(self._limits)
        return database

    def limit_database(self, *, answers: bool, question: float | None = None) -> None:
        """Limit all waits for the database: those for ``answers``, and so many seconds for a ``question``."""
        self._limits = state_database.limits(self.conf.database, answers, question)
        if "database" in self.__dict__:
            self.database.limit(self._limits)

    @property
    def site(self) -> Site:
        return Site(self.conf.collect.scope_key, self.database)

    @cached_property
    def collector(self) -> Any:
        return plugin.load("collector", self.conf.collect.collector, self.conf, self.site)

    @cached_property
    def fetcher(self) -> Any:
        return plugin.load("fetcher", self.conf.fetcher.backend, self.conf, self.site)

    @cached_property
    def storage(self) -> Any:
        return plugin.load("storage", self.conf.storage.backend, self.conf, self.site)

    @cached_property
    def metrics(self) -> Any:
        """metrics.yml, read and checked."""
        return self.definitions(Path(self.conf.collect.metrics_conf))

    def read_metrics_again(self) -> Any:
        """metrics.yml as it is now, from now on in use; where it is wrong, the one that was in use before."""
        try:
            self.metrics = self.definitions(Path(self.conf.collect.metrics_conf))
        except Error as error:
            logging.getLogger(__name__).debug("%s", error)
        return self.metrics

    def definitions(self, path: Path) -> Any:
        """The metric definitions of a file, as this installation would measure by them; Invalid where it is wrong."""
        from cloudkitty_like.service.metrics import definitions as metrics

        return metrics.load(metrics.read(path), self.collector, self.conf.collect.scope_key,
                            self.conf.orchestrator.skip_datapoints_expression, path.name)

    @property
    def schema_version(self) -> str | None:
        """The version of the database's schema as it is now; None where it has none yet."""
        return schema.version(self.database)

    @cached_property
    def schema(self) -> str:
        """The schema of the database; Conflict where it is not the one that this release needs."""
        if not self.database.exists:
            raise NotFound(f"there is no database at {self.database}",
                           hint="where there was a ledger, name the place that it has now with --state DIR or "
                                "[database] connection; 'cloudkitty-like restore' brings back a backup, and only a "
                                "new installation begins with 'cloudkitty-like dbsync upgrade'")
        return schema.required(self.database)

    def check(self, *names: str) -> None:
        """Make these parts now; raises everything that is wrong with any of them, at once.

        :raises Unavailable: when nothing is wrong but that systems do not answer.
        """
        errors: list[Error] = []
        for name in names:
            try:
                getattr(self, name)
            except Error as error:
                errors.append(error)
        if errors:
            raise together(errors)

    @cached_property
    def scopes(self) -> Any:
        from cloudkitty_like.service.operation.scopes import Scopes

        return Scopes(self.database, self.clock, self.period, self.conf.collect.wait_periods)

    @cached_property
    def holes(self) -> Any:
        from cloudkitty_like.service.ledger.holes import Holes

        return Holes(self.database, self.clock, self.author)

    @cached_property
    def reprocessing(self) -> Any:
        from cloudkitty_like.service.corrections.tasks import Reprocessing

        return Reprocessing(self.database, self.clock, self.period)

    @cached_property
    def summary(self) -> Any:
        from cloudkitty_like.service.reports.summary import Summary

        return Summary(self.database, self.storage)

    @cached_property
    def ledger(self) -> Any:
        from cloudkitty_like.service.ledger.writer import Ledger, establish

        self.check("schema")
        establish(self.database, period_seconds=self.conf.collect.period, scope_key=self.conf.collect.scope_key)
        return Ledger(self.database, self.storage, self.clock, self.author)

    def worker(self, stop: threading.Event, *, until: datetime | None = None,
               progressed: Callable[[Period, int], None] = lambda period, scopes: None) -> Any:
        """A worker and its pulse, ready to run; Invalid with everything that is wrong at once."""
        from cloudkitty_like.app.assembly import worker

        self.check(*WORKING)
        return worker(self, stop, until, progressed)

    @cached_property
    def acceptances(self) -> Any:
        """Which metric definitions hold for the ledger."""
        from cloudkitty_like.service.metrics.acceptance import Acceptances

        return Acceptances(self.database, self.clock, self.author)

    def lease(self, member: str, first: int) -> Any:
        """Leases on shards for a worker of that name, tried from the first-th on."""
        from cloudkitty_like.orchestrator.lease import ToozLease

        return ToozLease(self.conf.orchestrator.coordination_url, member, self.conf.orchestrator.shards, first)

    @cached_property
    def tariffs(self) -> Any:
        from cloudkitty_like.service.pricing.tariffs import Tariffs

        return Tariffs(self.database, self.rating_module)

    def rating_module(self, name: str) -> Any:
        """A rating module, made once; Invalid where there is none of that name or its options do not make sense."""
        if name not in self._rating_modules:
            self._rating_modules[name] = plugin.load("rating", name, self.conf, self.site)
        return self._rating_modules[name]

    @cached_property
    def explaining(self) -> Any:
        from cloudkitty_like.service.reports.explanations import Explaining

        return Explaining(self.database, self.storage, self.tariffs, lambda: self.metrics)

    @cached_property
    def simulation(self) -> Any:
        from cloudkitty_like.service.whatif.simulation import Simulation

        return Simulation(self.database, self.storage, self.tariffs, lambda: self.metrics.metrics)

    @cached_property
    def trying(self) -> Any:
        from cloudkitty_like.service.whatif.script_trial import Trying

        return Trying(self.database, self.storage, self.tariffs)

    @cached_property
    def quotes(self) -> Any:
        from cloudkitty_like.service.whatif.quote import Quotes

        return Quotes(self.rating, lambda: self.metrics.metrics, self.clock, self.period, self.conf.collect.scope_key,
                      self.tariffs)

    def rating(self) -> tuple[int, Any]:
        """The rule-set version that holds now, and what rates by it; whatever keeps a module from loading is raised."""
        from cloudkitty_like.service.pricing import rulesets

        version = rulesets.current(self.database, metrics=self.metrics.text, digest=self.metrics.digest,
                                   software=__version__, now=self.clock())
        return version.version, self.tariffs.at(version.change)

    def script_check(self, name: str, text: str) -> None:
        """What a script has to pass before it is kept: Invalid, with line and reason, where it does not compile.

        Unavailable where the isolation in which it would be compiled cannot be had.
        """
        module = self.rating_module("pyscripts")
        try:
            module.prepare()
        except Invalid as error:
            raise Unavailable(f"no script can be checked: {error}", hint=error.hint) from error
        module.check(name, text)

    @cached_property
    def scripts(self) -> Any:
        from cloudkitty_like.service.pyscripts.scripts import Scripts

        return Scripts(self.database, self.script_check)

    @cached_property
    def services(self) -> Any:
        """What the API works with; nothing of it is asked, nor has to answer, before a request comes."""
        from cloudkitty_like.api.services import Services
        from cloudkitty_like.service import strict_yaml

        collect = self.conf.collect
        return Services(
            database=self.database, storage=self.storage, summary=self.summary, scopes=self.scopes,
            metrics=lambda: self.metrics.metrics, document=lambda: strict_yaml.load(self.metrics.text),
            rating=self.rating, script_check=self.script_check, clock=self.clock, period=self.period,
            wait_periods=collect.wait_periods,
            scope_key=collect.scope_key, collector=collect.collector, fetcher=self.conf.fetcher.backend,
            tariffs=self.tariffs, definitions=lambda: self.metrics,
            simulation_points=self.conf.api.simulation_points)

    def application(self, counters: Any = None) -> Any:
        """The REST API as a WSGI application; Invalid with everything that is wrong with the configuration at once.

        The database is looked at when the first request comes, and until it is there and right.
        ``counters``: see :class:`cloudkitty_like.api.counters.Counters`.
        """
        from cloudkitty_like.api.application import make
        from cloudkitty_like.api.readiness import Readiness

        self.limit_database(answers=True, question=self.conf.api.query_seconds)
        self.check("metrics", "storage")
        return Readiness(make(self.services, self.conf, counters), lambda: self.check("schema", "ledger"))

    def close(self) -> None:
        for module in self._rating_modules.values():
            close = getattr(module, "close", None)
            if close is not None:
                close()
        if "database" in self.__dict__:
            self.database.close()
