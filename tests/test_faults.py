"""A source that fails, and scopes that nothing is right with: no period without its data, and nobody else waits."""
from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.synthetic import Catalogue, Fault, Synthetic
from cloudkitty_like.domain.period import instant
from tests.databases import new_database
from tests.installation import Installation

pytestmark = pytest.mark.slow

HOSTILE = ('qu"ote', "apo'strophe", "back\\slash", "two words", "Zoë 東京", "x\"} or vector(1) #", "a|b.*")
CATALOGUE = Catalogue(("alice", "bob", "carol", *HOSTILE), series=2, periods=5)
VICTIM = "bob"
METRICS = """\
metrics:
  instance_seconds: {unit: s, groupby: [id, flavor, vcpus]}
  cpu_seconds: {unit: s, groupby: [id]}
  floating_ips: {unit: ip, groupby: [id, region]}
"""
RULES = """\
services:
  instance_seconds:
  - {field: flavor, value: m1.small, cost: 0.01}
  cpu_seconds:
  - {cost: 0.003}
"""
# A threshold looks at numbers, and a region is none.
BROKEN = RULES + """\
  floating_ips:
  - {field: region, level: 1, cost: 3, scope: bob}
"""
MENDED = RULES + """\
  floating_ips:
  - {cost: 3, scope: bob}
"""


class Site(Installation):
    """An installation beside a source with faults."""

    source: Synthetic

    @property
    def window(self) -> list[str]:
        catalogue = self.source.catalogue
        return ["--begin", instant(catalogue.begin), "--end", instant(catalogue.end)]

    def rate(self, code: int = 0) -> str:
        return self.run("rate", *self.window, code=code).stderr

    def due(self) -> dict[str, str]:
        return {scope: one["due"] for scope, one in self.scopes().items()}

    def usage(self) -> dict[tuple[str, str], tuple[Decimal, int]]:
        """What is in the ledger: quantity and points by scope and metric."""
        rows = json.loads(self.report(by="scope,metric"))
        return {(row["key"]["scope"], row["key"]["metric"]): (Decimal(row["qty"]), row["points"]) for row in rows}


@contextmanager
def site_of(directory: Path, source: Synthetic, *, metrics: str = METRICS, rules: str = RULES,
            environment: dict[str, str] | None = None, **settings) -> Iterator[Site]:
    with new_database("sqlite", create=False) as database:
        prometheus = {"prometheus_url": source.url, "timeout": 0.5}
        made = Site(directory, str(database), {
            "collect": {"collector": "prometheus"}, "fetcher": {"backend": "prometheus"},
            "collector_prometheus": {**prometheus, **settings.pop("collector_prometheus", {})},
            "fetcher_prometheus": {**prometheus, "metric": "instance_seconds"},
            "orchestrator": {"retry_first": 600, "retry_most": 3600, **settings.pop("orchestrator", {})},
            **settings,
        }, environment or {})
        made.source = source
        made.prepare(metrics=metrics, rules=rules)
        yield made


def served(catalogue: Catalogue, metrics=("instance_seconds", "cpu_seconds", "floating_ips"),
           without: frozenset[tuple[str, int]] = frozenset()) -> dict[tuple[str, str], tuple[Decimal, int]]:
    """What the source has, by the formulas: quantity and points by scope and metric, but for some (scope, period)."""
    sums: dict[tuple[str, str], tuple[Decimal, int]] = {}
    for metric in metrics:
        for scope in catalogue.scopes:
            values = [Decimal(catalogue.value(metric, scope, number, period)) for period in range(catalogue.periods)
                      if period not in catalogue.silent and (scope, period) not in without
                      for number in range(catalogue.series)]
            if values:
                sums[scope, metric] = sum(values, Decimal()), len(values)
    return sums


FAULTS = {
    "hang": "longer than", "500": "500", "503": "503", "error": "out of order", "truncated": "cannot be read",
    "warning": "half of it is missing", "partial": "partial", "nan": "NaN", "huge": "out of range",
}
"""What each does to the scope of its name, and what is then said about it."""


def test_c5_scopes_whose_usage_cannot_be_had_stop_alone_say_why_and_catch_up(tmp_path):
    catalogue = replace(CATALOGUE, scopes=(*CATALOGUE.scopes, *FAULTS), periods=12)
    begins = {kind: period for period, kind in enumerate(FAULTS, 1)}
    faults = [Fault(kind, scope=kind, metric="cpu_seconds", period=period) for kind, period in begins.items()]
    with Synthetic(catalogue, faults) as source, site_of(tmp_path, source) as site:
        site.rate(code=1)
        assert site.due() == dict.fromkeys(catalogue.scopes, instant(catalogue.end)) | {
            kind: instant(catalogue.begin + period * catalogue.length) for kind, period in begins.items()}
        # Bounded: one for each metric and period, and for each fault those to find out who it is and those that
        # were begun ahead for nothing.
        questions = {(asked.metric, asked.period, asked.scopes) for asked in source.asked}
        assert len(questions) <= 3 * catalogue.periods + len(FAULTS) * (2 * 5 + 3)
        states = site.scopes()
        for kind, words in FAULTS.items():
            state = states[kind]
            assert (state["state"], state["error_kind"], state["failures"]) == ("failing", "source", 1)
            assert words in state["error"]
            assert state["retry_at"] > state["error_at"]
        missing = frozenset((kind, period) for kind, first in begins.items() for period in range(first, 12))
        assert site.usage() == served(catalogue, without=missing)

        before = len(source.asked)
        site.rate(code=1)                                  # it is not their turn yet
        assert len(source.asked) == before

        source.faults.clear()
        site.run("scopes", "retry", "--all")
        site.rate()
        assert set().union(*(asked.scopes for asked in source.asked[before:])) == set(FAULTS)
        assert site.usage() == served(catalogue)
        assert {one["error"] for one in site.scopes().values()} == {None}
        site.verify()


@pytest.mark.parametrize("kind", ["hang", "truncated"])
def test_c5_a_period_about_which_nobody_gets_an_answer_is_not_recorded_as_empty(kind, tmp_path):
    with Synthetic(CATALOGUE, [Fault(kind, period=1, metric="floating_ips")]) as source, \
            site_of(tmp_path, source, orchestrator={"collector_request_timeout": 1}) as site:
        site.rate(code=1)
        assert set(site.due().values()) == {instant(CATALOGUE.begin + CATALOGUE.length)}
        later = frozenset((scope, period) for scope in CATALOGUE.scopes for period in (1, 2, 3, 4))
        assert site.usage() == served(CATALOGUE, without=later)
        source.faults.clear()
        site.run("scopes", "retry", "--all")
        site.rate()
        assert site.usage() == served(CATALOGUE)


def test_c14_a_rule_that_fails_parks_its_scope_until_the_rules_change(tmp_path):
    with Synthetic(CATALOGUE) as source, site_of(tmp_path, source, rules=BROKEN) as site:
        said = site.rate(code=1)
        assert "region" in said
        end = instant(CATALOGUE.end)
        assert site.due() == dict.fromkeys(CATALOGUE.scopes, end) | {VICTIM: instant(CATALOGUE.begin)}
        state = site.scopes()[VICTIM]
        assert (state["state"], state["error_kind"], state["retry_at"]) == ("parked", "rating", None)
        assert "region" in state["error"]
        before = len(source.asked)
        site.rate(code=1)
        assert len(source.asked) == before, "a parked scope was asked about"
        site.apply(MENDED, "--retroactive")
        site.rate()
        assert {asked.scopes for asked in source.asked[before:]} == {(VICTIM,)}
        assert site.usage() == served(CATALOGUE)
        assert set(site.due().values()) == {end}
        site.verify()


def test_s6_hostile_scope_ids_are_rated_like_all_others(tmp_path):
    with Synthetic(CATALOGUE) as source, site_of(tmp_path, source) as site:
        site.rate()
        assert site.usage() == served(CATALOGUE)
        assert source.counts["unknown"] == 0
        site.run("scopes", "reset", "--to", instant(CATALOGUE.begin), *HOSTILE)
        before = len(source.asked)
        site.rate()
        # Asked about by name now: each question selects just these.
        assert {frozenset(asked.scopes) for asked in source.asked[before:]} == {frozenset(HOSTILE)}
        assert site.usage() == served(CATALOGUE)


def test_i8_m10_hours_in_which_the_source_was_dead_stay_due_until_an_operator_accepts_them(tmp_path):
    catalogue = replace(CATALOGUE, silent=frozenset({2, 3}))
    with Synthetic(catalogue) as source, site_of(tmp_path, source, collector_prometheus={"guard": "up"}) as site:
        site.rate(code=1)
        dead, alive = (instant(catalogue.begin + hour * catalogue.length) for hour in (2, 4))
        assert set(site.due().values()) == {dead}
        assert (f"cloudkitty-like scopes accept-empty --all --begin {dead} --end {alive} --reason 'WHY'"
                in site.scopes()["alice"]["error"]), "i8 M10: the command is ready, with its times"
        site.run("scopes", "retry", "--all")
        site.rate(code=1)
        assert set(site.due().values()) == {dead}, "asking again made it empty"
        site.run("scopes", "accept-empty", "--begin", dead, "--end", alive, "--reason", "power cut", "alice")
        site.rate(code=1)
        assert site.due() == dict.fromkeys(catalogue.scopes, dead) | {"alice": instant(catalogue.end)}
        site.run("scopes", "accept-empty", "--begin", dead, "--end", alive, "--reason", "power cut", "--all")
        site.rate()
        assert site.usage() == served(catalogue)


def test_i8_m10_with_skip_dead_hours_are_unknown_until_the_source_knows_them(tmp_path):
    dead = replace(CATALOGUE, silent=frozenset({2, 3}))
    begin, end = (instant(dead.begin + hour * dead.length) for hour in (2, 4))
    with Synthetic(dead) as source, site_of(
            tmp_path, source, collector_prometheus={"guard": "up"},
            orchestrator={"gap_policy": "skip", "gap_after": 0, "retry_first": 1, "retry_most": 1}) as site:
        assert f"warning: not rated: {begin} to {end} is unknown, of " in site.rate()
        assert set(site.due().values()) == {instant(dead.end)}
        assert site.usage() == served(dead)
        holes = [(hole["begin"], hole["end"], hole["kind"]) for one in site.scopes().values() for hole in one["holes"]]
        assert holes == [(begin, end, "unknown")] * len(dead.scopes)
        assert f"{begin} to {end} is unknown" in site.run("report").stdout
        source.catalogue = CATALOGUE               # the history is filled in
        time.sleep(1.2)
        assert "unknown" not in site.rate()
        assert site.usage() == served(CATALOGUE)
        assert not any(one["holes"] for one in site.scopes().values())
        site.verify()


def test_a_failing_scope_is_tried_again_when_its_time_has_come_while_others_go_on(tmp_path):
    with Synthetic(CATALOGUE, [Fault("500", scope=VICTIM, period=2)]) as source, \
            site_of(tmp_path, source, orchestrator={"retry_first": 1, "retry_most": 1}) as site:
        site.rate(code=1)
        source.faults.clear()
        time.sleep(1.2)
        site.rate()
        assert site.usage() == served(CATALOGUE)


def test_p1_p6_a_month_of_many_scopes_takes_a_request_per_metric_and_period_and_no_sleep(tmp_path):
    catalogue = Catalogue.of(130, series=1, periods=720)
    metrics = "metrics: {instance_seconds: {unit: s, groupby: [id]}}"
    with Synthetic(catalogue) as source, site_of(tmp_path, source, metrics=metrics, rules="") as site:
        began = time.monotonic()
        site.rate()
        taken = time.monotonic() - began
        assert Counter(asked.period for asked in source.asked) == Counter(range(720))
        assert site.usage() == served(catalogue, ["instance_seconds"])
        assert taken < 60          # with a sleep between periods, however short, it would be minutes
        # C23: all of the 130, not the first 100.
        site.run("scopes", "reset", "--to", instant(catalogue.end - 2 * catalogue.length), *catalogue.scopes)
        assert set(site.due().values()) == {instant(catalogue.end - 2 * catalogue.length)}
        before = len(source.asked)
        site.rate()
        assert len(source.asked) - before == 2


def test_p7_a_scope_that_lags_does_not_keep_the_others_waiting(tmp_path):
    catalogue = replace(CATALOGUE, periods=100)
    with Synthetic(catalogue) as source, site_of(tmp_path, source, orchestrator={"slice_seconds": 0.2}) as site:
        first = catalogue.begin + 90 * catalogue.length
        site.run("rate", "--begin", instant(first), "--end", instant(first + catalogue.length))
        site.run("scopes", "reset", "--to", instant(catalogue.begin), VICTIM)
        source.latency = 0.05                              # so that catching up takes some seconds
        before = len(source.asked)
        # The window begins where the others are: only the victim has a past.
        site.run("rate", "--begin", instant(first), "--end", instant(catalogue.end))
        others = [n for n, asked in enumerate(source.asked[before:]) if VICTIM not in asked.scopes]
        victims = [n for n, asked in enumerate(source.asked[before:]) if asked.scopes == (VICTIM,)]
        assert len(others) >= 9 * 3
        assert len(victims) >= 99 * 3
        assert max(others) < max(victims) / 2, "the others were up to date long before"
        assert set(site.due().values()) == {instant(catalogue.end)}


def test_c21_the_first_period_of_a_new_scope_waits_for_its_end(tmp_path):
    now = datetime.now(UTC)
    begin = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    catalogue = replace(CATALOGUE, begin=begin, periods=6)          # the last of them goes on
    with Synthetic(catalogue) as source, site_of(tmp_path, source, collect={
            "collector": "prometheus", "wait_periods": 1}, collector_prometheus={"guard": "up"}) as site:
        site.run("processor", "--once")
        assert max(asked.period for asked in source.asked) <= 4
        waited = instant(datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1))
        assert set(site.due().values()) == {waited}
        assert {scope: one["last_period"] for scope, one in site.scopes().items()} == \
            dict.fromkeys(catalogue.scopes, instant(datetime.fromisoformat(waited) - timedelta(hours=1)))


@pytest.fixture
def broken_module(tmp_path) -> dict[str, str]:
    """The environment of an installation with a third party's rating module that raises when it is imported."""
    stub = tmp_path / "third party"
    (stub / "broken-0.1.dist-info").mkdir(parents=True)
    (stub / "broken-0.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 0.1\n")
    (stub / "broken-0.1.dist-info" / "entry_points.txt").write_text(
        "[cloudkitty_like.rating]\nsurcharge = broken_surcharge:Surcharge\n")
    (stub / "broken_surcharge.py").write_text("raise OSError('the licence server does not answer')\n")
    return {"PYTHONPATH": str(stub)}


def test_c6_a_module_that_cannot_load_stops_rating_and_nothing_passes_unpriced(tmp_path, broken_module):
    with Synthetic(CATALOGUE) as source, site_of(tmp_path, source) as site:
        broken = replace_environment(site, broken_module)
        done = broken.run("rate", *site.window, code=1)
        assert "surcharge" in done.stderr
        assert "licence server" in done.stderr
        assert "Traceback" not in done.stderr
        assert site.usage() == {}
        # A daemon says so and goes on trying.
        daemon = broken.start("processor")
        time.sleep(3)
        assert daemon.poll() is None
        daemon.terminate()
        assert daemon.wait(10) == 0
        assert "licence server" in site.log
        assert site.usage() == {}
        # Switched off by an operator it is not needed.
        broken.run("modules", "disable", "surcharge")
        broken.run("rate", *site.window)
        assert site.usage() == served(CATALOGUE)


def replace_environment(site: Site, environment: dict[str, str]) -> Site:
    other = Site(site.directory, site.connection, site.settings, environment)
    other.source = site.source
    return other


def test_c43_a_fetcher_that_fails_leaves_the_known_scopes_rated(tmp_path):
    with Synthetic(CATALOGUE) as source, site_of(tmp_path, source) as site:
        site.run("rate", "--begin", instant(CATALOGUE.begin), "--end", instant(CATALOGUE.begin + CATALOGUE.length))
        site.configure("unfetched.conf", fetcher_prometheus={"prometheus_url": "http://127.0.0.1:9"})
        site.run("scopes", "reset", "--to", instant(CATALOGUE.begin), VICTIM)
        asked = len(source.asked)
        daemon = site.start("processor", config="unfetched.conf")
        wait_for(lambda: len(source.asked) > asked, site)
        daemon.terminate()
        assert daemon.wait(10) == 0
        assert "looking for scopes" in site.log


def wait_for(condition, site: Site, patience: float = 30) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, site.log
        time.sleep(0.02)


SECRETS = ("s3cr3t-password", "t0ps3cr3t-token", "redis-s3cr3t")


def test_s18_no_password_and_no_token_is_ever_said(tmp_path):
    with Synthetic(CATALOGUE, [Fault("500")]) as source:
        secrets = {"prometheus_user": "rating", "prometheus_password": SECRETS[0]}
        with site_of(tmp_path, source, collector_prometheus=secrets,
                     orchestrator={"collector_request_timeout": 1}) as site:
            said = [site.run("--debug", "rate", *site.window, code=None), site.run("status", "--json", code=None),
                    site.run("scopes", "list", "--json")]
            broken = {
                "database": {"database": {"connection": f"postgresql://u:{SECRETS[0]}@127.0.0.1:9/no"}},
                "mysql": {"database": {"connection": f"mysql://u:{SECRETS[0]}@127.0.0.1:9/no"}},
                "driver": {"orchestrator": {"coordination_url": f"nothing://:{SECRETS[2]}@127.0.0.1:9"}},
                "token": {"collector_prometheus": {"prometheus_user": "", "prometheus_password": "",
                                                   "bearer_token": SECRETS[1], "prometheus_url": "http://127.0.0.1:9"}},
                "points": {"storage_sqlalchemy": {"connection": f"postgresql://u:{SECRETS[0]}@127.0.0.1:9/no"}},
            }
            for name, changes in broken.items():
                site.configure(f"{name}.conf", **changes)
                said.append(site.run("status", code=None, config=f"{name}.conf"))
            source.faults.clear()
            for name in broken:
                site.run("scopes", "retry", "--all")
                said.append(site.run("--debug", "rate", *site.window, code=None, config=f"{name}.conf"))
                assert said[-1].returncode != 0, name
            everything = "".join(done.stdout + done.stderr for done in said)
            assert [secret for secret in SECRETS if secret in everything] == []
            assert len(everything) > 1000


def test_a_backfill_does_not_reach_into_the_time_in_which_the_source_may_be_incomplete(tmp_path):
    with Synthetic(CATALOGUE) as source, site_of(tmp_path, source) as site:
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        done = site.run("rate", "--begin", instant(hour - timedelta(hours=3)), "--end", instant(hour), code=1)
        assert "too recent" in done.stderr
        assert source.asked == []
