"""The state directory of a standalone installation: its configuration, from which every other command finds it."""
from __future__ import annotations

import argparse
import configparser
from pathlib import Path

from cloudkitty_like.cli.main import PROGRAM, STATE, STATE_CONFIG
from cloudkitty_like.domain.errors import Invalid

SAMPLE = Path(__file__).parent.parent / "sample"
DATABASE = "cloudkitty-like.sqlite"
WAIT_PERIODS = "1"      # what is scraped at the very end of a period arrives a moment after it
DAY_SECONDS = 86400

Settings = dict[str, dict[str, str]]


def prepare(args: argparse.Namespace) -> None:
    """Write what the arguments say into the state directory; what they do not say stays as it is.

    Invalid, with every reason at once, before anything is written.
    """
    if args.config_file or args.config_dir:
        raise Invalid("standalone keeps its configuration in its state directory: use --state DIR instead")
    args.state = args.state or STATE
    before = _read(args.state / STATE_CONFIG)
    given = _sample() if args.sample else _given(args)
    missing = _missing(args, before)
    problems = [*_problems(args), *missing, *_contradictions(args, before, given)]
    if problems:
        raise Invalid(*problems, hint="or try --sample, which needs nothing" if missing else "")
    if not before.sections() and not args.sample:
        given = _merged({"collect": {"wait_periods": WAIT_PERIODS}, "collector_prometheus": {"guard": "up"}}, given)
    place = {"database": {"connection": f"sqlite:///{(args.state / DATABASE).absolute()}"},
             "orchestrator": {"coordination_url": f"file://{(args.state / 'locks').absolute()}"}}
    if "auth_strategy" not in before.defaults():
        place["DEFAULT"] = {"auth_strategy": "noauth"}     # its API listens on this host alone
    _update(args.state / STATE_CONFIG, before, _merged(place, given))


def _read(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        text = str(error).replace("\n", " ")
        raise Invalid(f"{path}: {text}", hint=f"correct it, or run '{PROGRAM} processor', which does not write it"
                      ) from None
    return parser


def _update(path: Path, parser: configparser.ConfigParser, settings: Settings) -> None:
    """Set these options in the file, whose comments are lost only if there is something to change."""
    changed = False
    for group, options in settings.items():
        if group != parser.default_section and not parser.has_section(group):
            parser.add_section(group)
        for name, value in options.items():
            written = value.replace("$", "$$")         # oslo.config takes $name for another option's value
            changed |= parser.get(group, name, fallback=None) != written
            parser.set(group, name, written)
    if changed:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8") as file:
                parser.write(file)
        except OSError as error:
            raise Invalid(f"--state: {error.filename}: {error.strerror}") from None


def _merged(first: Settings, second: Settings) -> Settings:
    return {group: first.get(group, {}) | second.get(group, {}) for group in [*first, *second]}


# --- what the arguments say ------------------------------------------------------------------------


def _sample() -> Settings:
    usage = {"path": str(SAMPLE / "usage.csv.gz")}
    return {
        "collect": {"collector": "file", "metrics_conf": str(SAMPLE / "metrics.yml"), "scope_key": "project_id"},
        "fetcher": {"backend": "file"}, "collector_file": usage, "fetcher_file": usage,
    }


def _given(args: argparse.Namespace) -> Settings:
    settings: Settings = {}
    for value, places in (
        (args.prometheus, (("collector_prometheus", "prometheus_url"), ("fetcher_prometheus", "prometheus_url"))),
        (args.scope_label, (("collect", "scope_key"), ("fetcher_prometheus", "scope_attribute"))),
        (args.metrics and args.metrics.absolute(), (("collect", "metrics_conf"),)),
        (args.period, (("collect", "period"),)),
        (args.guard, (("collector_prometheus", "guard"),)),
    ):
        if value is not None:
            for group, name in places:
                settings.setdefault(group, {})[name] = str(value)
    if args.prometheus is not None:
        settings = _merged(settings, {"collect": {"collector": "prometheus"}, "fetcher": {"backend": "prometheus"}})
    return settings


# --- what is wrong with them -----------------------------------------------------------------------


def _problems(args: argparse.Namespace) -> list[str]:
    problems = [f"{option}: {path} is no file" for option, path in
                (("--metrics", args.metrics), ("--rules", args.rules)) if path is not None and not path.is_file()]
    if args.prometheus is not None and not args.prometheus.startswith(("http://", "https://")):
        problems.append(f"--prometheus: {args.prometheus!r} is not a URL of http:// or https://")
    if args.scope_label == "":
        problems.append("--scope-label: it is empty")
    if args.period is not None and (args.period < 1 or DAY_SECONDS % args.period):
        problems.append(f"--period: {args.period} seconds do not divide a day")
    return problems


def _missing(args: argparse.Namespace, before: configparser.ConfigParser) -> list[str]:
    """Whatever a new state directory cannot be set up without."""
    if args.sample:
        return []
    needed = (("--prometheus URL", args.prometheus, "collector_prometheus", "prometheus_url"),
              ("--scope-label LABEL", args.scope_label, "collect", "scope_key"),
              ("--metrics FILE", args.metrics, "collect", "metrics_conf"))
    has_another_source = before.get("collect", "collector", fallback="prometheus") != "prometheus"
    missing = [option for option, value, group, name in needed
               if value is None and not has_another_source and not before.has_option(group, name)]
    return [f"a new state directory ({args.state}) needs {', '.join(missing)}"] if missing else []


def _contradictions(args: argparse.Namespace, before: configparser.ConfigParser, given: Settings) -> list[str]:
    """What a directory that is in use already cannot become."""
    if args.sample:
        options = ("prometheus", "scope_label", "metrics", "rules", "period", "guard")
        problems = [f"--sample: it cannot be used together with --{name.replace('_', '-')}"
                    for name in options if getattr(args, name) is not None]
    else:
        problems = []
    if not (args.state / DATABASE).exists() or not before.sections():
        return problems
    is_sample = before.get("collector_file", "path", fallback="").endswith("/sample/usage.csv.gz")
    if is_sample != args.sample:
        holds = "the sample month" if is_sample else "another ledger than the sample's"
        return [*problems, f"--state: {args.state} holds {holds}; name another directory"]
    for option, name, default in (("--period", "period", "3600"), ("--scope-label", "scope_key", "project_id")):
        old = before.get("collect", name, fallback=default)
        new = given.get("collect", {}).get(name, old)
        if new != old:
            problems.append(f"{option}: {new} does not fit {args.state}, whose ledger was begun with {old}; "
                            f"name another directory with --state")
    return problems
