"""The application as any WSGI server gets it, with what stands in front of the table of routes."""
from __future__ import annotations

from pathlib import Path

import pytest
from webtest import TestApp

from cloudkitty_like.wsgi import FILES, LazyApplication, application
from tests.installation import History, Installation

DASHBOARD = "https://dashboard.example.org"
WINDOW = "begin=2026-09-01&end=2026-12-01"


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    """A rated day."""
    made = Installation(tmp_path, f"sqlite:///{tmp_path / 'rating.sqlite'}", {"DEFAULT": {"auth_strategy": "noauth"}})
    history = History(hours=24)
    made.prepare(history)
    made.run("rate", *history.window)
    return made


@pytest.fixture
def served(site: Installation, monkeypatch: pytest.MonkeyPatch) -> TestApp:
    """Over two files, of which the second one adds to the first."""
    more = site.directory / "more.conf"
    more.write_text(f"[cors]\nallowed_origin = {DASHBOARD}\n[oslo_middleware]\nenable_proxy_headers_parsing = true\n")
    monkeypatch.setenv(FILES, f"{site.directory / 'site.conf'}:{more}")
    return TestApp(LazyApplication())


def test_it_is_there_without_a_configuration() -> None:
    assert callable(application)


def test_it_answers_over_the_files_that_the_environment_names(served: TestApp) -> None:
    assert served.get(f"/v2/summary?{WINDOW}&groupby=project_id").json["total"] == 5


def test_what_is_wrong_with_the_configuration_is_said_at_each_request(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "wrong.conf").write_text("[collect]\nperiod = 7\n")
    monkeypatch.setenv(FILES, str(tmp_path / "wrong.conf"))
    wrong = TestApp(LazyApplication())
    for _ in range(2):
        with pytest.raises(Exception, match="7 seconds do not divide a day"):
            wrong.get("/")


def test_a_page_of_an_allowed_host_may_ask(served: TestApp) -> None:
    asked = {"Access-Control-Request-Method": "PUT"}
    let_in = served.options("/v2/scope", headers={"Origin": DASHBOARD} | asked)
    assert let_in.headers["Access-Control-Allow-Origin"] == DASHBOARD
    assert let_in.headers["Access-Control-Allow-Methods"] == "PUT"
    assert served.get("/", headers={"Origin": DASHBOARD}).headers["Access-Control-Allow-Origin"] == DASHBOARD
    other = served.get("/", headers={"Origin": "https://elsewhere.example.org"})
    assert "Access-Control-Allow-Origin" not in other.headers


def test_links_are_as_the_proxy_in_front_says(served: TestApp) -> None:
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cloud.example.org", "X-Forwarded-Prefix": "/rating"}
    versions = served.get("/", headers=said).json["versions"]
    assert versions[1]["links"][0]["href"] == "https://cloud.example.org/rating/v2"
    page = served.get(f"/v2/summary?{WINDOW}&groupby=project_id&limit=2", headers=said).json
    assert page["next"].startswith("https://cloud.example.org/rating/v2/summary?")


def test_i8_m6_a_copied_state_directory_does_not_serve_the_original(tmp_path: Path, monkeypatch) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    for directory in (original, copy):
        directory.mkdir()
        (directory / "cloudkitty-like.sqlite").touch()
        (directory / "cloudkitty-like.conf").write_text(
            f"[database]\nconnection = sqlite:///{original}/cloudkitty-like.sqlite\n"
            f"[orchestrator]\ncoordination_url = file://{original}/locks\n")
    monkeypatch.setenv(FILES, str(copy / "cloudkitty-like.conf"))
    with pytest.raises(Exception, match="was moved or copied from"):
        TestApp(LazyApplication()).get("/")
