"""CloudKitty's own client, python-cloudkittyclient, unchanged: its command line run in this process, for speed."""
from __future__ import annotations

import io
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from tests.commands import Ran, spawn
from tests.serving import serving

PROGRAM = Path(sys.executable).with_name("cloudkitty")
NO_AUTHENTICATION = "cloudkitty-noauth"
BOTH = ("1", "2")
CLAIMED: dict[str, set[str]] = {version: set() for version in BOTH}
"""By version of the API, the sub-commands that tests say they run."""


def installed() -> None:
    """Skips, or fails where everything is required, without the client."""
    if find_spec("cloudkittyclient") is None:
        missing = "python-cloudkittyclient is not installed: pip install -e '.[test]'"
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(missing)
        pytest.skip(missing)


def known(group: str) -> dict[str, str]:
    """The sub-commands of a group of entry points, as they are typed, and the class of each."""
    return {point.name.replace("_", " "): point.value for point in entry_points(group=group)}


class Cloudkitty:
    """``cloudkitty`` for one version of the API at a URL; ``ran`` are the sub-commands that it was asked to run."""

    def __init__(self, url: str, version: str) -> None:
        self.ran: set[str] = set()
        self._names = known(f"cloudkittyclient_v{version}")
        self._options = options(url, version)

    def __call__(self, line: str, *arguments: str) -> Ran:
        """``line`` is a sub-command and arguments without spaces, ``arguments`` are more of them."""
        words = [*line.split(), *arguments]
        self.ran |= {name for name in self._names if words[:len(name.split())] == name.split()}
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), _quiet():
            from cloudkittyclient.shell import main

            try:
                code = main([*self._options, *words])
            except SystemExit as leaving:
                code = leaving.code if isinstance(leaving.code, int) else 1
        return Ran(code, out.getvalue(), err.getvalue())

    def ok(self, line: str, *arguments: str) -> str:
        """What it printed; it must have gone well."""
        ran = self(line, *arguments)
        assert ran.code == 0, ran
        return ran.out

    def rows(self, line: str, *arguments: str) -> list[dict[str, Any]]:
        """The table that it printed."""
        found: list[dict[str, Any]] = json.loads(self.ok(line, *arguments, "-f", "json"))
        return found

    def row(self, line: str, *arguments: str) -> dict[str, Any]:
        """The table's only line."""
        (found,) = self.rows(line, *arguments)
        return found


def options(url: str, version: str) -> list[str]:
    return ["--os-rating-api-version", version, "--os-auth-type", NO_AUTHENTICATION, "--os-endpoint", url]


@contextmanager
def _quiet() -> Iterator[None]:
    """The client sets logging up as for a process of its own, and warns of what it imports."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logging.disable(logging.DEBUG)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        root.handlers[:], root.level = handlers, level


# --- for tests ----------------------------------------------------------------------------------------

def runs(*commands: str, versions: tuple[str, ...] = BOTH,
         changes_ledger: bool = False) -> Callable[[Any], Any]:
    """A test of these sub-commands; that it runs them is looked at after it.

    ``changes_ledger``: the test gets an installation of its own, so that no other test meets its changes.
    """
    def mark(test: Any) -> Any:
        test.commands, test.changes_ledger = set(commands), changes_ledger
        for version in versions:
            CLAIMED[version] |= test.commands
        return pytest.mark.parametrize("version", versions)(test)
    return mark


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with a ledger of the sample's month, which nobody changes."""
    installed()
    directory = tmp_path_factory.mktemp("client")
    rated = spawn("standalone", "--sample", "--state", "state", cwd=directory)
    assert rated.code == 0, rated.err
    return directory / "state"


@contextmanager
def _served_copy(sample: Path, directory: Path) -> Iterator[str]:
    """The URL of an API that everybody may ask, over a copy of the ledger."""
    copytree(sample, directory / "state")
    with serving("--state", "state", "api", "--workers", "1", cwd=directory) as url:
        yield url


@pytest.fixture(scope="module")
def url(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the API that the tests of this file share."""
    with _served_copy(sample, tmp_path_factory.mktemp("api")) as shared:
        yield shared


@pytest.fixture
def cloudkitty(version: str, request: pytest.FixtureRequest) -> Iterator[Cloudkitty]:
    with ExitStack() as stack:
        if request.function.changes_ledger:
            url = stack.enter_context(_served_copy(
                request.getfixturevalue("sample"), request.getfixturevalue("tmp_path")))
        else:
            url = request.getfixturevalue("url")
        yield from _checked(Cloudkitty(url, version), request)


def _checked(client: Cloudkitty, request: pytest.FixtureRequest) -> Iterator[Cloudkitty]:
    """The client; after the test, whether it has run what the test claims."""
    yield client
    assert client.ran == request.function.commands, client.ran ^ request.function.commands
