from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from cloudkitty_like.collector import gnocchi_query
from cloudkitty_like.collector.gnocchi import LARGEST_BATCH, UNWATCHED, GnocchiCollector
from cloudkitty_like.domain.errors import Invalid, Refused, Unavailable
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period
from cloudkitty_like.ports import Collector
from cloudkitty_like.testing.collector import HOUR, SAMPLES, CollectorContract
from tests.fake_http import Asked, Reply, as_json, serve
from tests.gnocchi import ENDPOINT, Resource, as_resources, client, real, small

GRANULE = timedelta(seconds=300)
DEFAULTS = {"resource_type": "instance", "aggregation_method": "max", "force_granularity": 300}


def metric(name: str = "memory", groupby: Sequence[str] = ("project_id",), **args: Any) -> Metric:
    parsed = gnocchi_query.parse_args({**DEFAULTS, **args})
    return Metric(name, "unit", groupby=tuple(groupby), args=parsed)


def points(*values: float | None, begin: datetime = HOUR.begin) -> list[tuple[datetime, float]]:
    """One value for each granule from ``begin`` on; None: an empty one."""
    return [(begin + n * GRANULE, value) for n, value in enumerate(values) if value is not None]


class GnocchiContract(CollectorContract):
    """The contract of a source of granules: data begins where the first of them does."""

    def test_it_tells_where_data_begins(self, collector: Collector) -> None:
        window = Period(HOUR.begin - timedelta(hours=5), HOUR.end)
        assert collector.begins([self.metric(collector)], window) == HOUR.begin - GRANULE


class TestContract(GnocchiContract):
    extra_args: ClassVar = {**DEFAULTS, "aggregation_method": "sum"}

    @pytest.fixture(scope="class")
    @classmethod
    def collector(cls) -> Iterator[GnocchiCollector]:
        with small(*as_resources(SAMPLES)) as (fake, _):
            yield GnocchiCollector(client(fake.url))


@pytest.mark.slow
class TestRealContract(GnocchiContract):
    """The same on a real Gnocchi, without history: that of resources made now begins now."""

    extra_args: ClassVar = {
        **DEFAULTS, "aggregation_method": "sum", "use_all_resource_revisions": False}

    @pytest.fixture(scope="class")
    @classmethod
    def collector(cls) -> Iterator[GnocchiCollector]:
        with real(as_resources(SAMPLES), ("flavor", "zone", "instance")) as name:
            cls.extra_args = {**cls.extra_args, "resource_type": name}
            yield GnocchiCollector(client(ENDPOINT))


class TestQuantities:
    @pytest.mark.parametrize(("method", "expected"), [
        ("max", 2048), ("mean", 2048), ("sum", 24576), ("count", 12),
    ])
    def test_gauges_weigh_by_time_and_sums_add_up(self, method: str, expected: int) -> None:
        with small(Resource({"project_id": "a"}, {"memory": points(*[2048] * 12)})) as (fake, _):
            wanted = metric(aggregation_method=method)
            found = GnocchiCollector(client(fake.url)).collect(wanted, HOUR, ["a"])
        assert found.frames["a"].qty == (expected,)

    def test_c8_every_granule_counts_and_not_the_first_alone(self) -> None:
        measures = points(2048, 2048, 2048, 2048, *[4096] * 8)
        with small(Resource({"project_id": "a"}, {"memory": measures})) as (fake, _):
            found = GnocchiCollector(client(fake.url)).collect(metric(), HOUR, ["a"])
        assert found.frames["a"].qty == (Decimal("3413.333333333333"),)

    def test_an_empty_granule_is_nothing_or_what_was_before_it(self) -> None:
        late = points(None, None, None, 12)
        before = points(24, begin=HOUR.begin - 2 * GRANULE)
        resources = [Resource({"project_id": "late"}, {"memory": late}),
                     Resource({"project_id": "before"}, {"memory": before + late}),
                     Resource({"project_id": "gone"}, {"memory": before})]
        with small(*resources) as (fake, _):
            collector = GnocchiCollector(client(fake.url))
            hold = metric(missing="hold", use_all_resource_revisions=False)
            for wanted, expected in ((metric(), {"late": 1, "before": 1}),
                                     (hold, {"late": 9, "before": 15})):
                found = collector.collect(wanted, HOUR, ["late", "before", "gone"])
                assert {scope: frame.qty[0] for scope, frame in found.frames.items()} == expected

    def test_a_wrong_value_fails_its_scope_alone(self) -> None:
        def answer(asked: Asked) -> Reply:
            if asked.path == "/v1/status":
                return as_json({"storage": {"summary": {"measures": 0}}})
            begin = HOUR.begin.isoformat()
            return as_json([{"group": {"id": f"vm-{scope}", "project_id": scope}, "measures": {
                "measures": {"aggregated": [[begin, 300.0, value]]}}}
                for scope, value in (("bad", None), ("huge", 1e30), ("good", 12))])

        with serve(answer) as fake:
            collector = GnocchiCollector(client(fake.url))
            found = collector.collect(metric(), HOUR, ["bad", "good", "huge"])
        assert {scope: frame.qty for scope, frame in found.frames.items()} == {"good": (1,)}
        assert str(found.failed["bad"]) == "memory of vm-bad: 'null' is not a number"
        assert str(found.failed["huge"]).startswith("memory of vm-huge: ")


class TestQuestion:
    def test_d1_one_request_has_the_id_in_its_grouping(self) -> None:
        with small(Resource({"project_id": "a"}, {"memory": points(1)})) as (fake, _):
            wanted = metric(groupby=("flavor", "project_id"))
            GnocchiCollector(client(fake.url)).collect(wanted, HOUR, ["a", "b"])
            status, asked, *_ = fake.asked
        assert (status.path, asked.path) == ("/v1/status", "/v1/aggregates")
        assert asked.headers["Accept"] == "application/json"
        assert asked.repeated["groupby"] == ["id", "flavor", "project_id"]
        assert json.loads(asked.body) == {
            "operations": ["aggregate", "max", ["metric", "memory", "max"]],
            "search": {"in": {"project_id": ["a", "b"]}}, "resource_type": "instance"}
        names = ("start", "stop", "granularity", "use_history")
        assert {name: asked.parameters[name] for name in names} == {
            "start": "2026-03-01T10:00:00+00:00", "stop": "2026-03-01T11:00:00+00:00",
            "granularity": "300", "use_history": "true"}

    def test_scopes_are_asked_for_in_batches(self) -> None:
        scopes = [f"project-{n}" for n in range(2 * LARGEST_BATCH + 1)]
        resources = [Resource({"project_id": scope}, {"memory": points(12)}) for scope in scopes]
        with small(*resources) as (fake, _):
            found = GnocchiCollector(client(fake.url)).collect(metric(), HOUR, scopes)
            sizes = [len(json.loads(asked.body)["search"]["in"]["project_id"])
                     for asked in fake.asked if asked.path == "/v1/aggregates"]
        assert set(found.frames) == set(scopes)
        assert sizes == [LARGEST_BATCH, LARGEST_BATCH, 1]

    def test_batches_become_smaller_where_scopes_have_many_resources(self) -> None:
        scopes = [f"project-{n}" for n in range(100)]
        resources = [Resource({"project_id": scope}, {"memory": points(12)})
                     for scope in scopes * 40]
        with small(*resources) as (fake, _):
            collector = GnocchiCollector(client(fake.url))
            for _ in range(2):
                collector.collect(metric(), HOUR, scopes)
            sizes = [len(json.loads(asked.body)["search"]["in"]["project_id"])
                     for asked in fake.asked if asked.path == "/v1/aggregates"]
        assert sizes == [100, 50, 50]

    def test_d4_a_period_is_a_whole_number_of_granules(self) -> None:
        with small() as (fake, _):
            collector = GnocchiCollector(client(fake.url))
            for period in (Period.starting(HOUR.begin, timedelta(seconds=400)),
                           Period.starting(HOUR.begin + timedelta(minutes=1), timedelta(hours=1))):
                with pytest.raises(Invalid, match="300 s do not divide"):
                    collector.collect(metric(), period, ["a"])
            assert fake.asked == []

    @pytest.mark.parametrize("args", [{"aggregation_method": "last"}, {"force_granularity": 60}])
    def test_d5_what_the_archive_policy_lacks_is_an_error(self, args: dict[str, Any]) -> None:
        with small(Resource({"project_id": "a"}, {"memory": points(1)})) as (fake, _), \
                pytest.raises(Invalid, match=r"(unknown aggregation|Granularities are missing)"):
            GnocchiCollector(client(fake.url)).collect(metric(**args), HOUR, ["a"])


    @pytest.mark.parametrize(("started", "expected"), [
        (HOUR.begin + GRANULE, HOUR.begin + GRANULE), (HOUR.begin - GRANULE, HOUR.begin),
        (HOUR.end, None),
    ])
    def test_d6_where_a_metric_is_odd_data_begins_with_the_resources(
            self, started: datetime, expected: datetime | None) -> None:
        odd = Resource({"started_at": started.isoformat()}, {"memory": points(1)})
        with small(odd, granularities=(60,)) as (fake, _):
            assert GnocchiCollector(client(fake.url)).begins([metric()], HOUR) == expected


class TestProof:
    """Trap D7: Gnocchi says that there is no such metric in many cases."""

    def proven(self, *resources: Resource, user: str = "admin", max_backlog: int = 0) -> bool:
        with small(*resources) as (fake, _):
            collector = GnocchiCollector(client(fake.url, user), max_backlog=max_backlog)
            found = collector.collect(metric(), HOUR, ["a"])
            assert dict(found.frames) == dict(found.failed) == {}
            return found.proven

    def test_d7_a_metric_that_somebody_has_was_not_used_by_others(self) -> None:
        assert self.proven(Resource({"project_id": "b"}, {"memory": points(1)}))

    def test_d7_a_metric_that_nobody_has_proves_nothing(self) -> None:
        assert not self.proven()
        assert not self.proven(Resource({"project_id": "b"}, {"memroy": points(1)}))

    def test_d7_who_may_not_see_everything_proves_nothing(self) -> None:
        assert not self.proven(Resource({"project_id": "b"}, {"memory": points(1)}), user="member")

    def test_d7_unwatched_nothing_is_proven(self) -> None:
        used = Resource({"project_id": "b"}, {"memory": points(1)})
        assert not self.proven(used, max_backlog=UNWATCHED)

    def test_d7_nothing_is_recorded_before_metricd_is_through(self) -> None:
        used = Resource({"project_id": "a"}, {"memory": points(12)})
        with small(used, backlog=1) as (fake, gnocchi):
            collector = GnocchiCollector(client(fake.url))
            with pytest.raises(Unavailable, match="metricd has 1 measures to process"):
                collector.collect(metric(), HOUR, ["a"])
            gnocchi.backlog = 0
            assert set(collector.collect(metric(), HOUR, ["a"]).frames) == {"a"}
            gnocchi.backlog = 7         # once after the period's end is enough
            assert set(collector.collect(metric(), HOUR, ["a"]).frames) == {"a"}

    def test_d7_a_period_that_has_not_ended_there_is_not_collected(self) -> None:
        future = Period.starting(datetime(2999, 1, 1, tzinfo=UTC), timedelta(hours=1))
        with small() as (fake, _), pytest.raises(Unavailable, match="has not ended there"):
            GnocchiCollector(client(fake.url)).collect(metric(), future, ["a"])

    def test_d7_data_begins_nowhere_only_for_who_sees_everything(self) -> None:
        with small() as (fake, _):
            assert GnocchiCollector(client(fake.url)).begins([metric()], HOUR) is None
            with pytest.raises(Refused, match="may not see all"):
                GnocchiCollector(client(fake.url, "member")).begins([metric()], HOUR)
