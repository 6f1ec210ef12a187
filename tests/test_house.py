"""The rules of the house that no linter knows, and the linters themselves."""
from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cloudkitty_like"
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.stat().st_size]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SOURCES = [*MODULES, *TESTS, *sorted((ROOT / "benchmarks").rglob("*.py"))]
KINDS = ("collector", "fetcher", "rating", "storage")
VAGUE = {"util", "utils", "common", "helper", "helpers", "manager", "base"}
Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

LONGEST_LINE = 100
LONG_LINES = ROOT / "tests" / "long_lines.txt"
"""The files that still have longer lines, one a line.  The list only shrinks."""
UNMIRRORED = ROOT / "tests" / "unmirrored.txt"
"""The modules with logic that have no test of their own yet.  The list only shrinks."""
NOUNS = {"Framing", "Grouping", "Mapping", "Monitoring", "Posting", "Pricing", "Rating", "Reading",
         "Setting", "Testing", "Timing"}
"""Nouns of the field that look like participles."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of an expression of names, '' of any other."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return ".".join([node.id, *parts]) if isinstance(node, ast.Name) else ""


@cache
def names_used(path: Path) -> set[str]:
    """Every dotted name in a module, the modules and objects that it imports among them."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute | ast.Name):
            found.add(dotted(node))
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def words(name: str) -> set[str]:
    """``HTTPHelper`` and ``http_helper`` are http and helper."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)}


def is_history(path: Path) -> bool:
    """A migration is a list of statements, never changed again."""
    return path.parent.name == "versions"


# --- a reader's patience ------------------------------------------------------------------------

def where(path: Path) -> str:
    """A file as offenders are named."""
    return str(path.relative_to(ROOT))


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, Any]]:
    """All nodes of these kinds in the package, each with the name of its file."""
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, kinds):
                yield where(path), node


def test_a_module_fits_a_sitting() -> None:
    # The tables are a list to look things up in, all on one page on purpose.
    assert [where(path) for path in MODULES if path != PACKAGE / "db" / "tables.py"
            and len(path.read_text(encoding="utf-8").splitlines()) > 300] == []


def test_a_function_fits_a_screen() -> None:
    assert [f"{name}: {node.name}" for name, node in nodes(*FUNCTIONS)
            if node.end_lineno - node.lineno >= 40 and not is_history(ROOT / name)] == []


def test_a_call_has_at_most_seven_arguments() -> None:
    many = []
    for name, node in nodes(*FUNCTIONS):
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if len([one for one in parameters if one.arg not in ("self", "cls")]) > 7:
            many.append(f"{name}: {node.name}")
    assert many == []


def files_with_long_lines() -> list[str]:
    return [where(path) for path in SOURCES
            if any(len(line) > LONGEST_LINE for line in path.read_text(encoding="utf-8").splitlines())]


def test_the_files_with_long_lines_are_those_of_the_list() -> None:
    # A file that has none any more leaves the list, so that it never has one again.
    assert files_with_long_lines() == LONG_LINES.read_text(encoding="utf-8").splitlines()


# --- names --------------------------------------------------------------------------------------

def test_names_say_what_a_thing_is_for() -> None:
    modules = [(where(path), part) for path in MODULES
               for part in path.relative_to(PACKAGE).with_suffix("").parts]
    classes = [(name, node.name) for name, node in nodes(ast.ClassDef)]
    assert [f"{name}: {part}" for name, part in [*modules, *classes] if words(part) & VAGUE] == []


def aliases() -> Iterator[tuple[str, str]]:
    """The names of types that a module gives other types, each with the name of its file."""
    for path in MODULES:
        for node in tree(path).body:
            targets = node.targets if isinstance(node, ast.Assign) else [
                node.target] if isinstance(node, ast.AnnAssign) else []
            for target in targets:
                if isinstance(target, ast.Name) and re.fullmatch(r"_?[A-Z]+[a-z]\w*", target.id):
                    yield where(path), target.id


def test_no_class_or_alias_has_the_name_of_another() -> None:
    places: dict[str, list[str]] = {}
    for name, given in [*((name, node.name) for name, node in nodes(ast.ClassDef)), *aliases()]:
        places.setdefault(given, []).append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def is_participle(name: str) -> bool:
    """Whether the last word of a name, which says what the thing is, is a participle."""
    last = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)[-1:]
    return any(re.fullmatch(r"\w{2,}(ing|ed)", word, re.IGNORECASE)
               and word.removesuffix("s").capitalize() not in NOUNS for word in last)


def errors() -> set[str]:
    """The names of our classes of errors, which are named by what happened."""
    bases = {node.name: {dotted(base).rpartition(".")[2] for base in node.bases}
             for _, node in nodes(ast.ClassDef)}
    found = {"Exception", "Error"}
    while more := {name for name, parents in bases.items() if parents & found} - found:
        found |= more
    return found


def test_modules_and_classes_are_nouns() -> None:
    modules = [(where(path), path.stem) for path in MODULES if path.stem != "__init__"]
    by_event = errors()
    classes = [(name, node.name) for name, node in nodes(ast.ClassDef) if node.name not in by_event]
    assert [f"{name}: {given}" for name, given in [*modules, *classes] if is_participle(given)] == []


def test_a_module_says_what_it_is_for() -> None:
    assert [where(path) for path in MODULES if not ast.get_docstring(tree(path))] == []


# --- a test for each ----------------------------------------------------------------------------

def has_logic(path: Path) -> bool:
    """Whether a module has a function with more than a docstring: values and constants need no test."""
    return not is_history(path) and any(
        isinstance(node, Function) and len(node.body) > int(ast.get_docstring(node) is not None)
        and not all(isinstance(statement, ast.Expr) for statement in node.body)
        for node in ast.walk(tree(path)))


def test_the_modules_without_a_mirrored_test_are_those_of_the_list() -> None:
    # A module that gets its test leaves the list; a new module has one.
    missing = []
    for path in MODULES:
        mirror = ROOT / "tests" / path.relative_to(PACKAGE).parent / f"test_{path.stem}.py"
        if has_logic(path) and not mirror.exists():
            missing.append(where(path))
    assert missing == UNMIRRORED.read_text(encoding="utf-8").splitlines()


# --- nothing reaches in from the side -----------------------------------------------------------

def test_no_configuration_is_global() -> None:
    assert [where(path) for path in MODULES
            if any(name.startswith(("cfg.CONF", "oslo_config.cfg.CONF")) for name in names_used(path))] == []


def test_only_app_knows_what_time_it_is() -> None:
    clocks = re.compile(r"(.*\.)?(datetime|date)\.(now|utcnow|today)|time\.(time|time_ns|localtime|ctime)|.*\.utcnow")
    assert [where(path) for path in MODULES if path.relative_to(PACKAGE).parts[0] != "app"
            and any(clocks.fullmatch(name) for name in names_used(path))] == []


# What runs in a confined process of its own, to run an operator's script.
RUNS_SCRIPTS = {PACKAGE / "rating" / "pyscripts" / name for name in ("column_scripts.py", "point_scripts.py")}


def test_no_text_is_run_as_code() -> None:
    assert [where(path) for path in sorted({*MODULES, *TESTS} - RUNS_SCRIPTS)
            if names_used(path) & {"eval", "exec", "builtins.eval", "builtins.exec"}] == []


def test_tests_use_no_mocks() -> None:
    forbidden = ("unittest.mock", "mock.", "mocker", "monkeypatch.setattr", "monkeypatch.setitem")
    assert [where(path) for path in TESTS
            if any(name.startswith(forbidden) for name in names_used(path))] == []


# --- what is installed is used, and the other way round -----------------------------------------

def requirements(section: str, option: str) -> set[str]:
    """The distributions that an option of setup.cfg names, in their canonical form."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return {canonical(re.split(r"[ \[<>=]", line)[0]) for line in parser[section][option].split("\n") if line}


def canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_what_is_imported_is_required_and_what_is_required_is_imported() -> None:
    providers = packages_distributions()
    imported = {name.partition(".")[0] for path in MODULES for node in ast.walk(tree(path))
                if isinstance(node, ast.Import | ast.ImportFrom)
                for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])}
    outside = imported - set(sys.stdlib_module_names) - {"cloudkitty_like"}
    used = {canonical(provider) for name in outside for provider in providers.get(name, [name])[:1]}
    required = requirements("options", "install_requires")
    extras = ("keystone", "mysql", "postgresql", "redis")
    optional = set.union(*(requirements("options.extras_require", extra) for extra in extras))
    shipped_for_tests = {"pytest"}             # cloudkitty_like.testing is for people who have it
    assert used - optional - shipped_for_tests == required


# --- one name, five places ----------------------------------------------------------------------

def plugins() -> list[tuple[str, str, str]]:
    """Kind, name and module of every plugin that setup.cfg declares."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    found = []
    for kind in KINDS:
        for line in parser.get("options.entry_points", f"cloudkitty_like.{kind}").split("\n"):
            name, _, target = line.partition("=")
            if name.strip():
                found.append((kind, name.strip(), target.strip().partition(":")[0]))
    return found


each_plugin = pytest.mark.parametrize(("kind", "name", "module"), plugins())


@each_plugin
def test_a_plugin_is_where_its_name_says(kind: str, name: str, module: str) -> None:
    expected = f"cloudkitty_like.{kind}.{name}"
    assert module == expected or module.startswith(f"{expected}.")
    assert (PACKAGE / kind / f"{name}.py").exists() or (PACKAGE / kind / name / "__init__.py").exists()


@each_plugin
def test_a_plugin_has_its_test(kind: str, name: str, module: str) -> None:
    folder = ROOT / "tests" / kind
    # A plugin that is a package has a folder of tests that mirrors it.
    assert (folder / f"test_{name}.py").exists() or list((folder / name).glob("test_*.py"))


@each_plugin
def test_a_plugin_has_its_page_and_the_page_every_option(kind: str, name: str, module: str) -> None:
    from cloudkitty_like.plugin import load_class

    page = (ROOT / "doc" / "source" / kind / f"{name}.rst").read_text(encoding="utf-8")
    options = [option.name for option in load_class(kind, name).OPTS]
    assert not options or f"[{kind}_{name}]" in page
    assert [option for option in options if option not in page] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_plugin_file_is_declared(kind: str) -> None:
    # A file in a kind's folder is a plugin, or is imported by one and starts with what it is part of.
    declared = {name for other, name, _ in plugins() if other == kind}
    files = {path.stem for path in (PACKAGE / kind).glob("*.py") if path.stem != "__init__"}
    assert [name for name in sorted(files - declared) if name.partition("_")[0] not in declared] == []


# --- what the user reads ------------------------------------------------------------------------

def texts() -> list[Path]:
    # What the first command of the README leaves behind is no part of the tree either.
    left_out = re.compile(r"\.(?!ci$)|__pycache__$|build$|.*\.egg-info$|cloudkitty-like-state$")
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not left_out.match(name)]
        found += [Path(folder) / name for name in files
                  if name.endswith((".py", ".rst", ".cfg", ".ini", ".toml", ".yml", ".csv", ".conf")) or name == "run"]
    return found


def test_the_tree_speaks_of_no_machine() -> None:
    places = re.compile(r"(?<![\w.])/(work|home|root|tmp|opt/(venv|wheels|pypi))/")
    assert {f"{path.relative_to(ROOT)}: {match[0]}" for path in texts()
            for match in places.finditer(path.read_text(encoding="utf-8"))} == set()


def readme_commands() -> list[str]:
    return re.findall(r"^    (python3 -m venv .*)$", (ROOT / "README.rst").read_text(encoding="utf-8"), re.MULTILINE)


def test_two_commands_set_it_up_and_ci_runs_both() -> None:
    commands = readme_commands()
    assert len(commands) == 2
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [command for command in commands if command not in script] == []
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


# --- what it costs to start ---------------------------------------------------------------------

def test_the_rule_arithmetic_loads_the_standard_library_only() -> None:
    code = ("import sys; before = set(sys.modules)\n"
            "import cloudkitty_like.rating.hashmap.tariff\n"
            "print(*{name.partition('.')[0] for name in set(sys.modules) - before})")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) - set(sys.stdlib_module_names) == {"cloudkitty_like"}


def test_help_answers_at_once() -> None:
    # The child's own CPU time: what else this machine does must not count.
    command = [Path(sys.executable).with_name("cloudkitty-like"), "--help"]
    seconds = []
    for _ in range(5):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        seconds.append(usage.ru_utime + usage.ru_stime)
    assert min(seconds) < 0.5


# --- the linters --------------------------------------------------------------------------------

LINTERS = {
    "layers": ["lint-imports", "--config", "setup.cfg", "--no-cache"],
    "style": ["ruff", "check", "--no-cache", "."],
    "types": ["mypy"],
    "documentation": ["sphinx-build", "-q", "-W", "--keep-going", "-n", "-E", "-b", "html", "doc/source"],
}


@pytest.mark.lint
@pytest.mark.parametrize("what", LINTERS)
def test_is_clean(what: str, tmp_path: Path) -> None:
    program, *arguments = LINTERS[what]
    path = Path(sys.executable).with_name(program)
    if not path.exists():
        missing = f"{program} is not installed: pip install -e '.[test,docs]'"
        if os.environ.get("REQUIRE_SERVERS"):
            pytest.fail(missing)
        pytest.skip(missing)
    if what == "documentation":
        arguments.append(str(tmp_path))
    run = subprocess.run([path, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
