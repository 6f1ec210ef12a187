"""What ``/v2/openapi.json`` says of the API is true: schemathesis asks by it, what is allowed and what is not.

Every operation is asked with the examples of the document, with values at and
beyond every bound, with whatever hypothesis thinks of, and one after the other
where one's answer is another's argument.  The same requests in every run.
"""
from __future__ import annotations

import logging
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from schemathesis import openapi
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from webtest import TestApp

from cloudkitty_like.api.application import application
from tests.tenants import Site, served, site, tenants

DATABASES = ("sqlite", "postgresql")
ROOT = {"username": "root", "password": "secret"}
EXAMPLES, MANY = 4, 120                # of hypothesis' thoughts on each operation
LEAST, LEAST_OF_MANY = 4_000, 10_000   # requests, of each database


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """An installation where an administrator has a password."""
    digest = bcrypt.hashpw(ROOT["password"].encode(), bcrypt.gensalt(4)).decode()
    (tmp_path / "passwords").write_text(f"{ROOT['username']}:{digest}\n")
    (tmp_path / "users").write_text(f"{ROOT['username']}: {{project: a, roles: [admin]}}\n")
    with site(tmp_path, request.param, tenants("a", "b", "c"), settings={
            "DEFAULT": {"auth_strategy": "http_basic"},
            "http_basic": {"htpasswd_file": tmp_path / "passwords", "users_file": tmp_path / "users"}}) as made:
        yield made


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of refused requests are not logged one by one."""
    caplog.set_level(logging.CRITICAL, "cloudkitty_like")


def configuration(examples: int) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict({
        "seed": 1,
        "auth": {"basic": ROOT},
        # Without NUL, which no text may have: tests/test_injection.py sends it everywhere.
        "generation": {"max-examples": examples, "deterministic": True, "no-shrink": True, "allow-x00": False},
        # Whether a request that is well made is granted depends on what is there (ids, names, periods that are
        # rated) and on how its arguments go together, which a schema does not say.
        "checks": {"positive_data_acceptance": {"enabled": False}}})


def broken(place: Site, examples: int) -> tuple[list[str], int]:
    """Every way in which an answer is not what the document says, and how many requests there were."""
    found, asked = Counter[str](), 0
    with served(application(place.app)) as url:
        schema = openapi.from_url(f"{url}/v2/openapi.json", config=configuration(examples),
                                  headers=basic(ROOT["password"]))
        for event in from_schema(schema).execute():
            assert not isinstance(event, events.NonFatalError | events.FatalError), event.__dict__
            if isinstance(event, events.ScenarioFinished):
                asked += len(event.recorder.interactions)
                found.update(_failures(event))
    return list(found), asked


def _failures(event: Any) -> Iterator[str]:
    for case, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                interaction = event.recorder.interactions.get(case)
                answer = interaction and interaction.response and interaction.response.content
                yield (f"{check.name} of {event.label}: {check.failure_info.failure.title} "
                       f"{check.failure_info.failure.message} {check.failure_info.code_sample} {answer!r}"[:1500])


@pytest.mark.slow
def test_answers_are_as_the_document_says(place: Site) -> None:
    found, asked = broken(place, EXAMPLES)
    assert found == []
    assert asked > LEAST


@pytest.mark.long
def test_many_answers_are_as_the_document_says(place: Site) -> None:
    found, asked = broken(place, MANY)
    assert found == []
    assert asked > LEAST_OF_MANY


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_whoever_is_not_known_is_refused_as_the_document_says(place: Site) -> None:
    app = TestApp(application(place.app))
    document = app.get("/v2/openapi.json", headers=basic(ROOT["password"])).json
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "security" not in operation:
                assert path in ("/", "/v1", "/v2", "/healthcheck")
                continue
            answer = app.request(re.sub("[{}]", "", path), method=method.upper(), headers=basic("wrong"), status=401)
            promised = operation["responses"]["401"]["content"][answer.content_type]["schema"]["$ref"]
            shape = document["components"]["schemas"][promised.rpartition("/")[2]]["properties"]["error"]
            assert answer.json["error"].keys() == set(shape["required"])


def basic(password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'root:{password}'.encode()).decode()}"}
