"""What the pages on the API and on watching it say is there."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from webtest import TestApp

from cloudkitty_like.api.application import application
from cloudkitty_like.app import App, read_configuration
from tests.installation import History, Installation
from tests.servers import require

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "doc" / "source"
ALERTS = ROOT / "etc" / "cloudkitty_like" / "alerts.yml"
PREFIX = "cloudkitty_like_"


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names that ``/metrics`` has, without their prefix."""
    directory = tmp_path_factory.mktemp("figures")
    site = Installation(directory, f"sqlite:///{directory / 'rating.sqlite'}", {"DEFAULT": {"auth_strategy": "noauth"}})
    site.prepare(History(hours=1))
    app = App(read_configuration([str(directory / "site.conf")]))
    text = TestApp(application(app)).get("/metrics").text
    app.close()
    return set(re.findall(rf"^# TYPE {PREFIX}(\w+)", text, re.MULTILINE))


def test_every_figure_is_on_its_page_and_nothing_else(figures: set[str]) -> None:
    page = (PAGES / "watching.rst").read_text(encoding="utf-8")
    assert set(re.findall(r"^``(\w+)``(?: \{[\w, ]+\})? +(?:counter|gauge)", page, re.MULTILINE)) == figures


def test_alerts_are_about_figures_that_there_are(figures: set[str]) -> None:
    (group,) = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    used = {name for rule in group["rules"] for name in re.findall(rf"{PREFIX}(\w+)", rule["expr"])}
    assert len(group["rules"]) >= 10
    assert used <= figures


def test_prometheus_takes_the_alerts() -> None:
    run = subprocess.run([require("promtool"), "check", "rules", str(ALERTS)], capture_output=True, text=True,
                         check=False)
    assert run.returncode == 0, run.stderr


OUTAGES = {
    "CloudkittyLikeBlocked": ('workers_blocked{cause="modules"}', 'cause="modules"'),
    "CloudkittyLikeNoWorker": ("workers_missing", ""),
}


@pytest.mark.parametrize("alert", OUTAGES)
def test_i8_m9_an_outage_is_an_alert_within_a_period(alert: str, tmp_path: Path) -> None:
    """Of an hour, the usual one; it is quiet before, and when the outage is over."""
    figure, labels = OUTAGES[alert]
    expected = [{"exp_labels": dict(re.findall(r'(\w+)="(\w+)"', labels)) | {"severity": "critical"}}]
    case = {
        "rule_files": [str(ALERTS)], "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "input_series": [{"series": PREFIX + figure, "values": "0x59 1x59 0x30"}],
            "alert_rule_test": [
                {"eval_time": "59m", "alertname": alert},
                {"eval_time": "65m", "alertname": alert},
                {"eval_time": "75m", "alertname": alert, "exp_alerts": expected},
                {"eval_time": "119m", "alertname": alert, "exp_alerts": expected},
                {"eval_time": "121m", "alertname": alert}],
        }],
    }
    for rule in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"][0]["rules"]:
        if rule["alert"] == alert:
            texts = {name: text.replace("{{ $value }}", "1").replace("{{ $labels.cause }}", "modules")
                     for name, text in rule["annotations"].items()}
            expected[0]["exp_annotations"] = texts
    path = tmp_path / "outage.yml"
    path.write_text(yaml.safe_dump(case))
    run = subprocess.run([require("promtool"), "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_reference_has_every_operation_with_every_argument() -> None:
    pytest.importorskip("sphinx", reason="Sphinx is not installed: pip install -e '.[test,docs]'")
    from doc.source._ext.api_reference import described, reference

    document = described()
    lines = list(reference(document))
    entries = [line for line in lines if line.startswith("``")]
    assert sorted(entries) == sorted(
        f"``{method.upper()} {path}``" for path, methods in document["paths"].items() for method in methods)
    text = "\n".join(lines)
    summary = text[text.index("``GET /v2/summary``"):]
    assert "   * ``limit`` (query, integer from 1 to 10000): how many rows at most" in summary
    assert "``billing``" not in text
    assert "policy rule: ``rating:quote``" in text.lower()


def test_the_page_on_the_api_names_its_options() -> None:
    from cloudkitty_like.api.options import OPTS

    page = (PAGES / "api.rst").read_text(encoding="utf-8")
    assert [option.name for option in OPTS["api"] if f"``[api] {option.name}``" not in page] == []
