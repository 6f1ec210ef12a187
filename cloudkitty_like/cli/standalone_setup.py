"""What the arguments of ``standalone`` make of a state directory."""

from __future__ import annotations

import argparse
import configparser
import os
from collections.abc import Mapping
from pathlib import Path

from cloudkitty_like.cli import state_directory
from cloudkitty_like.cli.setup_problems import contradictions, missing, wrong_values
from cloudkitty_like.cli.state_directory import (
    HERE,
    METRICS,
    PROGRAM,
    STATE,
    OptionValues,
    literal,
    merged,
)
from cloudkitty_like.domain.errors import Error, Invalid

SAMPLE = Path(__file__).parent.parent / "sample"
SAMPLE_FILES = (METRICS, "usage.csv.gz", "rules.yml")
WAIT_PERIODS = "1"  # what is scraped at the very end of a period arrives a moment after it
HOST = "127.0.0.1"
PROMETHEUS = ("collector_prometheus", "fetcher_prometheus")


def prepare(args: argparse.Namespace) -> None:
    """Write what the arguments say into the state directory; what they do not say stays as it is.

    :raises Error: when anything is wrong with them, with every reason, before it writes anything.
    """
    if args.config_file or args.config_dir:
        raise Invalid(
            "standalone keeps its configuration in its state directory: use --state DIR instead"
        )
    args.state = args.state or STATE
    state_directory.check_name(args.state)
    before = state_directory.read(args.state / state_directory.CONFIG)
    if args.relocate:
        if not before.sections():
            raise Invalid(
                f"--relocate: {args.state} is no state directory: it holds no {state_directory.CONFIG}"
            )
        settings, copies = state_directory.relocated(before, args.state, SAMPLE)
    else:
        state_directory.check_place(args.state)
        settings, copies = _wanted(args, before)
        _check(args, before, _from_sources(settings, copies))
    after = state_directory.changed(before, settings)
    state_directory.copy(args.state, copies)
    if after is not None:
        state_directory.write(args.state, after)


def _wanted(
    args: argparse.Namespace, before: configparser.ConfigParser
) -> tuple[OptionValues, dict[str, Path]]:
    """The settings to be written, and which files are copied to where in the directory."""
    settings = _sample() if args.sample else _given(args)
    absent = missing(args, before)
    problems = [*wrong_values(args), *absent, *contradictions(args, before, settings)]
    if problems:
        raise Invalid(*problems, hint="or try --sample, which needs nothing" if absent else "")
    copies = {METRICS: args.metrics} if args.metrics is not None else {}
    if args.sample:
        copies = {f"sample/{name}": SAMPLE / name for name in SAMPLE_FILES}
    elif not before.sections():
        settings = merged(
            {
                "collect": {"wait_periods": WAIT_PERIODS},
                **({} if args.file else {"collector_prometheus": {"guard": "up"}}),
            },
            settings,
        )
    place = state_directory.own_places()
    if before.has_option("database", "connection") and not _is_own(before, args.state):
        del place["database"]  # somebody has put it elsewhere
    if before.has_option("orchestrator", "coordination_url") and "database" not in place:
        del place["orchestrator"]
    if "auth_strategy" not in before.defaults():
        place["DEFAULT"] = {"auth_strategy": "noauth"}  # its API listens on this host alone
    return merged(place, settings), copies


def _is_own(before: configparser.ConfigParser, directory: Path) -> bool:
    """Whether the database is the one that ``standalone`` makes, under whichever of its names."""
    connection = before.get("database", "connection").replace("$$", "$")
    return (
        connection == state_directory.own_places()["database"]["connection"]
        or state_directory.former_place(before, directory) is not None
        or connection == f"sqlite:///{directory.absolute() / state_directory.DATABASE}"
    )


# --- what the arguments say ---------------------------------------------------------------------


def _sample() -> OptionValues:
    usage = {"path": f"{HERE}/sample/usage.csv.gz"}
    return {
        "collect": {
            "collector": "file",
            "metrics_conf": f"{HERE}/sample/{METRICS}",
            "scope_key": "project_id",
        },
        "fetcher": {"backend": "file"},
        "collector_file": {**usage},
        "fetcher_file": {**usage},
    }


def _given(args: argparse.Namespace) -> OptionValues:
    settings: OptionValues = {}
    for value, groups, name in (
        (args.prometheus, PROMETHEUS, "prometheus_url"),
        (args.prometheus_user, PROMETHEUS, "prometheus_user"),
        (_absolute(args.prometheus_password_file), PROMETHEUS, "prometheus_password_file"),
        (_absolute(args.prometheus_token_file), PROMETHEUS, "bearer_token_file"),
        (_absolute(args.prometheus_ca), PROMETHEUS, "cafile"),
        (args.scope_label, ("collect",), "scope_key"),
        (args.scope_label, PROMETHEUS[1:], "scope_attribute"),
        (args.period, ("collect",), "period"),
        (args.guard, PROMETHEUS[:1], "guard"),
        (_absolute(args.file), ("collector_file", "fetcher_file"), "path"),
    ):
        if value is not None:
            for group in groups:
                settings.setdefault(group, {})[name] = literal(value)
    if args.metrics is not None:
        settings.setdefault("collect", {})["metrics_conf"] = f"{HERE}/{METRICS}"
    for option, plugin in ((args.prometheus, "prometheus"), (args.file, "file")):
        if option is not None:
            settings = merged(
                settings, {"collect": {"collector": plugin}, "fetcher": {"backend": plugin}}
            )
    return merged(_replaced_secrets(args), settings)


def _replaced_secrets(args: argparse.Namespace) -> OptionValues:
    """The options of another way to authenticate than the one that is asked for now: they go."""
    gone: list[str] = []
    if args.prometheus_token_file is not None:
        gone = [
            "prometheus_user",
            "prometheus_password",
            "prometheus_password_file",
            "bearer_token",
        ]
    elif args.prometheus_user is not None or args.prometheus_password_file is not None:
        gone = ["bearer_token", "bearer_token_file"]
        gone += ["prometheus_password"] if args.prometheus_password_file is not None else []
    return {group: dict.fromkeys(gone) for group in PROMETHEUS} if gone else {}


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


# --- trying it before it is written -------------------------------------------------------------


def _from_sources(settings: OptionValues, copies: Mapping[str, Path]) -> OptionValues:
    """The settings with the files that are to be copied, where these are now."""
    names = {f"{HERE}/{name}": literal(path.absolute()) for name, path in copies.items()}
    return {
        group: {name: names.get(value or "", value) for name, value in options.items()}
        for group, options in settings.items()
    }


def _check(args: argparse.Namespace, before: configparser.ConfigParser, settings: OptionValues) -> None:
    """Load all that the configuration would name, from memory: nothing refused is written."""
    from cloudkitty_like.app import App, read_configuration
    from cloudkitty_like.cli.rules import read
    from cloudkitty_like.service.hashmap.file import parse

    problems, hints = list[str](), list[str]()
    descriptor = os.memfd_create("cloudkitty-like.conf")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        (state_directory.changed(before, settings) or before).write(file)
        file.flush()
        conf = read_configuration([f"/proc/self/fd/{descriptor}"], state_path=args.state)
    try:
        App(conf).check("fetcher", "collector", "metrics", "storage")
    except Error as error:
        problems += str(error).splitlines()
        hints.append(error.hint)
    try:
        if args.rules is not None:
            parse(read(str(args.rules)), str(args.rules))
    except Invalid as error:
        problems += error.problems
    if problems:
        raise Invalid(*problems, hint="; ".join(filter(None, hints)))
    if args.port and not args.once and not args.sample:
        _try_port(args.port)


def _try_port(port: int) -> None:
    from cloudkitty_like.api.server import ServerAddress

    where = ServerAddress(HOST, port, 1, 1, 0)
    where.check()
    try:
        where.try_address()
    except Error as error:
        raise type(error)(
            f"--port: {error}",
            hint=f"another program answers there, perhaps '{PROGRAM} api' or another "
            "standalone; name another port with --port, or 0 for none",
        ) from None
