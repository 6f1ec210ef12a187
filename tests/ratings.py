"""A ledger with rules, filled by rating: for tests of what explains it, and of what rates it once more."""
from __future__ import annotations

from decimal import Decimal

from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import NotFound
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.rule import Rule
from cloudkitty_like.orchestrator.batches import Batch
from cloudkitty_like.orchestrator.collection import CollectedUsage
from cloudkitty_like.orchestrator.rating import BatchRating
from cloudkitty_like.orchestrator.timings import StageTimings
from cloudkitty_like.rating.hashmap.module import HashmapModule
from cloudkitty_like.rating.noop import NoopModule
from cloudkitty_like.service.hashmap.apply import RuleApplication, apply
from cloudkitty_like.service.metrics import definitions as metrics
from cloudkitty_like.service.pricing import rulesets
from cloudkitty_like.service.pricing.modules import decide
from cloudkitty_like.service.pricing.tariffs import Tariffs
from cloudkitty_like.service.pricing.usage import skips
from cloudkitty_like.service.reports.explanations import ExplanationService
from cloudkitty_like.service.whatif.simulation import Simulation
from tests.api.site import AnyArguments
from tests.books import NOW, Books, at

METRICS = """\
metrics:
  compute: {unit: h, groupby: [flavor], metadata: [image]}
  disk:
    unit: GiB
    groupby: [flavor]
    skip_datapoints_expression: "datapoint['rating']['price'] == 0 and datapoint['vol']['qty'] == 9"
"""


class OddModule(NoopModule):
    """Takes the place of noop in a test: rates by a function of the frames, and explains nothing."""

    def __init__(self, rate):
        self.rate = lambda scope, period, frames: rate(frames)

    def tariff(self, change):
        return self


class Ratings(Books):
    """Books that are filled by the very processor, with hashmap and, where given, another module after it."""

    def __init__(self, database, odd=None, software="1"):
        super().__init__(database)
        self.software, self.odd = software, odd
        self.metrics = metrics.load(METRICS, AnyArguments(), "project_id")
        self.tariffs = Tariffs(database, self.module)
        if odd is not None:
            decide(database, Change(NOW, "tester", "modules"), "noop", enabled=True, priority=0)
        self.processor = BatchRating(self.ledger, skips(self.metrics.metrics), StageTimings())
        self.explaining = ExplanationService(database, self.storage, self.tariffs, lambda: self.metrics)
        self.simulation = Simulation(database, self.storage, self.tariffs, lambda: self.metrics.metrics)

    def module(self, name):
        return HashmapModule(self.database) if name == "hashmap" else OddModule(self.odd)

    def rules(self, *wanted, author="tester", **how):
        how = {"retroactive": True, **how}
        apply(self.database, list(wanted), RuleApplication(NOW, **how), Change(NOW, author, "apply", "because"))

    def rate(self, name, number, *frames):
        """What a scope has used in that hour, collected, rated and recorded; whatever was before."""
        try:
            state = self.state(name)
        except NotFound:
            state = self.scope(name, at(number).begin)
        self.back_to(state, at(number).begin)
        version = rulesets.current(self.database, metrics=self.metrics.text, digest=self.metrics.digest,
                                   software=self.software, now=NOW)
        outcome = self.processor.process(
            Batch(at(number), (self.state(name),)), CollectedUsage({name: list(frames)}), {None},
            self.tariffs.at(version.change).rate, version.version)
        assert outcome.failed == []


def flat(cost, service="compute", **more):
    return Rule(service=service, cost=Decimal(cost), **more)


def used(number, *rows, metric="compute", unit="h"):
    """Usage of (quantity, flavor, image) rows in that hour."""
    return Frame.of_usage(metric, unit, at(number), [Decimal(row[0]) for row in rows],
                          {"flavor": [row[1] for row in rows]}, {"image": [row[2] for row in rows]})
