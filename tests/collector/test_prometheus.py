from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

import pytest
from oslo_config import cfg

from cloudkitty_like.client.prometheus import EDGES, Prometheus, Transport
from cloudkitty_like.collector.prometheus import PrometheusCollector
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.domain.period import Period
from cloudkitty_like.ports import CollectorAnswer, PluginContext
from cloudkitty_like.testing.collector import HOSTILE, HOUR, METRIC, SAMPLES, CollectorContract, Sample
from tests.fake_http import Asked, Fake, Reply, refusal, serve, vector
from tests.servers import SERVERS


def metric(name: str = METRIC, groupby: Sequence[str] = ("project_id",), **args: str) -> Metric:
    return Metric(name, "unit", groupby=tuple(groupby),
                  args=PrometheusCollector(Prometheus("http://x")).parse_args(args))


class TestContract(CollectorContract):
    """The contract of every collector, on each server."""

    extra_args: ClassVar = {"aggregation_method": "sum"}
    precision = timedelta(minutes=1)

    @pytest.fixture(scope="class", params=SERVERS)
    @classmethod
    def collector(cls, request: pytest.FixtureRequest) -> Iterator[PrometheusCollector]:
        with SERVERS[request.param](SAMPLES) as url:
            yield PrometheusCollector(Prometheus(url))

    @pytest.mark.parametrize("strangers", [0, 100, 600])
    def test_s6_each_way_of_asking_meets_hostile_ids(self, collector: PrometheusCollector, strangers: int) -> None:
        """By name, all but some, and everybody: 0, 100 and 600 ids that nobody has make the question long."""
        nobody = [f"nobody in particular {n}" for n in range(strangers)]
        found = self.collected(collector, [*HOSTILE, *nobody])
        assert {scope: frame.qty for scope, frame in found.frames.items()} == {
            scope: (Decimal(n + 1),) for n, scope in enumerate(HOSTILE)}
        assert set(self.collected(collector, ["edges", "sums", *nobody], HOSTILE).frames) == {"edges", "sums"}
        others = [f"other {n}" for n in range(1000)]
        assert set(self.collected(collector, [*HOSTILE, *nobody], others).frames) == {*HOSTILE}

    def test_s6_hostile_ids_asked_for_one_by_one(self, collector: PrometheusCollector) -> None:
        answer = collector.collect(metric(query_prefix="0 +"), HOUR, HOSTILE)
        assert {scope: frame.qty for scope, frame in answer.frames.items()} == {
            scope: (Decimal(n + 1),) for n, scope in enumerate(HOSTILE)}


class Running(NamedTuple):
    kind: str
    url: str

    def collect(self, metric: Metric, period: Period, *scopes: str) -> CollectorAnswer:
        return PrometheusCollector(Prometheus(self.url)).collect(metric, period, scopes)

    def usage(self, metric: Metric) -> Decimal:
        (quantity,) = self.collect(metric, HOUR, "alice").frames["alice"].qty
        return quantity


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A server with samples every 5 minutes on the very edges of hours, and with numbers that are trouble."""
    def at(minutes: int) -> datetime:
        return HOUR.begin + timedelta(minutes=minutes)

    samples = [
        *(Sample(at(5 * n), "gauge", str(2**(n + 12)), {"project_id": "alice"}) for n in range(-12, 37)),
        *(Sample(at(5 * n), "counter_total", str(1000 + 60 * n), {"project_id": "alice"}) for n in range(-12, 37)),
        Sample(at(1), "exact", "123456789012.0625", {"project_id": "large"}),
        Sample(at(1), "exact", "0.000000059604644775390625", {"project_id": "small"}),
        Sample(at(1), "exact", "NaN", {"project_id": "nan", "disk": "sda"}),
        Sample(at(1), "exact", "+Inf", {"project_id": "infinite"}),
        Sample(at(1), "exact", "1e15", {"project_id": "huge"}),
        Sample(at(1), "exact", "1", {"project_id": "mixed", "disk": "good"}),
        Sample(at(1), "exact", "-Inf", {"project_id": "mixed", "disk": "bad"}),
    ]
    with SERVERS[request.param](samples) as url:
        yield Running(request.param, url)


class TestEdges:
    """The hour has samples every five minutes, 2^12 to 2^23; that of 2^24 is on its end and belongs to the next."""

    @pytest.mark.parametrize(("method", "expected"), [
        ("sum", 2**24 - 2**12), ("min", 2**12), ("max", 2**23), ("avg", Decimal(2**24 - 2**12) / 12),
    ])
    def test_aggregation_over_time_is_half_open(self, server: Running, method: str, expected: Decimal) -> None:
        assert server.usage(metric("gauge", aggregation_method=method)) == expected

    @pytest.mark.parametrize("length", [timedelta(hours=6), timedelta(hours=1), timedelta(minutes=15)])
    def test_parts_add_up_to_the_whole(self, server: Running, length: timedelta) -> None:
        whole = Period(HOUR.begin - timedelta(hours=2), HOUR.begin + timedelta(hours=4))
        wanted = metric("gauge", aggregation_method="sum")
        frames = [server.collect(wanted, part, "alice").frames.get("alice") for part in whole.split(length)]
        assert sum(frame.qty[0] for frame in frames if frame) == 2**49 - 1

    def test_changes_are_those_within_the_period(self, server: Running) -> None:
        """VictoriaMetrics counts from the last sample before it."""
        expected = {"prometheus": 11, "victoriametrics": 12}[server.kind]
        assert server.usage(metric("counter_total", range_function="changes")) == expected

    def test_an_increase_is_that_of_the_whole_period(self, server: Running) -> None:
        """Prometheus extrapolates 11 steps of 60 to the hour; VictoriaMetrics counts from the last sample before it."""
        found = server.usage(metric("counter_total", range_function="increase"))
        assert abs(found - 720) <= {"prometheus": Decimal("1e-9"), "victoriametrics": 0}[server.kind]

    @pytest.mark.parametrize(("function", "expected"), [
        ("rate", "0.2"), ("irate", "0.2"), ("deriv", "0.2"), ("delta", "720"), ("idelta", "60"),
    ])
    def test_the_other_functions_are_those_of_the_period(self, server: Running, function: str, expected: str) -> None:
        found = server.usage(metric("counter_total", range_function=function))
        assert abs(found - Decimal(expected)) < Decimal("1e-9")


class TestNumbers:
    EXACT = metric("exact", ("project_id", "disk"))

    def test_c9_no_digit_is_lost(self, server: Running) -> None:
        frames = server.collect(self.EXACT, HOUR, "large", "small").frames
        assert {scope: frame.qty for scope, frame in frames.items()} == {
            "large": (Decimal("123456789012.0625"),), "small": (Decimal("0.000000059605"),),
        }

    def test_what_is_no_quantity_fails_its_scope_alone(self, server: Running) -> None:
        answer = server.collect(self.EXACT, HOUR, "infinite", "huge", "mixed", "large")
        assert set(answer.frames) == {"large"}
        assert {scope: str(error) for scope, error in answer.failed.items() if scope != "huge"} == {
            "infinite": "exact of project_id='infinite': '+Inf' is not a finite number",
            "mixed": "exact of project_id='mixed', disk='bad': '-Inf' is not a finite number",
        }
        assert re.fullmatch(r"exact of project_id='huge': 1.* is out of range: .*", str(answer.failed["huge"]))
        assert all(isinstance(error, Invalid) for error in answer.failed.values())

    def test_not_a_number_is_not_the_absence_of_usage(self, server: Running) -> None:
        if server.kind == "victoriametrics":
            return     # it does not keep samples of NaN: there is nothing that it could answer
        answer = server.collect(self.EXACT, HOUR, "nan", "large")
        assert set(answer.frames) == {"large"}
        assert str(answer.failed["nan"]) == "exact of project_id='nan', disk='sda': 'NaN' is not a finite number"

    def test_many_bad_rows_are_not_all_named(self) -> None:
        rows = [({"project_id": "a", "disk": f"d{n}"}, "NaN") for n in range(1000)]
        with source(vector(*rows)) as asked:
            answer = asked.collector.collect(self.EXACT, HOUR, ["a"])
        assert str(answer.failed["a"]).splitlines()[4:] == [
            "exact of project_id='a', disk='d4': 'NaN' is not a finite number", "exact: 995 more rows like these"]

    def test_a_sum_that_is_out_of_range_names_the_metric(self) -> None:
        with source(vector(*[({"project_id": "a"}, "9e14")] * 2)) as asked:
            answer = asked.collect(["a"])
        assert str(answer.failed["a"]).startswith("m: 1800000000000000")


class Source:
    """A Prometheus that a test makes up: everything it is asked, except for its edges, goes to ``answer``."""

    def __init__(self, fake: Fake, guard: str = "", timeout: float = 5.0) -> None:
        self._fake = fake
        self.collector = PrometheusCollector(Prometheus(fake.url, Transport(timeout=timeout)), guard=guard)

    @property
    def queries(self) -> list[str]:
        return [asked.query for asked in self._fake.asked if asked.query != EDGES]

    def collect(self, scopes: Collection[str], others: Collection[str] = (), **args: str) -> CollectorAnswer:
        return self.collector.collect(metric("m", **args), HOUR, scopes, others)


def source(answer: Any, **options: Any) -> Any:
    def with_edges(asked: Asked) -> Reply:
        if asked.query == EDGES:
            return vector(({}, "2"))
        reply: Reply = answer(asked) if callable(answer) else answer
        return reply

    class Context:
        def __enter__(self) -> Source:
            self._server = serve(with_edges)
            return Source(self._server.__enter__(), **options)

        def __exit__(self, *error: Any) -> None:
            self._server.__exit__(*error)

    return Context()


def of(*scopes: str, value: str = "1") -> Reply:
    return vector(*(({"project_id": scope}, value) for scope in scopes))


class TestQuestion:
    @pytest.mark.parametrize(("edges", "function", "length"), [
        ("2", "", "3599999ms"), ("1", "", "3600s"), ("2", "changes", "3599999ms"), ("2", "irate", "3599999ms"),
        ("2", "idelta", "3599999ms"), ("2", "rate", "3600s"), ("2", "increase", "3600s"), ("2", "delta", "3600s"),
        ("2", "deriv", "3600s"), ("1", "rate", "3600s"),
    ])
    def test_the_range_ends_and_begins_where_the_period_does(self, edges: str, function: str, length: str) -> None:
        args = {"range_function": function} if function else {}
        with serve(lambda asked: vector(({}, edges)) if asked.query == EDGES else vector()) as fake:
            PrometheusCollector(Prometheus(fake.url)).collect(metric("m", **args), HOUR, ["a"])
            asked = fake.asked[-1]
        assert asked.query == f'max({function or "max_over_time"}(m{{project_id="a"}}[{length}])) by (project_id)'
        assert asked.parameters["time"] == "1772362799.999"

    def test_p1_one_request_answers_for_two_thousand_scopes(self) -> None:
        scopes = [f"project-{n}" for n in range(2000)]
        with source(of(*scopes, "a stranger")) as asked:
            for _ in range(3):
                assert set(asked.collect(scopes).frames) == set(scopes)
            assert asked.queries == ['max(max_over_time(m{project_id!=""}[3599999ms])) by (project_id)'] * 3
            assert asked.collector.requests_made == 4      # the edges, once

    def test_batches_stay_below_twelve_kilobytes_and_are_put_together(self) -> None:
        scopes = [f"project-{n:06}" for n in range(2000)]

        def answer(request: Asked) -> Reply:
            return of(*re.findall(r"project-\d+", request.query))

        with source(answer) as asked:
            found = asked.collect(scopes, others=[f"other-{n:06}" for n in range(2000)])
            assert set(found.frames) == set(scopes)
            assert len(asked.queries) == 3
            assert max(len(query.encode()) for query in asked.queries) <= 12_000

    def test_rows_of_scopes_not_asked_for_are_dropped(self) -> None:
        with source(of("a", "b", "")) as asked:
            found = asked.collect(["a"], others=["b"])
        assert (set(found.frames), dict(found.failed)) == ({"a"}, {})

    @pytest.mark.parametrize("scope", ["", "\ud800"])
    def test_what_can_be_no_label_fails_without_a_question(self, scope: str) -> None:
        with source(of("a")) as asked:
            found = asked.collect([scope, "a"], others=["", "\ud800"])
            assert (set(found.frames), set(found.failed)) == ({"a"}, {scope})
            assert isinstance(found.failed[scope], Invalid)
            assert asked.collect([scope]).frames == {}

    def test_a_metric_that_is_no_name_is_not_asked_for(self) -> None:
        with source(of("a")) as asked:
            bad = metric('m{} or vector(1)', ("project_id", "a b"))
            with pytest.raises(Invalid) as caught:
                asked.collector.collect(bad, HOUR, ["a"])
            assert len(caught.value.problems) == 2
            assert asked.queries == []


class TestOwnPromql:
    """With query_prefix or query_suffix each scope is asked for by itself."""

    def test_c13_the_scope_survives_the_loss_of_its_label(self) -> None:
        with source(vector(({}, "7"))) as asked:
            found = asked.collect(["a", "b"], query_suffix="* on () group_left () vector(7)")
            assert {scope: list(frame.groupby["project_id"]) for scope, frame in found.frames.items()} == {
                "a": ["a"], "b": ["b"]}
            suffix = "by (project_id) * on () group_left () vector(7)"
            assert asked.queries == [
                f'max(max_over_time(m{{project_id="{scope}"}}[3599999ms])) {suffix}' for scope in "ab"]

    def test_an_answer_about_somebody_else_fails_the_scope(self) -> None:
        with source(lambda request: of("b")) as asked:
            found = asked.collect(["a", "b"], query_prefix="1 *")
        assert set(found.frames) == {"b"}
        assert str(found.failed["a"]) == "m: asked for project_id 'a', the answer is of 'b'"

    def test_what_is_refused_for_one_scope_fails_it_alone(self) -> None:
        def answer(request: Asked) -> Reply:
            return refusal(422, "execution", "found duplicate series") if '"bad"' in request.query else of("a")

        with source(answer) as asked:
            found = asked.collect(["bad", "a"], query_prefix="1 *")
        assert (set(found.frames), set(found.failed)) == ({"a"}, {"bad"})
        assert "found duplicate series" in str(found.failed["bad"])

    def test_a_server_that_refuses_everybody_is_not_asked_for_ever(self) -> None:
        with source(refusal(422, "execution", "no")) as asked:
            with pytest.raises(Unavailable, match="execution: no"):
                asked.collect([f"{n}" for n in range(100)], query_prefix="1 *")
            assert len(asked.queries) == 3


class TestFaults:
    @pytest.mark.parametrize("reply", [
        Reply(500), Reply(200, b"{"), refusal(200, "internal", "x"), vector(({"project_id": "a"}, "1"), warnings=["w"]),
        refusal(400, "bad_data", "parse error"), Reply(302, headers={"Location": "/"}),
    ])
    @pytest.mark.parametrize("args", [{}, {"query_prefix": "1 *"}])
    def test_a_fault_is_not_an_answer(self, reply: Reply, args: dict[str, str]) -> None:
        with source(reply) as asked, pytest.raises(Unavailable) as caught:
            asked.collect(["a", "b"], **args)
        assert not caught.value.smaller

    def test_one_of_several_requests_failing_fails_them_all(self) -> None:
        scopes = [f"project-{n:06}" for n in range(2000)]

        def answer(request: Asked) -> Reply:
            return refusal(422, "execution", "no") if scopes[-1] in request.query else of(scopes[0])

        with source(answer) as asked:
            with pytest.raises(Unavailable) as caught:
                asked.collect(scopes, others=[f"other-{n:06}" for n in range(2000)])
            assert caught.value.smaller

    def test_a_time_out_asks_to_be_split(self) -> None:
        with source(Reply(delay=10), timeout=0.2) as asked, pytest.raises(Unavailable) as caught:
            asked.collect(["a", "b"])
        assert caught.value.smaller


class TestGuard:
    GUARD = "count(count_over_time(up[3599999ms]))"

    def test_it_is_not_asked_where_every_scope_has_usage(self) -> None:
        with source(of("a", "b"), guard="up") as asked:
            assert asked.collect(["a", "b"]).proven
            assert self.GUARD not in asked.queries

    @pytest.mark.parametrize(("reply", "proven"), [(vector(({}, "3")), True), (vector(), False)])
    def test_absence_is_proven_by_signs_of_life(self, reply: Reply, proven: bool) -> None:
        with source(lambda request: reply if request.query == self.GUARD else of("a"), guard="up") as asked:
            found = asked.collect(["a", "b"])
            assert (set(found.frames), found.proven) == ({"a"}, proven)
            assert asked.queries[-1] == self.GUARD

    def test_without_a_guard_absence_counts(self) -> None:
        with source(of()) as asked:
            assert asked.collect(["a"]).proven

    @pytest.mark.parametrize("alive", [True, False])
    def test_metrics_collected_side_by_side_ask_once(self, alive: bool) -> None:
        together = threading.Barrier(6)

        def answer(request: Asked) -> Reply:
            if request.query == self.GUARD:
                return Reply(200, (vector(({}, "1")) if alive else vector()).body, delay=0.2)
            together.wait(5)
            return of()

        with source(answer, guard="up") as asked, ThreadPoolExecutor(6) as threads:
            asked.collector.client.includes_left_edge(HOUR.end)
            answers = list(threads.map(lambda n: asked.collect(["a"]).proven, range(6)))
            assert answers == [alive] * 6
            assert asked.queries.count(self.GUARD) == 1

    def test_a_guard_that_fails_is_no_answer_and_asked_again(self) -> None:
        replies = iter([Reply(500), vector(({}, "1"))])
        with source(lambda request: next(replies) if request.query == self.GUARD else of(), guard="up") as asked:
            with pytest.raises(Unavailable):
                asked.collect(["a"])
            assert asked.collect(["a"]).proven
            assert asked.collect(["a"]).proven
            assert asked.queries.count(self.GUARD) == 2

    @pytest.mark.parametrize("kind", SERVERS)
    def test_c5_a_server_that_did_not_scrape_is_not_without_usage(self, kind: str) -> None:
        up = [Sample(HOUR.begin + timedelta(minutes=n), "up", "1", {"job": "x"}) for n in range(0, 60, 5)]
        with SERVERS[kind](up) as url:
            collector = PrometheusCollector(Prometheus(url), guard='up{job="x"}')
            proven = [collector.collect(metric("m"), period, ["a"]).proven for period in (HOUR, HOUR.next())]
        assert proven == [True, False]


class TestBegins:
    DAY = Period(HOUR.begin - timedelta(hours=10), HOUR.begin + timedelta(hours=10))
    MONTH = Period(HOUR.begin - timedelta(days=20), HOUR.begin + timedelta(days=10))

    @pytest.mark.parametrize("kind", SERVERS)
    @pytest.mark.parametrize("guard", ["", "up"])
    @pytest.mark.parametrize("after", [0.0, -0.001, -200, -7 * 3600])
    def test_it_is_in_the_right_period_and_late_by_a_minute_at_most(self, kind: str, guard: str, after: float) -> None:
        first = HOUR.begin + timedelta(seconds=after)
        names = ["up"] if guard else ["late", "m"]
        samples = [
            Sample(first + timedelta(seconds=15) * n, names[-1], "1", {"project_id": "a"}) for n in range(100)
        ]
        samples.append(Sample(HOUR.begin + timedelta(minutes=30), names[0], "1", {"project_id": "b"}))
        with SERVERS[kind](samples) as url:
            client = Prometheus(url)
            collector = PrometheusCollector(client, guard=guard)
            for window, requests in ((self.DAY, 1), (self.MONTH, 2)):
                made = client.requests_made
                found = collector.begins([metric("late"), metric("m"), metric("m")], window)
                assert client.requests_made == made + requests
                assert found is not None
                assert first <= found < first + timedelta(minutes=1)
                assert Period.containing(found, HOUR.length) == Period.containing(first, HOUR.length)

    @pytest.mark.parametrize("kind", SERVERS)
    def test_data_that_is_younger_than_a_step_is_seen(self, kind: str) -> None:
        now = datetime.now(UTC)
        first = now - timedelta(seconds=20)
        with SERVERS[kind]([Sample(first, "m", "1", {"project_id": "a"})]) as url:
            found = PrometheusCollector(Prometheus(url)).begins([metric("m")], Period.month_of(now))
        assert found == first.replace(microsecond=first.microsecond // 1000 * 1000)

    @pytest.mark.parametrize("kind", SERVERS)
    def test_what_lies_outside_of_the_window_does_not_count(self, kind: str) -> None:
        outside = (HOUR.begin - timedelta(seconds=30), HOUR.end)
        samples = [Sample(when, "m", "1", {"project_id": "a"}) for when in outside]
        with SERVERS[kind](samples) as url:
            assert PrometheusCollector(Prometheus(url)).begins([metric("m")], HOUR) is None

    def test_a_window_that_is_refused_is_halved(self) -> None:
        """What is found is the begin all the same, as the earlier half is asked first."""
        begins = [HOUR.begin - timedelta(days=3), HOUR.begin + timedelta(days=5)]

        def answer(request: Asked) -> Reply:
            length = timedelta(seconds=int(re.search(r"\[(\d+)s:", request.query)[1]))
            if length > timedelta(hours=24, minutes=1):
                return refusal(422, "execution", "query processing would load too many samples into memory")
            end = datetime.fromtimestamp(float(request.parameters["time"]), UTC)
            found = [begin for begin in begins if end - length <= begin < end]
            return vector(*(({}, str(begin.timestamp())) for begin in found))

        with source(answer) as asked:
            assert asked.collector.begins([metric("m")], self.MONTH) == begins[0]
            assert len(asked.queries) < 64

    def test_a_fault_is_not_the_absence_of_data(self) -> None:
        with source(Reply(500)) as asked, pytest.raises(Unavailable):
            asked.collector.begins([metric("m")], self.MONTH)

    def test_nothing_is_asked_about_no_metrics(self) -> None:
        with source(vector()) as asked:
            assert asked.collector.begins([], self.DAY) is None
            assert asked.queries == []


def configured(**options: Any) -> PrometheusCollector:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    conf.register_opts(PrometheusCollector.OPTS, "collector_prometheus")
    for name, value in options.items():
        conf.set_override(name, value, "collector_prometheus")
    return PrometheusCollector.from_conf(conf.collector_prometheus, PluginContext())


def test_it_is_built_from_its_options() -> None:
    collector = configured(prometheus_url="https://example.org/api/v1", bearer_token="t", timeout=5, guard=" up ")
    assert str(collector.client) == "Prometheus at https://example.org/api/v1"


@pytest.mark.parametrize(("options", "words"), [
    ({"prometheus_url": ""}, "prometheus_url: is not set"),
    ({"prometheus_url": "localhost:9090"}, "prometheus_url: is not a URL of http or https"),
    ({"prometheus_url": "http://[::1"}, "prometheus_url: is not a URL"),
    ({"prometheus_url": "http://u:p@host"}, "prometheus_url: holds a user or a password"),
    ({"prometheus_url": "http://host/?a=b"}, "prometheus_url: holds a query"),
    ({"prometheus_user": "u"}, "prometheus_user, prometheus_password: set both or neither"),
    ({"bearer_token": "t", "bearer_token_file": "setup.cfg"}, "set one of them"),
    ({"bearer_token": "t", "prometheus_user": "u", "prometheus_password": "p"}, "together with a bearer token"),
    ({"bearer_token": "a\nb"}, "bearer_token: holds characters"),
    ({"bearer_token_file": "/not/there"}, "bearer_token_file: /not/there cannot be read"),
    ({"cafile": "/not/there"}, "cafile: /not/there is no file of certificates"),
    ({"certfile": "/not/there"}, "certfile: /not/there cannot be read"),
    ({"keyfile": "/dev/null"}, "keyfile: needs a certfile"),
    ({"timeout": 0.0}, "timeout: 0 is no time to wait"),
    ({"guard": "up) or vector(1"}, "guard: 'up) or vector(1' is not a selector"),
])
def test_options_that_make_no_sense_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        configured(**{"prometheus_url": "http://host", **options})
    assert words in str(caught.value)


def test_all_options_that_make_no_sense_are_named_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        configured(guard="up[5m]", keyfile="/not/there", prometheus_user="u")
    assert len(caught.value.problems) == 5
