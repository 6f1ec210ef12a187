"""The use cases of one installation, wired once for the commands, the worker and the API.

Every member is made at its first use and imports its module then, so that a command loads only
what it needs.  The types are imported for the type checker alone.
"""
from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from cloudkitty_like import __version__
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.ports import ScriptModule

if TYPE_CHECKING:
    from cloudkitty_like.app.installation import Installation
    from cloudkitty_like.db.engine import Database
    from cloudkitty_like.ports import Storage
    from cloudkitty_like.service.corrections.tasks import CorrectionTasks
    from cloudkitty_like.service.hashmap.rules import Hashmap
    from cloudkitty_like.service.ledger.holes import Holes
    from cloudkitty_like.service.ledger.posting import PointIngest
    from cloudkitty_like.service.ledger.retention import Retention
    from cloudkitty_like.service.ledger.writer import Ledger
    from cloudkitty_like.service.metrics.acceptance import Acceptances
    from cloudkitty_like.service.metrics.definitions import MetricsFile
    from cloudkitty_like.service.operation.collectors import Collectors
    from cloudkitty_like.service.operation.health import Health
    from cloudkitty_like.service.operation.name_check import NameCheck
    from cloudkitty_like.service.operation.scopes import Scopes
    from cloudkitty_like.service.operation.statistics import Statistics
    from cloudkitty_like.service.pricing.modules import Modules
    from cloudkitty_like.service.pricing.tariffs import Pricing, Tariffs
    from cloudkitty_like.service.pyscripts.scripts import Scripts
    from cloudkitty_like.service.reports.explanations import ExplanationService
    from cloudkitty_like.service.reports.grouping import GroupedSummary
    from cloudkitty_like.service.reports.history import ChangeHistory
    from cloudkitty_like.service.reports.pages import PointPages
    from cloudkitty_like.service.reports.summary import Summary
    from cloudkitty_like.service.whatif.quote import QuoteService
    from cloudkitty_like.service.whatif.script_trial import ScriptTrial
    from cloudkitty_like.service.whatif.simulation import Simulation


class UseCases:
    """Every use case of one installation.

    ``author`` is recorded with changes, where a method is given no author of its own.
    """

    def __init__(self, installation: Installation, author: str | None = None) -> None:
        self._installation = installation
        self.clock = installation.clock
        self.period, self.wait_periods = installation.period, installation.wait_periods
        self.scope_key = installation.scope_key
        self.collector_name = installation.collector_name
        self.fetcher_name = installation.fetcher_name
        self.author = installation.author if author is None else author

    def written_by(self, author: str) -> UseCases:
        """Return the use cases of the same installation with another author of changes."""
        return UseCases(self._installation, author)

    # --- the installation ------------------------------------------------------------------------

    @property
    def database(self) -> Database:
        """The state database."""
        return self._installation.database

    @property
    def storage(self) -> Storage:
        """The storage of points."""
        return self._installation.storage

    @property
    def metrics(self) -> MetricsFile:
        """metrics.yml as it is in use now."""
        return self._installation.metrics

    def document(self) -> object:
        """Return metrics.yml as it is in use now, parsed."""
        from cloudkitty_like.service import strict_yaml

        return strict_yaml.load(self.metrics.text)

    # --- scopes and the ledger -------------------------------------------------------------------

    @cached_property
    def scopes(self) -> Scopes:
        from cloudkitty_like.service.operation.scopes import Scopes

        return Scopes(self.database, self.clock, self.period, self.wait_periods)

    @cached_property
    def ledger(self) -> Ledger:
        """The writer of the ledger.

        :raises NotFound: when there is no database.
        :raises Conflict: when its schema, its period or its scope key is another one.
        """
        from cloudkitty_like.service.ledger.writer import Ledger, establish

        _ = self._installation.schema
        seconds = self.period // timedelta(seconds=1)
        establish(self.database, period_seconds=seconds, scope_key=self.scope_key)
        return Ledger(self.database, self.storage, self.clock, self.author)

    @cached_property
    def holes(self) -> Holes:
        from cloudkitty_like.service.ledger.holes import Holes

        return Holes(self.database, self.clock, self.author)

    @cached_property
    def tasks(self) -> CorrectionTasks:
        from cloudkitty_like.service.corrections.tasks import CorrectionTasks

        return CorrectionTasks(self.database, self.clock, self.period)

    @cached_property
    def posting(self) -> PointIngest:
        from cloudkitty_like.service.ledger.posting import PointIngest

        return PointIngest(self.database, self.storage, self.clock, self.scope_key, self.period)

    @cached_property
    def retention(self) -> Retention:
        from cloudkitty_like.service.ledger.retention import Retention

        return Retention(self.database, self.storage, self.clock)

    @cached_property
    def acceptances(self) -> Acceptances:
        """The metric definitions that hold for the ledger."""
        from cloudkitty_like.service.metrics.acceptance import Acceptances

        return Acceptances(self.database, self.clock, self.author)

    # --- reports ---------------------------------------------------------------------------------

    @cached_property
    def summary(self) -> Summary:
        from cloudkitty_like.service.reports.summary import Summary

        return Summary(self.database, self.storage)

    @cached_property
    def groups(self) -> GroupedSummary:
        from cloudkitty_like.service.reports.grouping import GroupedSummary

        return GroupedSummary(self.summary)

    @cached_property
    def pages(self) -> PointPages:
        from cloudkitty_like.service.reports.pages import PointPages

        return PointPages(self.database, self.storage)

    @cached_property
    def explanations(self) -> ExplanationService:
        from cloudkitty_like.service.reports.explanations import ExplanationService

        return ExplanationService(self.database, self.storage, self.tariffs, lambda: self.metrics)

    @cached_property
    def history(self) -> ChangeHistory:
        from cloudkitty_like.service.reports.history import ChangeHistory

        return ChangeHistory(self.database)

    # --- prices ----------------------------------------------------------------------------------

    @cached_property
    def tariffs(self) -> Tariffs:
        from cloudkitty_like.service.pricing.tariffs import Tariffs

        return Tariffs(self.database, self._installation.rating_module)

    @cached_property
    def modules(self) -> Modules:
        from cloudkitty_like.service.pricing.modules import Modules

        return Modules(self.database)

    def rating(self) -> tuple[int, Pricing]:
        """Return the rule-set version that holds now, and what rates by it.

        :raises Invalid: when a rating module cannot be loaded or cannot read its rules.
        """
        from cloudkitty_like.service.pricing import rulesets

        version = rulesets.current(
            self.database, metrics=self.metrics.text, digest=self.metrics.digest,
            software=__version__, now=self.clock())
        return version.version, self.tariffs.at(version.change)

    @cached_property
    def hashmap(self) -> Hashmap:
        from cloudkitty_like.service.hashmap.rules import Hashmap

        return Hashmap(self.database, self.clock)

    @cached_property
    def scripts(self) -> Scripts:
        from cloudkitty_like.service.pyscripts.scripts import Scripts

        return Scripts(self.database, self.script_check)

    @cached_property
    def script_module(self) -> ScriptModule:
        """The rating module that runs scripts.

        :raises Unavailable: when the installed module cannot check scripts.
        """
        module = self._installation.rating_module("pyscripts")
        if not isinstance(module, ScriptModule):
            raise Unavailable("the rating module 'pyscripts' that is installed checks no scripts")
        return module

    def script_check(self, name: str, text: str) -> None:
        """Check a script before it is recorded.

        :raises Invalid: when it does not compile; the message has the line and the reason.
        :raises Unavailable: when the isolation in which it would be compiled is missing.
        """
        module = self.script_module
        try:
            module.prepare()
        except Invalid as error:
            raise Unavailable(f"no script can be checked: {error}", hint=error.hint) from error
        module.check(name, text)

    # --- what if ---------------------------------------------------------------------------------

    @cached_property
    def simulation(self) -> Simulation:
        from cloudkitty_like.service.whatif.simulation import Simulation

        return Simulation(self.database, self.storage, self.tariffs, lambda: self.metrics.metrics)

    @cached_property
    def script_trial(self) -> ScriptTrial:
        from cloudkitty_like.service.whatif.script_trial import ScriptTrial

        return ScriptTrial(self.database, self.storage, self.tariffs)

    @cached_property
    def quotes(self) -> QuoteService:
        from cloudkitty_like.service.whatif.quote import QuoteService

        return QuoteService(self.rating, lambda: self.metrics.metrics, self.clock, self.period,
                            self.scope_key, self.tariffs)

    # --- operation -------------------------------------------------------------------------------

    @cached_property
    def collectors(self) -> Collectors:
        from cloudkitty_like.service.operation.collectors import Collectors

        return Collectors(self.database)

    @cached_property
    def health(self) -> Health:
        from cloudkitty_like.service.operation.health import Health

        return Health(self.database, self.storage, self.clock, self.period, self.wait_periods)

    @cached_property
    def statistics(self) -> Statistics:
        from cloudkitty_like.service.operation.statistics import Statistics

        return Statistics(self.database, self.summary, self.clock, self.period, self.wait_periods)

    @cached_property
    def name_check(self) -> NameCheck:
        from cloudkitty_like.service.operation.name_check import NameCheck

        return NameCheck(self.database, self.storage, self.clock, self.scope_key)
