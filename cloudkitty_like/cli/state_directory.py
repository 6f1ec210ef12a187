"""A state directory: an installation that holds all it needs; it may be moved and copied.

Its configuration names what lies beside it by ``$state_path``, which oslo.config
replaces by the directory in which the configuration is found.
"""

from __future__ import annotations

import configparser
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cloudkitty_like.domain.errors import Conflict, Invalid

PROGRAM = "cloudkitty-like"
STATE = Path("cloudkitty-like-state")
CONFIG = "cloudkitty-like.conf"
DATABASE = "cloudkitty-like.sqlite"
METRICS = "metrics.yml"
LOCKS = "locks"
HERE = "$state_path"
UNFIT = "$?#%"  # of these at least one library makes something else, in a path or a URL
SECRET_MODE = 0o600  # a configuration may hold passwords

OptionValues = dict[str, dict[str, str | None]]
"""Values of options by group and name, as written into a file; None: it is removed."""


def own_places() -> OptionValues:
    """Where a state directory keeps its database and its locks."""
    return {
        "database": {"connection": f"sqlite:///{HERE}/{DATABASE}"},
        "orchestrator": {"coordination_url": f"file://{HERE}/{LOCKS}"},
    }


def literal(value: object) -> str:
    """The text of a value in which oslo.config is to replace nothing."""
    return str(value).replace("$", "$$")


def merged(first: OptionValues, second: OptionValues) -> OptionValues:
    """Both; of an option that both have the second's value."""
    return {group: first.get(group, {}) | second.get(group, {}) for group in [*first, *second]}


# --- the configuration --------------------------------------------------------------------------


def read(path: Path) -> configparser.ConfigParser:
    """The configuration file; an empty one where there is none.

    :raises Invalid: when it cannot be read.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        text = str(error).replace("\n", " ")
        raise Invalid(
            f"{path}: {text}",
            hint=f"correct it, or run '{PROGRAM} processor', which does not write it",
        ) from None
    return parser


def changed(
    before: configparser.ConfigParser, settings: OptionValues
) -> configparser.ConfigParser | None:
    """The configuration with these settings; None where it has them already."""
    after = configparser.ConfigParser(interpolation=None)
    after.read_dict({before.default_section: before.defaults()})
    for group in before.sections():
        after.add_section(group)
        for name, value in before.items(group):
            if name not in before.defaults() or value != before.defaults()[name]:
                after.set(group, name, value)
    differs = False
    for group, options in settings.items():
        if group != after.default_section and not after.has_section(group):
            after.add_section(group)
        for name, new in options.items():
            old = after.get(group, name, fallback=None)
            differs |= old != new
            if new is None:
                after.remove_option(group, name)
            else:
                after.set(group, name, new)
    return after if differs else None


def write(directory: Path, parser: configparser.ConfigParser) -> None:
    """Put the configuration in the place of the one that is there, readable by its owner alone.

    :raises Invalid: when it cannot be written.
    """
    path = (directory / CONFIG).resolve()  # where it is a link, what that links to
    try:
        descriptor, name = tempfile.mkstemp(
            prefix=".", suffix=".conf", dir=path.parent
        )  # mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            parser.write(file)
        Path(name).replace(path)
    except OSError as error:
        raise Invalid(f"--state: {error.filename}: {error.strerror}") from None


def copy(directory: Path, copies: Mapping[str, Path]) -> None:
    """Make the directory, and in it copies of files, by their paths in it.

    :raises Invalid: when one cannot be read or written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, source in copies.items():
            target = directory / name
            if target.exists() and target.samefile(source):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.part")
            shutil.copyfile(source, part)
            part.replace(target)
    except OSError as error:
        raise Invalid(f"--state: {error.filename}: {error.strerror}") from None


# --- where it is, and where it was --------------------------------------------------------------


def check_name(directory: Path) -> None:
    """Refuse a path with a character that means something else in a configuration.

    :raises Invalid: when it has one.
    """
    if unfit := sorted(set(str(directory.absolute())) & set(UNFIT)):
        raise Invalid(
            f"--state: {directory.absolute()}: no state directory can have "
            f"{' or '.join(unfit)} in its path"
        )


def former_place(parser: configparser.ConfigParser, directory: Path) -> Path | None:
    """The directory whose database an earlier release has written there; None: there is none.

    Such releases wrote absolute paths, which still name the old place after a move or a copy.
    """
    connection = parser.get("database", "connection", fallback="").replace("$$", "$")
    locks = parser.get("orchestrator", "coordination_url", fallback="").replace("$$", "$")
    if not (connection.startswith("sqlite:////") and connection.endswith(f"/{DATABASE}")):
        return None
    place = Path(connection.removeprefix("sqlite:///")).parent
    if locks != f"file://{place}/{LOCKS}" or place == directory.absolute():
        return None
    try:
        return None if place.samefile(directory) else place
    except OSError:
        return place


def check_place(directory: Path) -> None:
    """Refuse a directory whose configuration would make commands work in another one.

    :raises Conflict: when it was moved or copied with the absolute paths of an earlier release,
        and there is a ledger in either place.
    """
    place = former_place(read(directory / CONFIG), directory)
    if place is None or not any((path / DATABASE).exists() for path in (place, directory)):
        return
    raise Conflict(
        f"--state: {directory} was moved or copied from {place}: its configuration still names "
        f"the database there",
        hint=f"to let it use what it holds itself, say so once: {PROGRAM} standalone --state "
        f"{directory} --relocate",
    )


def relocated(
    parser: configparser.ConfigParser, directory: Path, shipped: Path
) -> tuple[OptionValues, dict[str, Path]]:
    """Settings and files to copy that let a directory of an earlier release use what it holds.

    :raises Invalid: when a file that its configuration names is nowhere.
    """
    place = former_place(parser, directory)
    settings, copies, missing = own_places(), dict[str, Path](), list[str]()
    for group, name in (
        ("collect", "metrics_conf"),
        ("collector_file", "path"),
        ("fetcher_file", "path"),
    ):
        value = parser.get(group, name, fallback="").replace("$$", "$")
        path = Path(value)
        if not value.startswith("/"):
            continue
        if place is not None and path.is_relative_to(place):
            settings[group] = {name: f"{HERE}/{path.relative_to(place)}"}
        elif value.endswith((f"/sample/{METRICS}", "/sample/usage.csv.gz")):
            # The month that ships with the package, perhaps of an environment that is gone.
            settings[group] = {name: f"{HERE}/sample/{path.name}"}
            copies[f"sample/{path.name}"] = shipped / path.name
        elif name == "metrics_conf" and path.is_file():
            settings[group] = {name: f"{HERE}/{METRICS}"}
            copies[METRICS] = path
        elif not path.is_file():
            missing.append(
                f"[{group}] {name}: {path} is not there; name another in {directory / CONFIG}"
            )
    if missing:
        raise Invalid(*missing)
    return settings, copies
