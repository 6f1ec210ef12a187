"""The metric definitions that hold for all workers, as an operator meets them."""
from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.small import FIRST, LAST, METRICS, Site
from tests.commands import spawn, started

NEW = "metrics: {instance: {unit: hour, groupby: [flavor]}, volume: {unit: GiB}}\n"
SECONDS = 60


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def row(site: Site, name: str) -> tuple[str, str]:
    checks = {check["check"]: check for check in json.loads(site.here("status", "--json").out)}
    return checks[name]["state"], checks[name]["detail"]


def other_host(site: Site) -> Path:
    """The configuration of another host on the same database, with another metrics.yml."""
    (site.path / "other.yml").write_text(NEW)
    text = site.conf.read_text()
    path = site.path / "other.conf"
    path.write_text(text.replace("metrics.yml", "other.yml"))
    return path


@pytest.mark.slow
def test_i8_b8_two_hosts_with_different_files_do_not_mix(site: Site) -> None:
    site.configure(orchestrator={"coordination_url": f"file://{site.path}/locks", "poll_interval": 0.2})
    site.prepared()
    other = other_host(site)
    with started("--config-file", site.conf, "processor") as north:
        until(lambda: "accepted by" in row(site, "metric definitions")[1])
        for command in (("rate", "--begin", FIRST, "--end", LAST), ("processor", "--once")):
            refused = spawn("--config-file", other, *command)
            assert refused.code == 1
            assert f":{north.pid} (" in refused.err
            assert "has other metric definitions" in refused.err
            assert "metrics accept FILE" in refused.err
        assert site.here.json("report", "--by", "") == []
        with started("--config-file", other, "processor") as south:
            until(lambda: row(site, "metric definitions")[0] == "error")
            text = row(site, "metric definitions")[1]
            assert f":{south.pid} (" in text
            assert f":{north.pid}" in text
            time.sleep(1)
            said = site.here("metrics", "accept", site.path / "other.yml", "--reason", "volumes are sold")
            assert said.code == 0, said
            assert "volume added" in said.out
            assert f":{north.pid}" in said.out
            until(lambda: f":{north.pid} (" in row(site, "metric definitions")[1])
            (site.path / "metrics.yml").write_text(NEW)
            until(lambda: row(site, "metric definitions")[0] == "ok")
            until(lambda: row(site, "workers")[0] == "ok")
            south.terminate()
            _, log = south.communicate(timeout=30)
        assert log.count("nothing can be rated: worker") == 2, log      # when it began, and when it was over
        assert log.count("over after") == 1, log
        north.terminate()
        assert north.wait(30) == 0
    told = [(entry["cause"], entry["summary"], entry["reason"]) for entry in site.here.json("history", "--rules")
            if entry["kind"] == "metrics"]
    assert [(cause, summary) for cause, summary, _ in told] == [("start", "1 metric"), ("accept", "volume added")]
    assert told[1][2] == "volumes are sold"


def test_i8_b8_editing_the_file_and_starting_again_is_one_step(site: Site) -> None:
    site.rated()
    (site.path / "metrics.yml").write_text(NEW)
    assert row(site, "metric definitions")[0] == "warning"
    assert site.spawn("rate", "--begin", FIRST, "--end", LAST).code == 0
    assert row(site, "metric definitions")[0] == "ok"
    assert [entry["summary"] for entry in site.here.json("history", "--rules") if entry["kind"] == "metrics"] == [
        "1 metric", "volume added"]


def test_what_holds_can_be_shown_and_changed_before_the_first_worker(site: Site) -> None:
    site.prepared()
    assert "no metric definitions were accepted yet" in site.here("metrics", "show").err
    path = site.path / "other.yml"
    path.write_text(NEW)
    dry = site.here.ok("metrics", "accept", path, "--reason", "first", "--dry-run")
    assert dry == "instance, volume added\nNothing was changed.\n"
    assert "instance, volume added" in site.here.ok("metrics", "accept", path, "--reason", "first")
    assert site.here.ok("metrics", "accept", path, "--reason", "first") == "These definitions hold already.\n"
    assert site.here.ok("metrics", "show") == NEW
    ran = site.spawn("rate", "--begin", FIRST, "--end", LAST)      # this host was not given that file
    assert ran.code == 0                                           # nor was it ever replaced: nobody else is at work
    assert site.here.ok("metrics", "show") == METRICS


@pytest.mark.parametrize(("text", "told"), [
    ("metrics: {a: {}}\n", "metric 'a': unit: is missing"), ("{", "line")])
def test_a_file_that_is_wrong_is_refused_with_every_reason(site: Site, text: str, told: str) -> None:
    site.prepared()
    (site.path / "wrong.yml").write_text(text)
    ran = site.here("metrics", "accept", site.path / "wrong.yml", "--reason", "r")
    assert ran.code == 1
    assert told in ran.err
    assert "there is no such file" in site.here("metrics", "accept", site.path / "gone.yml", "--reason", "r").err
    assert "--reason" in site.here("metrics", "accept", site.path / "metrics.yml", "--reason", " ").err
