"""What every collector is held to: a driver's test file is a fixture under this class.

The driver loads :data:`SAMPLES` into its source and gives a collector of it::

    class TestFile(CollectorContract):
        @pytest.fixture(scope="class")
        @classmethod
        def collector(cls, tmp_path_factory):
            path = tmp_path_factory.mktemp("usage") / "usage.csv"
            ...                               # write SAMPLES
            return FileCollector(path)

No series has more than one sample in a period here, so that "the usage of the
period" is the same number for a source that lists usage and for one that sums
up what was measured.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period
from cloudkitty_like.ports import Collector, CollectorAnswer

BEGIN = datetime(2026, 3, 1, 10, tzinfo=UTC)
HOUR = Period.starting(BEGIN, timedelta(hours=1))
MILLISECOND = timedelta(milliseconds=1)
METRIC = "contract_usage"
OTHER = "contract_other_usage"

HOSTILE = (
    'double"quote', "single'quote", "back\\slash", "new\nline", "a space", " edges ", "tab\there", "comma,semi;colon",
    "a|b", "a.*", ".*", "(", "[x]", "{y}", "$^", "`tick`", "Zoë", "東京", "\N{PILE OF POO}", "-", "..",
    'x"} or vector(1) #', "%20&a=b", "\\n", "\\",
)
"""Scope ids that are trouble for whoever pastes them into a query, a path or a file."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement in the source: of which metric, when, how much (as written), and its labels."""

    when: datetime
    metric: str
    quantity: str
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def _samples() -> tuple[Sample, ...]:
    def sample(when: datetime, quantity: str, scope: str, metric: str = METRIC, **labels: str) -> Sample:
        return Sample(when, metric, quantity, {"project_id": scope, **labels})

    middle = BEGIN + timedelta(minutes=30)
    return (
        sample(HOUR.begin - MILLISECOND, "1", "edges", flavor="before"),
        sample(HOUR.begin, "2", "edges", flavor="first"),
        sample(HOUR.end - MILLISECOND, "4", "edges", flavor="last"),
        sample(HOUR.end, "8", "edges", flavor="after"),
        sample(middle, "1.5", "labels", flavor="small", zone="north"),
        sample(middle, "2.25", "labels", flavor="large"),
        sample(middle, "0.125", "labels", zone="south"),
        sample(middle, "16", "sums", flavor="small", instance="one"),
        sample(middle, "32", "sums", flavor="small", instance="two"),
        sample(middle, "64", "sums", flavor="large", instance="three"),
        sample(middle, "128", "other metric", metric=OTHER),
        *(sample(middle, str(n + 1), scope) for n, scope in enumerate(HOSTILE)),
    )


SAMPLES = _samples()


class CollectorContract:
    """Inherit it and define the fixture ``collector``: a collector over SAMPLES, with the scope key project_id."""

    extra_args: ClassVar[Mapping[str, Any]] = {}
    """How the driver is told to add up samples, in the words of metrics.yml."""

    precision: ClassVar[timedelta] = timedelta(0)
    """How much later than the first sample ``begins`` may say that data begins."""

    def metric(self, collector: Collector, name: str = METRIC) -> Metric:
        return Metric(name, "unit", alt_name="usage", groupby=("project_id", "flavor"), metadata=("zone",),
                      args=collector.parse_args(self.extra_args))

    def collected(self, collector: Collector, scopes: Collection[str], others: Collection[str] = (),
                  period: Period = HOUR) -> CollectorAnswer:
        answer = collector.collect(self.metric(collector), period, scopes, others)
        assert dict(answer.failed) == {}
        return answer

    def test_a_period_holds_its_begin_and_not_its_end(self, collector: Collector) -> None:
        def usage(period: Period) -> dict[str, Decimal]:
            frames = self.collected(collector, ["edges"], period=period).frames
            return by_flavor(frames["edges"]) if frames else {}

        assert usage(HOUR) == {"first": Decimal(2), "last": Decimal(4)}
        assert usage(Period.starting(HOUR.begin - HOUR.length, HOUR.length)) == {"before": Decimal(1)}
        assert usage(HOUR.next()) == {"after": Decimal(8)}
        assert usage(HOUR.next().next()) == {}

    def test_splitting_a_period_adds_up(self, collector: Collector) -> None:
        quarters = list(HOUR.split(HOUR.length / 4))
        frames = [self.collected(collector, ["edges"], period=quarter).frames for quarter in quarters]
        assert [sum(frame["edges"].qty) if frame else 0 for frame in frames] == [2, 0, 0, 4]

    def test_a_scope_without_usage_is_absent(self, collector: Collector) -> None:
        assert set(self.collected(collector, ["labels", "nobody"]).frames) == {"labels"}

    def test_only_the_scopes_asked_for_are_answered(self, collector: Collector) -> None:
        assert set(self.collected(collector, ["labels", "edges"]).frames) == {"labels", "edges"}
        assert set(self.collected(collector, ["labels"], others=["edges", "sums"]).frames) == {"labels"}
        assert self.collected(collector, []).frames == {}

    def test_only_the_metric_asked_for_is_answered(self, collector: Collector) -> None:
        assert self.collected(collector, ["other metric"]).frames == {}
        answer = collector.collect(self.metric(collector, OTHER), HOUR, ["other metric", "labels"])
        assert {scope: frame.qty for scope, frame in answer.frames.items()} == {"other metric": (Decimal(128),)}

    def test_a_frame_says_what_it_is(self, collector: Collector) -> None:
        frame = self.collected(collector, ["labels"]).frames["labels"]
        assert (frame.metric, frame.unit, frame.period) == ("usage", "unit", HOUR)
        assert (tuple(frame.groupby), tuple(frame.metadata)) == (("project_id", "flavor"), ("zone",))
        assert frame.unpriced == len(frame) == 3

    def test_a_label_that_is_missing_is_empty(self, collector: Collector) -> None:
        frame = self.collected(collector, ["labels"]).frames["labels"]
        assert [(*groupby, *metadata, qty) for groupby, metadata, qty, _ in frame.rows()] == [
            ("labels", "", "south", Decimal("0.125")),
            ("labels", "large", "", Decimal("2.25")),
            ("labels", "small", "north", Decimal("1.5")),
        ]

    def test_rows_with_equal_labels_add_up(self, collector: Collector) -> None:
        frame = self.collected(collector, ["sums"]).frames["sums"]
        assert by_flavor(frame) == {"small": Decimal(48), "large": Decimal(64)}

    def test_hostile_scope_ids_are_ids_like_any_other(self, collector: Collector) -> None:
        expected = {scope: (Decimal(n + 1),) for n, scope in enumerate(HOSTILE)}
        together = self.collected(collector, HOSTILE).frames
        assert {scope: frame.qty for scope, frame in together.items()} == expected
        assert all(list(frame.groupby["project_id"]) == [scope] for scope, frame in together.items())
        for scope in HOSTILE:
            others = [other for other in HOSTILE if other != scope]
            alone = self.collected(collector, [scope], others).frames
            assert {scope: frame.qty for scope, frame in alone.items()} == {scope: expected[scope]}

    def test_hostile_scope_ids_are_left_out_like_any_other(self, collector: Collector) -> None:
        answer = self.collected(collector, ["edges", "labels", "sums"], HOSTILE)
        assert set(answer.frames) == {"edges", "labels", "sums"}

    def test_it_tells_where_data_begins(self, collector: Collector) -> None:
        first = HOUR.begin - MILLISECOND
        window = Period(first - timedelta(hours=5), HOUR.end)
        begins = collector.begins([self.metric(collector), self.metric(collector, OTHER)], window)
        assert begins is not None
        assert first <= begins <= first + self.precision

    def test_it_tells_that_there_is_no_data(self, collector: Collector) -> None:
        window = Period.starting(HOUR.begin - timedelta(days=3), timedelta(days=1))
        assert collector.begins([self.metric(collector)], window) is None


def by_flavor(frame: Frame) -> dict[str, Decimal]:
    """The quantities of a frame that has one row per flavor."""
    answer = dict(zip(frame.labels["flavor"], frame.qty, strict=True))
    assert len(answer) == len(frame)
    return answer
