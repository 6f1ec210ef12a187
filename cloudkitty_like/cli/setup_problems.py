"""What is wrong with the arguments of ``standalone``, by themselves and for their directory."""

from __future__ import annotations

import argparse
import configparser

from cloudkitty_like.cli import state_directory
from cloudkitty_like.cli.state_directory import OptionValues

DAY_SECONDS = 86400
SOURCE = (
    "prometheus",
    "prometheus_user",
    "prometheus_password_file",
    "prometheus_token_file",
    "prometheus_ca",
    "scope_label",
    "file",
    "metrics",
    "rules",
    "period",
    "guard",
)
FILES = (
    "file",
    "metrics",
    "rules",
    "prometheus_password_file",
    "prometheus_token_file",
    "prometheus_ca",
)


def wrong_values(args: argparse.Namespace) -> list[str]:
    """One line for each argument that cannot be."""
    problems = [
        f"--{name.replace('_', '-')}: {path} is no file"
        for name in FILES
        if (path := getattr(args, name)) is not None and not path.is_file()
    ]
    if args.prometheus is not None:
        from cloudkitty_like.client.prometheus_options import url_problems

        # Looked at here, before it is written anywhere: it may hold a password.
        problems += [
            f"--prometheus: {problem.removeprefix('prometheus_url: ')}"
            for problem in url_problems(args.prometheus)
        ]
    if args.scope_label == "":
        problems.append("--scope-label: it is empty")
    if args.period is not None and (args.period < 1 or DAY_SECONDS % args.period):
        problems.append(f"--period: {args.period} seconds do not divide a day")
    return problems


def missing(args: argparse.Namespace, before: configparser.ConfigParser) -> list[str]:
    """Whatever a new state directory cannot be set up without."""
    if args.sample:
        return []
    needed = [
        ("--prometheus URL", args.prometheus, "collector_prometheus", "prometheus_url"),
        ("--scope-label LABEL", args.scope_label, "collect", "scope_key"),
        ("--metrics FILE", args.metrics, "collect", "metrics_conf"),
    ]
    if args.file is not None:
        needed = needed[
            -1:
        ]  # a file says by its header where scopes are named, by default project_id
    has_another_source = before.get("collect", "collector", fallback="prometheus") != "prometheus"
    absent = [
        option
        for option, value, group, name in needed
        if value is None and not has_another_source and not before.has_option(group, name)
    ]
    return [f"a new state directory ({args.state}) needs {', '.join(absent)}"] if absent else []


def contradictions(
    args: argparse.Namespace, before: configparser.ConfigParser, settings: OptionValues
) -> list[str]:
    """What a directory in use cannot become, and options that exclude each other."""
    problems = []
    if args.sample:
        problems = [
            f"--sample: it cannot be used together with --{name.replace('_', '-')}"
            for name in SOURCE
            if getattr(args, name) is not None
        ]
    elif args.file is not None:
        problems = [
            f"--file: it cannot be used together with --{name.replace('_', '-')}"
            for name in (*SOURCE[:5], "guard")
            if getattr(args, name) is not None
        ]
    if not (args.state / state_directory.DATABASE).exists() or not before.sections():
        return problems
    is_sample = before.get("collector_file", "path", fallback="").endswith("/sample/usage.csv.gz")
    if is_sample != args.sample:
        holds = "the sample month" if is_sample else "another ledger than the sample's"
        return [*problems, f"--state: {args.state} holds {holds}; name another directory"]
    for option, name, default in (
        ("--period", "period", "3600"),
        ("--scope-label", "scope_key", "project_id"),
    ):
        old = before.get("collect", name, fallback=default)
        new = settings.get("collect", {}).get(name, old)
        if new != old:
            problems.append(
                f"{option}: {new} does not fit {args.state}, whose ledger was begun with {old}; "
                f"name another directory with --state"
            )
    return problems
