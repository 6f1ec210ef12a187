"""The composition root: configuration in, wired objects out.

The only place that loads plugins, knows the wall clock and reads ``[collect]``,
``[orchestrator]`` and their like.  Everything is made at first use, so that a
command pays for what it needs only.
"""
from __future__ import annotations

import contextlib
import getpass
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from oslo_config import cfg

from cloudkitty_like import __version__, plugin
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.errors import Error, Invalid, NotFound
from cloudkitty_like.domain.period import Period
from cloudkitty_like.ports import Site

DAY_SECONDS = 86400
DEFAULT_CONFIG = Path("/etc/cloudkitty_like/cloudkitty_like.conf")
WORKING = ("database", "fetcher", "collector", "metrics", "storage", "schema", "ledger")
"""What has to be right before anything is rated, in the order in which it is named."""

DATABASE_OPTIONS = ("connection", "connection_recycle_time", "max_pool_size", "max_overflow", "pool_timeout")
DEFAULT_DATABASE = "sqlite:////var/lib/cloudkitty_like/cloudkitty_like.sqlite"

OPTS: dict[str, list[cfg.Opt]] = {
    "collect": [
        cfg.StrOpt("collector", default="prometheus", help="Name of the plugin that reads usage."),
        cfg.IntOpt("period", default=3600, min=1, max=DAY_SECONDS,
                   help="Length of a rating period in seconds. It divides a day, and stays what it was when the "
                        "ledger was begun."),
        cfg.IntOpt("wait_periods", default=2, min=0,
                   help="How many periods to wait after a period's end until the source is complete."),
        cfg.StrOpt("metrics_conf", default="/etc/cloudkitty_like/metrics.yml", help="Path of metrics.yml."),
        cfg.StrOpt("scope_key", default="project_id", help="The label that says whose usage it is."),
    ],
    "fetcher": [cfg.StrOpt("backend", default="prometheus", help="Name of the plugin that finds scopes.")],
    "storage": [cfg.StrOpt("backend", default="sqlalchemy", help="Name of the plugin that keeps points.")],
    "orchestrator": [
        cfg.StrOpt("coordination_url", secret=True, default="file:///var/lib/cloudkitty_like/locks",
                   help="Where workers share out their work: a tooz URL. file:// serves one host."),
        cfg.IntOpt("max_workers", default=1, min=1, help="Number of worker processes of one processor."),
        cfg.IntOpt("max_threads", default=16, min=1, help="Requests to the source at a time, per worker."),
        cfg.IntOpt("shards", default=8, min=1, max=1024,
                   help="Into how many parts the scopes are shared out; the same for all workers."),
        cfg.IntOpt("scopes_per_batch", default=5000, min=1, help="Scopes collected and recorded together."),
        cfg.IntOpt("collector_request_timeout", default=300, min=1,
                   help="Seconds after which a metric's collection is not split further."),
        cfg.StrOpt("skip_datapoints_expression", default="False",
                   help="Which rated points to drop; a metric's own expression takes its place."),
        cfg.FloatOpt("poll_interval", default=5, min=0.05, help="Seconds between looks for work where there is none."),
        cfg.FloatOpt("discovery_interval", default=60, min=0.05, help="Seconds between looks for new scopes."),
        cfg.FloatOpt("retry_first", default=30, min=0.05,
                     help="Seconds until a scope is tried again after its source failed; doubled each time."),
        cfg.FloatOpt("retry_most", default=3600, min=0.05, help="The longest such wait, in seconds."),
        cfg.FloatOpt("slice_seconds", default=5, min=0.05,
                     help="Seconds of catching up for some scopes before looking what else is due."),
    ],
}


def list_opts() -> Iterator[tuple[str, list[cfg.Opt]]]:
    """Every option there is, for the sample configuration."""
    yield from OPTS.items()
    yield "database", _database_opts()
    yield from _api_opts().items()
    yield from plugin.list_opts()


def _api_opts() -> dict[str, list[cfg.Opt]]:
    from cloudkitty_like.api import application, identity

    found: dict[str, list[cfg.Opt]] = {}
    for group, opts in (*application.OPTS.items(), *identity.OPTS.items()):
        found.setdefault(group, []).extend(opts)
    return found


def _database_opts() -> list[cfg.Opt]:
    """Those of oslo.db that we heed, with the default that is ours."""
    from oslo_db import options as oslo_db_options

    opts = [copy(opt) for opt in oslo_db_options.database_opts if opt.name in DATABASE_OPTIONS]
    cfg.set_defaults(opts, connection=DEFAULT_DATABASE)
    return opts


def read_configuration(files: Sequence[str], directories: Sequence[str] = (), *, logs: bool = False,
                       api: bool = False) -> cfg.ConfigOpts:
    """The configuration, with the options of this module registered; Invalid where it cannot be read.

    ``logs``: with the options of oslo.log, which a daemon has in [DEFAULT].  ``api``: with those of the API.
    """
    conf = cfg.ConfigOpts()
    if api:
        for group, opts in _api_opts().items():
            conf.register_opts(opts, None if group == "DEFAULT" else group)
    if logs:
        from oslo_log import log

        log.register_options(conf)
    for group, opts in OPTS.items():
        conf.register_opts(opts, group)
    conf.register_opts(_database_opts(), "database")
    args = [f"--config-file={name}" for name in files] + [f"--config-dir={name}" for name in directories]
    default = [str(DEFAULT_CONFIG)] if not args and DEFAULT_CONFIG.exists() else []
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            conf(args, project="cloudkitty_like", version=__version__, default_config_files=default,
                 default_config_dirs=[])
    except SystemExit:             # how oslo.config refuses a value of an option that could be an argument too
        raise Invalid(f"[DEFAULT] {said.getvalue().strip()}") from None
    except cfg.ConfigFileParseError as error:
        raise Invalid(str(error).replace("\n", " ")) from None
    except cfg.Error as error:
        raise Invalid(str(error)) from None
    except OSError as error:
        raise Invalid(f"{error.filename}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Invalid(f"{', '.join([*files, *directories])}: it is not a text in UTF-8: {error}") from None
    return conf


class App:
    """One installation, as its configuration describes it."""

    def __init__(self, conf: cfg.ConfigOpts, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.conf, self.clock = conf, clock
        self.author = _user()
        self._check_values()

    # --- values ----------------------------------------------------------------------------------

    def _check_values(self) -> None:
        problems = plugin.unreadable(self.conf, {**OPTS, "database": _database_opts()})
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
        options = self.conf.database
        return Database(options.connection or DEFAULT_DATABASE, pool_recycle=options.connection_recycle_time,
                        **{name: value for name, value in (
                            ("pool_size", options.max_pool_size), ("max_overflow", options.max_overflow),
                            ("pool_timeout", options.pool_timeout)) if value is not None})

    @property
    def site(self) -> Site:
        return Site(self.conf.collect.scope_key, self.database)

    # --- plugins ---------------------------------------------------------------------------------

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
        from cloudkitty_like.service import metrics

        collect = self.conf.collect
        path = Path(collect.metrics_conf)
        return metrics.load(metrics.read(path), self.collector, collect.scope_key,
                            self.conf.orchestrator.skip_datapoints_expression, path.name)

    @cached_property
    def schema(self) -> str:
        """The schema of the database; Conflict where it is not the one that this release needs."""
        from cloudkitty_like.service import migration

        if not self.database.exists:
            raise NotFound(f"there is no database at {self.database}",
                           hint="name another with --state DIR or --config-file FILE; or make this one: "
                                "cloudkitty-like dbsync upgrade")
        return migration.required(self.database)

    def check(self, *names: str) -> None:
        """Make these parts now; raises everything that is wrong with any of them, at once."""
        problems: dict[str, None] = {}
        hints: dict[str, None] = {}
        errors: list[Error] = []
        for name in names:
            try:
                getattr(self, name)
            except Error as error:
                errors.append(error)
                problems.update(dict.fromkeys(str(error).splitlines()))
                hints.update(dict.fromkeys(filter(None, [error.hint])))
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise Invalid(*problems, hint="; ".join(hints))

    # --- use cases -------------------------------------------------------------------------------

    @cached_property
    def scopes(self) -> Any:
        from cloudkitty_like.service.scopes import Scopes

        return Scopes(self.database, self.clock, self.period)

    @cached_property
    def summary(self) -> Any:
        from cloudkitty_like.service.summary import Summary

        return Summary(self.database, self.storage)

    @cached_property
    def ledger(self) -> Any:
        from cloudkitty_like.service.ledger import Ledger, establish

        self.check("schema")
        establish(self.database, period_seconds=self.conf.collect.period, scope_key=self.conf.collect.scope_key)
        return Ledger(self.database, self.storage, self.clock, self.author)

    def worker(self, stop: threading.Event, *, until: datetime | None = None,
               progressed: Callable[[Period, int], None] = lambda period, scopes: None) -> Any:
        """A worker and its pulse, ready to run; Invalid with everything that is wrong at once."""
        from cloudkitty_like.orchestrator.collect import Gatherer
        from cloudkitty_like.orchestrator.daemon import Parts, Tempo, Worker
        from cloudkitty_like.orchestrator.failures import Failures
        from cloudkitty_like.orchestrator.heartbeat import Pulse
        from cloudkitty_like.orchestrator.newcomers import Newcomers, Source
        from cloudkitty_like.orchestrator.process import Processor
        from cloudkitty_like.orchestrator.stages import Stages

        self.check(*WORKING)
        options, metrics = self.conf.orchestrator, self.metrics.metrics
        stages = Stages()
        pulse = Pulse(self.database, self.clock, stages, lambda: getattr(self.collector, "requests_made", 0))
        failures = Failures(self.database, self.clock, timedelta(seconds=options.retry_first),
                            timedelta(seconds=options.retry_most))
        lease = self.lease(pulse.id, pulse.pid)
        source = Source(self.fetcher, self.collector, metrics, self.conf.collect.scope_key, self.conf.fetcher.backend,
                        self.conf.collect.collector)
        gatherer = Gatherer(self.collector, metrics, threads=options.max_threads,
                            deadline_seconds=options.collector_request_timeout, stages=stages, stop=stop)
        parts = Parts(
            database=self.database, ledger=self.ledger, failures=failures, pulse=pulse, clock=self.clock, stop=stop,
            newcomers=Newcomers(self.database, self.scopes, source, failures, self.clock, gatherer.ask),
            gatherer=gatherer,
            processor=Processor(self.ledger, {m.alt_name: m.skip for m in metrics if m.skip}, stages),
            rating=self.rating, lease=lease,
        )
        tempo = Tempo(
            period=self.period, wait_periods=self.conf.collect.wait_periods, shards=options.shards,
            scopes_per_batch=options.scopes_per_batch, slice_seconds=options.slice_seconds,
            poll_seconds=options.poll_interval, discovery=timedelta(seconds=options.discovery_interval), until=until,
        )
        return Worker(parts, tempo, progressed)

    def lease(self, member: str, first: int) -> Any:
        """Leases on shards for a worker of that name, tried from the first-th on."""
        from cloudkitty_like.orchestrator.lease import ToozLease

        return ToozLease(self.conf.orchestrator.coordination_url, member, self.conf.orchestrator.shards, first)

    @cached_property
    def tariffs(self) -> Any:
        from cloudkitty_like.service.pricing import Tariffs

        return Tariffs(self.database, lambda name: plugin.load("rating", name, self.conf, self.site))

    def rating(self) -> tuple[int, Any]:
        """The rule-set version that holds now, and what rates by it; whatever keeps a module from loading is raised."""
        from cloudkitty_like.service import rulesets

        version = rulesets.current(self.database, metrics=self.metrics.text, digest=self.metrics.digest,
                                   software=__version__, now=self.clock())
        return version.version, self.tariffs.at(version.change).rate

    def application(self) -> Any:
        """The REST API as a WSGI application; Invalid with everything that is wrong at once."""
        from cloudkitty_like.api.application import make
        from cloudkitty_like.api.services import Services
        from cloudkitty_like.service import exact_yaml

        self.check("schema", "ledger", "storage")
        collect = self.conf.collect
        return make(Services(
            database=self.database, storage=self.storage, summary=self.summary, scopes=self.scopes,
            metrics=lambda: self.metrics.metrics, document=lambda: exact_yaml.load(self.metrics.text), rating=self.rating,
            clock=self.clock, period=self.period, wait_periods=collect.wait_periods, scope_key=collect.scope_key,
            collector=collect.collector, fetcher=self.conf.fetcher.backend), self.conf)

    def close(self) -> None:
        if "database" in self.__dict__:
            self.database.close()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
