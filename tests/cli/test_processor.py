"""The daemon, as it is started, logs and stops."""
from __future__ import annotations

import signal
import time

import pytest

from cloudkitty_like import __version__
from tests.cli.small import FIRST, Site
from tests.commands import started


def begun(site: Site) -> Site:
    """The scopes begin in March, not in the month of today."""
    site.prepared()
    assert site.spawn("rate", "--begin", FIRST, "--end", "2026-03-01T01:00").code == 0
    return site


def test_once_rates_what_is_due_and_ends(site: Site) -> None:
    ran = begun(site).spawn("processor", "--once")
    assert (ran.code, ran.out) == (0, "")
    assert [row["points"] for row in site.here.json("report", "--by", "")] == [6]


def test_i8_m12_it_says_what_it_is_and_what_it_waits_for(site: Site) -> None:
    begun(site)
    ran = site.spawn("processor", "--once")
    (line,) = [line for line in ran.err.splitlines() if "announcement" in line]
    assert f"cloudkitty-like {__version__}, configuration {site.conf}; database sqlite:///" in line
    assert f"usage by file, 1 metric of {site.path / 'metrics.yml'}" in line
    assert line.endswith("2 scopes, 2 scopes due from 2026-03-01T01:00:00Z on")


def test_i8_m12_a_processor_without_scopes_says_whom_it_asks(site: Site) -> None:
    ran = site.prepared().spawn("processor", "--once")
    assert "no scope is known yet: file is asked for them" in ran.err


@pytest.mark.slow
def test_several_workers_do_the_same_as_one(site: Site) -> None:
    ran = begun(site).spawn("processor", "--once", "--workers", "2")
    assert ran.code == 0, ran.err
    assert [row["points"] for row in site.here.json("report", "--by", "")] == [6]
    assert site.here.json("status", "--verify")[-1]["state"] == "ok"


def test_it_logs_where_the_configuration_says_and_keeps_secrets(site: Site) -> None:
    site.prepared()
    site.configure(DEFAULT={"log_file": site.path / "rating.log", "debug": "true"},
                   collector_prometheus={"prometheus_password": "hidden"})
    ran = site.spawn("processor", "--once")
    assert (ran.code, ran.err, ran.out) == (0, "", "")
    log = (site.path / "rating.log").read_text()
    assert " INFO cloudkitty_like." in log
    assert "database.connection            = ****" in log
    assert "hidden" not in log


def test_without_such_options_it_logs_to_standard_error(site: Site) -> None:
    ran = site.prepared().spawn("processor", "--once")
    assert "INFO cloudkitty_like.orchestrator.discovery" in ran.err
    assert "2 new scopes: 'alpha', 'beta'" in ran.err
    assert "alembic" not in ran.err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_daemon_goes_on_until_it_is_told_to_stop(site: Site, workers: str) -> None:
    begun(site)
    with started("--config-file", site.conf, "processor", "--workers", workers) as daemon:
        deadline = time.monotonic() + 30
        while [row["points"] for row in site.here.json("report", "--by", "")] != [6]:
            assert time.monotonic() < deadline
            assert daemon.poll() is None, daemon.communicate()
            time.sleep(0.2)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(10) == 0
