"""``standalone``: everything in one process, its state in one directory."""
from __future__ import annotations

import argparse
import configparser
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from cloudkitty_like.cli.main import STATE, STATE_CONFIG
from cloudkitty_like.cli.working import backfill, leave, log_to_stderr, stopping
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import parse_instant

if TYPE_CHECKING:
    from cloudkitty_like.app import App

SAMPLE = Path(__file__).parent.parent / "sample"
SAMPLE_BEGIN, SAMPLE_END = "2026-10-01", "2026-11-01"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sample", action="store_true",
                        help="rate the month that ships with the package, print a report and stop")
    parser.add_argument("--prometheus", metavar="URL", help="where usage is read from")
    parser.add_argument("--scope-label", metavar="LABEL", help="the label that says whose usage it is")
    parser.add_argument("--metrics", metavar="FILE", type=Path, help="metrics.yml: what is measured")
    parser.add_argument("--rules", metavar="FILE", type=Path, help="hashmap rules to apply at the start")
    parser.add_argument("--period", metavar="SECONDS", type=int, help="length of a rating period (default: 3600)")
    parser.add_argument("--guard", metavar="SELECTOR",
                        help="a series that is there whenever the Prometheus works (default: up); '' for none")
    parser.add_argument("--once", action="store_true", help="stop when nothing more can be rated now, with a report")


def prepare(args: argparse.Namespace) -> None:
    """Write the state directory's configuration, from which every other command finds this installation."""
    if args.config_file or args.config_dir:
        raise Invalid("standalone keeps its configuration in its state directory: use --state DIR instead")
    args.state = args.state or STATE
    path = args.state / STATE_CONFIG
    given = _sample_settings() if args.sample else _settings(args)
    if not path.exists():
        _complete(args)
    args.state.mkdir(parents=True, exist_ok=True)
    settings = {
        "database": {"connection": f"sqlite:///{(args.state / 'cloudkitty-like.sqlite').absolute()}"},
        "orchestrator": {"coordination_url": f"file://{(args.state / 'locks').absolute()}"},
    } | given
    _update(path, settings)


def _complete(args: argparse.Namespace) -> None:
    """Invalid, naming all that is missing, where a new state directory cannot be set up."""
    if args.sample:
        return
    needed = {"--prometheus URL": args.prometheus, "--scope-label LABEL": args.scope_label,
              "--metrics FILE": args.metrics}
    missing = [option for option, value in needed.items() if not value]
    if missing:
        raise Invalid(f"a new state directory ({args.state}) needs {', '.join(missing)}",
                      hint="or try --sample, which needs nothing")


def _settings(args: argparse.Namespace) -> dict[str, dict[str, str]]:
    problems = [f"{option}: there is no file {path}" for option, path in
                (("--metrics", args.metrics), ("--rules", args.rules)) if path is not None and not path.is_file()]
    if args.prometheus is not None and not args.prometheus.startswith(("http://", "https://")):
        problems.append(f"--prometheus: {args.prometheus!r} is not an http:// or https:// URL")
    if args.period is not None and (args.period < 1 or 86400 % args.period):
        problems.append(f"--period: {args.period} seconds do not divide a day")
    if problems:
        raise Invalid(*problems)
    given: dict[str, dict[str, str]] = {"collect": {"collector": "prometheus"}, "fetcher": {"backend": "prometheus"}}
    collect, source, fetcher = given["collect"], {}, {}
    if args.prometheus:
        source["prometheus_url"] = fetcher["prometheus_url"] = args.prometheus
    if args.scope_label:
        collect["scope_key"] = fetcher["scope_attribute"] = args.scope_label
    if args.metrics:
        collect["metrics_conf"] = str(args.metrics.absolute())
    if args.period:
        collect["period"] = str(args.period)
    source["guard"] = "up" if args.guard is None else args.guard
    collect["wait_periods"] = "0"
    return given | {"collector_prometheus": source, "fetcher_prometheus": fetcher}


def _sample_settings() -> dict[str, dict[str, str]]:
    return {
        "collect": {"collector": "file", "metrics_conf": str(SAMPLE / "metrics.yml"), "scope_key": "project_id"},
        "fetcher": {"backend": "file"},
        "collector_file": {"path": str(SAMPLE / "usage.csv.gz")},
        "fetcher_file": {"path": str(SAMPLE / "usage.csv.gz")},
    }


def _update(path: Path, settings: dict[str, dict[str, str]]) -> None:
    """Set these options in the file; what else stands there stays."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path)
    for group, options in settings.items():
        if not parser.has_section(group):
            parser.add_section(group)
        for name, value in options.items():
            parser.set(group, name, value.replace("$", "$$"))
    with path.open("w") as file:
        parser.write(file)


def run(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.service.migration import upgrade

    log_to_stderr(args.debug, logging.WARNING if args.sample or args.once else logging.INFO)
    upgrade(app.database)
    rules = SAMPLE / "rules.yml" if args.sample else args.rules
    if rules is not None:
        _apply(rules, app)
    code = 0
    if args.sample:
        code = backfill(app, parse_instant(SAMPLE_BEGIN), parse_instant(SAMPLE_END))
    else:
        with stopping() as stop:
            worker = app.worker(stop)
            with worker.pulse:
                worker.drain() if args.once else worker.run()
    if args.sample or args.once:
        _report(args, app)
    app.close()
    leave(code)
    return code


def _report(args: argparse.Namespace, app: App) -> None:
    from cloudkitty_like.cli.report import show
    from cloudkitty_like.domain.query import METRIC, SCOPE, Query

    query = Query(groupby=(SCOPE, METRIC))
    show(query, app.summary.rows(query), "table")
    state = "" if args.state == STATE else f" --state {args.state}"
    print(f"\nAsk more of it: cloudkitty-like report{state} --by scope,day"
          f"\n                cloudkitty-like scopes list{state}")


def _apply(path: Path, app: App) -> None:
    """What ``rules apply`` does; before the first period is rated new rules hold from always."""
    from cloudkitty_like.cli import rules

    rules.run(argparse.Namespace(action="apply", file=str(path), effective=None, retroactive=False, dry_run=False,
                                 reason="standalone"), app)
