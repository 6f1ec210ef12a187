"""The composition root: what it hands out has types that the type checker knows."""
from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from cloudkitty_like.app import PARTS, SERVING, WORKING, Part
from cloudkitty_like.app.use_cases import UseCases
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.service.metrics.definitions import MetricsFile
from tests.books import NOW, Books

ROOT = Path(__file__).parents[2]
APP = ROOT / "cloudkitty_like" / "app"
CODE = """\
from collections.abc import Collection
from datetime import datetime

from cloudkitty_like.app import App
from cloudkitty_like.domain.query import Query


def wrong(app: App, query: Query, to: datetime, identifiers: Collection[str]) -> None:
    app.use_cases.summary.rowz(query, 1, banana=2)
    app.use_cases.scopes.reset(to, identifiers, author="me", reason="why")
    app.check("leger")


def right(app: App, query: Query, to: datetime, identifiers: Collection[str]) -> None:
    app.use_cases.summary.rows(query)
    app.use_cases.scopes.reset(identifiers, to, author="me", reason="why")
    app.check("ledger")
"""
FOUND = [
    (9, '"Summary" has no attribute "rowz"'),
    (10, 'Argument 1 to "reset" of "Scopes" has incompatible type "datetime"'),
    (10, 'Argument 2 to "reset" of "Scopes" has incompatible type "Collection[str]"'),
    (11, 'Argument 1 to "check" of "App" has incompatible type "Literal[\'leger\']"'),
]


@pytest.mark.lint
def test_the_type_checker_finds_misspelt_members_and_swapped_arguments(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("mypy")
    if not program.exists():
        if os.environ.get("REQUIRE_SERVERS"):
            pytest.fail("mypy is not installed")
        pytest.skip("mypy is not installed")
    path = tmp_path / "caller.py"
    path.write_text(CODE, encoding="utf-8")
    run = subprocess.run([program, "--config-file", "setup.cfg", path], cwd=ROOT,
                         capture_output=True, text=True, check=False)
    errors = re.findall(r"^\S*caller\.py:(\d+): error: (.*)$", run.stdout, re.MULTILINE)
    assert [int(line) for line, _ in errors] == [line for line, _ in FOUND], run.stdout + run.stderr
    assert run.stdout.count("error:") == len(FOUND), run.stdout
    for (_, text), (_, said) in zip(errors, FOUND, strict=True):
        assert text.startswith(said)


def members(path: Path, name: str) -> Iterator[tuple[str, str]]:
    """Every public method, property and attribute of a class, with its annotations as text."""
    (found,) = [node for node in ast.parse(path.read_text(encoding="utf-8")).body
                if isinstance(node, ast.ClassDef) and node.name == name]
    for node in ast.walk(found):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            yield node.name, ast.unparse(node.returns) if node.returns else "missing"
            for one in arguments[1:]:
                yield node.name, ast.unparse(one.annotation) if one.annotation else "missing"
        elif isinstance(node, ast.AnnAssign) and not ast.unparse(node.target).startswith("self._"):
            yield ast.unparse(node.target), ast.unparse(node.annotation)


@pytest.mark.parametrize(("file", "name"), [
    ("use_cases.py", "UseCases"), ("__init__.py", "App"), ("installation.py", "Installation")])
def test_no_public_member_is_any(file: str, name: str) -> None:
    found = list(members(APP / file, name))
    assert len(found) > 5
    assert [(member, text) for member, text in found
            if text == "missing" or re.search(r"\bAny\b", text)] == []


def test_every_part_that_can_be_checked_can_be_made() -> None:
    assert set(PARTS) == set(get_args(Part)) >= {*WORKING, *SERVING}


# --- what is wired ------------------------------------------------------------------------------

@dataclass
class Place:
    """An installation of parts that are made already."""

    books: Books
    module: object = None
    author: str = "tester"
    schema: str = "as needed"
    period: timedelta = timedelta(hours=1)
    wait_periods: int = 2
    scope_key: str = "project_id"
    collector_name: str = "file"
    fetcher_name: str = "file"

    def __post_init__(self) -> None:
        self.database, self.storage = self.books.database, self.books.storage
        self.metrics = MetricsFile((), "metrics: {}", "digest")

    def clock(self) -> datetime:
        return NOW

    def rating_module(self, name: str) -> object:
        return self.module


class Scripting:
    """A rating module that knows scripts."""

    OPTS = ()
    description = "scripts"
    enabled_by_default = False
    missing = False

    @classmethod
    def from_conf(cls, group: object, site: object) -> Scripting:
        return cls()

    def tariff(self, change: int) -> object:
        raise NotImplementedError

    def prepare(self) -> None:
        if self.missing:
            raise Invalid("there are no namespaces")

    def check(self, name: str, text: str) -> None:
        if text != "good":
            raise Invalid(f"data: {name} is not good")

    def listen(self, printed: object) -> None:
        raise NotImplementedError


def lazy() -> Sequence[str]:
    """The names of the members that are made at first use."""
    return [name for name, one in vars(UseCases).items()
            if type(one).__name__ == "cached_property"]


def test_every_member_is_made_once(sqlite) -> None:
    use_cases = UseCases(Place(Books(sqlite), Scripting()))
    for name in lazy():
        assert getattr(use_cases, name) is getattr(use_cases, name), name
    assert use_cases.document() == {"metrics": {}}


def test_another_author_writes_to_the_same_installation(sqlite) -> None:
    use_cases = UseCases(Place(Books(sqlite)))
    other = use_cases.written_by("api")
    assert (use_cases.author, other.author) == ("tester", "api")
    assert (use_cases.holes.author, other.holes.author) == ("tester", "api")
    assert other.database is use_cases.database
    assert other.written_by("me").author == "me"


def test_a_script_is_checked_by_the_module_that_runs_it(sqlite) -> None:
    module = Scripting()
    use_cases = UseCases(Place(Books(sqlite), module))
    use_cases.script_check("s", "good")
    with pytest.raises(Invalid, match="data: s is not good"):
        use_cases.script_check("s", "bad")
    module.missing = True
    with pytest.raises(Unavailable, match="no script can be checked: there are no namespaces"):
        use_cases.script_check("s", "good")


def test_a_module_that_checks_no_scripts_is_unavailable(sqlite) -> None:
    with pytest.raises(Unavailable, match="checks no scripts"):
        UseCases(Place(Books(sqlite), object())).script_check("s", "good")
