"""The rules of the house that no linter knows, and the linters themselves."""
from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cloudkitty_like"
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.stat().st_size]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
KINDS = ("collector", "fetcher", "rating", "storage")
VAGUE = {"util", "utils", "common", "helper", "helpers", "manager", "base"}
Function = ast.FunctionDef | ast.AsyncFunctionDef

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
each_test = pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of an expression of names, '' of any other."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return ".".join([node.id, *parts]) if isinstance(node, ast.Name) else ""


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

@each_module
def test_a_module_fits_a_sitting(path: Path) -> None:
    # The tables are a list to look things up in, all on one page on purpose.
    assert path == PACKAGE / "db" / "tables.py" or len(path.read_text(encoding="utf-8").splitlines()) <= 300


@each_module
def test_a_function_fits_a_screen(path: Path) -> None:
    long = [f"{node.name}: {node.end_lineno - node.lineno + 1} lines" for node in ast.walk(tree(path))
            if isinstance(node, Function) and node.end_lineno and node.end_lineno - node.lineno >= 40]
    assert is_history(path) or long == []


@each_module
def test_a_call_has_at_most_seven_arguments(path: Path) -> None:
    many = []
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            if len([one for one in parameters if one.arg not in ("self", "cls")]) > 7:
                many.append(node.name)
    assert many == []


@each_module
def test_names_say_what_a_thing_is_for(path: Path) -> None:
    named = [*path.relative_to(PACKAGE).with_suffix("").parts,
             *(node.name for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef))]
    assert [name for name in named if words(name) & VAGUE] == []


@each_module
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(tree(path)), "no docstring"


# --- nothing reaches in from the side -----------------------------------------------------------

@each_module
def test_no_configuration_is_global(path: Path) -> None:
    assert not {name for name in names_used(path) if name.startswith(("cfg.CONF", "oslo_config.cfg.CONF"))}


@each_module
def test_only_app_knows_what_time_it_is(path: Path) -> None:
    clocks = re.compile(r"(.*\.)?(datetime|date)\.(now|utcnow|today)|time\.(time|time_ns|localtime|ctime)|.*\.utcnow")
    used = {name for name in names_used(path) if clocks.fullmatch(name)}
    assert path.relative_to(PACKAGE).parts[0] == "app" or used == set()


# What runs in a confined process of its own, to run an operator's script.
RUNS_SCRIPTS = {PACKAGE / "rating" / "pyscripts" / name for name in ("column_scripts.py", "point_scripts.py")}


@pytest.mark.parametrize("path", sorted({*MODULES, *TESTS} - RUNS_SCRIPTS),
                         ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_is_run_as_code(path: Path) -> None:
    assert names_used(path) & {"eval", "exec", "builtins.eval", "builtins.exec"} == set()


@each_test
def test_tests_use_no_mocks(path: Path) -> None:
    forbidden = ("unittest.mock", "mock.", "mocker", "monkeypatch.setattr", "monkeypatch.setitem")
    assert [name for name in names_used(path) if name.startswith(forbidden)] == []


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
