"""A command that wants more of the past than the source keeps says so."""
from __future__ import annotations

from cloudkitty_like.testing.network import free_port
from tests.cli.small import Site
from tests.servers import victoriametrics

WINDOW = ("--begin", "2026-03-01", "--end", "2026-03-01T02:00", "--scope", "beta", "--reason", "again")


def reading(site: Site, url: str) -> None:
    site.configure(collect={"collector": "prometheus"}, collector_prometheus={"prometheus_url": url, "timeout": 5})


def test_i8_small_a_source_that_forgets_says_so_where_a_start_lies_before(site: Site) -> None:
    site.rated()
    with victoriametrics(flags=["-retentionPeriod=30d"]) as url:
        reading(site, url)
        dry = site.here("scopes", "reset", "--to", "2026-03-01", "alpha", "--dry-run")
        assert (dry.code, "the source keeps 30 days, so nothing before 20" in dry.err) == (0, True), dry
        ran = site.here("scopes", "reset", "--to", "2026-03-01", "alpha")
        assert (ran.code, "00:00Z is before that; 'reprocess start --from-ledger'" in ran.err) == (0, True), ran
        asked = site.here("reprocess", "start", *WINDOW)
        assert (asked.code, "with --from-ledger the quantities are those" in asked.err) == (0, True), asked
        site.here.ok("reprocess", "cancel", "1")
        assert site.here("reprocess", "start", *WINDOW, "--from-ledger").err == ""


def test_i8_small_a_source_that_tells_nothing_is_believed(site: Site) -> None:
    site.rated()
    assert site.here("scopes", "reset", "--to", "2026-03-01", "alpha").err == ""
    reading(site, f"http://127.0.0.1:{free_port()}")
    assert site.here("scopes", "reset", "--to", "2026-03-01", "beta").err == ""
