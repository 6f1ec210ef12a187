"""The configuration as one file of a state directory, with the files it names; for backups."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from oslo_config import cfg

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.service.operation.archive import fits

HERE = "$state_path"
METRICS = "metrics.yml"
LARGEST_FILE = 16 << 20  # bytes of a file that is taken along
SECRET = re.compile(r"(password|passwd|secret|secret_key|token|api_?key)$")
SECRET_FILE = re.compile(r"(htpasswd|users|password|token|secret)_?file$|^keyfile$|_key_?file$")
NOT_TAKEN = {"DEFAULT"}  # its files are logs
VARIABLE = re.compile(r"OS_([A-Z0-9_]+?)__([A-Z0-9_]+)")

ConfigSections = dict[str, dict[str, list[str]]]
"""Values as written, by group and option; an option may be there several times."""

Options = Iterable[tuple[str, list[cfg.Opt]]]
"""The options that a program declares, by group."""


@dataclass
class ConfigExport:
    """The options as they are to be written, the files that go along, and what does not."""

    sections: ConfigSections
    files: dict[str, Path] = field(default_factory=dict)  # by their names in the state directory
    without: list[str] = field(default_factory=list)  # secrets that were left out: [group] option
    left_out: list[str] = field(default_factory=list)  # files that were, and why
    verbatim: str | None = None  # the text of the only file, where nothing in it changes

    @property
    def text(self) -> str:
        """The configuration file."""
        if self.verbatim is not None:
            return self.verbatim
        return "".join(
            f"[{group}]\n"
            + "".join(
                f"{name} = {value}\n".replace("\n", "\n    ").rstrip() + "\n"
                for name, values in options.items()
                for value in values
            )
            + "\n"
            for group, options in self.sections.items()
            if options
        )


def config_export(
    conf: cfg.ConfigOpts, places: dict[tuple[str, str], str], options: Options, *, secrets: bool
) -> ConfigExport:
    """The configuration as it is to stand in another state directory.

    ``places``: values, as written into a file, of options that say where the state is kept.
    ``options``: every option that this program declares.
    ``secrets``: keep passwords, tokens and the files that hold them.
    """
    read, loadable = _files(conf), _loadable(options)
    result = ConfigExport({group: dict(options) for group, options in read.items()})
    for (group, name), value in _environment(loadable):
        result.sections.setdefault(group, {})[name] = [value]
    result.sections.get("DEFAULT", {}).pop(
        "state_path", None
    )  # from now on the directory of this file
    for (group, name), value in places.items():
        result.sections.setdefault(group, {})[name] = [value]
    if not secrets:
        _remove_secrets(result, loadable)
    _take_files(result, conf, secrets)
    names = [Path(name) for name in conf.config_file or ()]
    if len(names) == 1 and not conf.config_dir and result.sections == read:
        result.verbatim = names[0].read_text(encoding="utf-8")
    return result


def _files(conf: cfg.ConfigOpts) -> ConfigSections:
    """What all files say; a later one wins."""
    sections: ConfigSections = {}
    names = list(map(str, conf.config_file or ()))
    for directory in conf.config_dir or ():
        names += sorted(map(str, Path(directory).glob("*.conf")))
    for name in names:
        file_sections: ConfigSections = {}
        cfg.ConfigParser(name, file_sections).parse()
        for group, options in file_sections.items():
            sections.setdefault(group, {}).update(options)
    return sections


def _environment(options: Options) -> Iterator[tuple[tuple[str, str], str]]:
    """What variables of the environment say about options that are ours; they win over files."""
    names = {
        (group.upper(), opt.dest.upper()): (group, opt.dest)
        for group, opts in options
        for opt in opts
    }
    for variable, value in os.environ.items():
        if (match := VARIABLE.fullmatch(variable)) and match.groups() in names:
            yield names[match.group(1), match.group(2)], value


# --- secrets ------------------------------------------------------------------------------------


def _remove_secrets(result: ConfigExport, loadable: Options) -> None:
    secret = {(group, opt.dest) for group, opts in loadable for opt in opts if opt.secret}
    for group, options in result.sections.items():
        for name, values in list(options.items()):
            kept = [_without_password(value) for value in values]
            if kept != values:
                result.without.append(f"[{group}] {name}: the password in it")
                options[name] = kept
            elif ((group, name) in secret or SECRET.search(name)) and not all(
                "://" in value for value in values
            ):
                result.without.append(f"[{group}] {name}")
                del options[name]


def _loadable(options: Options) -> Sequence[tuple[str, list[cfg.Opt]]]:
    """Return the options up to the first plugin that cannot be loaded."""
    loadable: list[tuple[str, list[cfg.Opt]]] = []
    with suppress(Invalid):  # secrets are known by their names too
        loadable.extend(options)
    return loadable


def _without_password(value: str) -> str:
    """The value; where it is a URL with a password, without that."""
    try:
        parts = urlsplit(value)
        if "://" not in value or parts.password is None:
            return value
    except ValueError:
        return value
    user, _, host = parts.netloc.rpartition("@")
    return value.replace(parts.netloc, f"{user.partition(':')[0]}@{host}", 1)


# --- files --------------------------------------------------------------------------------------


def _take_files(result: ConfigExport, conf: cfg.ConfigOpts, secrets: bool) -> None:
    """Take along the files that options name, and let the options name them there."""
    home = Path(conf.state_path)
    metrics = Path(conf.collect.metrics_conf)
    if metrics.is_file() and not metrics.absolute().is_relative_to(home):
        result.files[METRICS] = metrics
        result.sections.setdefault("collect", {})["metrics_conf"] = [f"{HERE}/{METRICS}"]
    elif not metrics.is_file():
        result.left_out.append(f"[collect] metrics_conf: {metrics} is not there")
    for group, options in result.sections.items():
        for name, values in options.items():
            if (
                group in NOT_TAKEN
                or len(values) != 1
                or (values[0] == f"{HERE}/{METRICS}" and METRICS in result.files)
            ):
                continue
            path = Path(values[0].replace(HERE, str(home)).replace("$$", "$"))
            if path.is_absolute() and path.is_file():
                _take(result, group, name, path, home, secrets)
    policy = home / "policy.yaml"
    if policy.is_file() and "policy_file" not in result.sections.get("oslo_policy", {}):
        result.files.setdefault(policy.name, policy)


def _take(result: ConfigExport, group: str, name: str, path: Path, home: Path, secrets: bool) -> None:
    if SECRET_FILE.search(name) and not secrets:
        result.without.append(f"[{group}] {name}: the file {path}")
        return
    if path.stat().st_size > LARGEST_FILE:
        result.left_out.append(f"[{group}] {name}: {path} has {path.stat().st_size >> 20} MiB")
        return
    target = next((place for place, source in result.files.items() if source == path), None)
    if target is None:
        target = _name(path, home)
        number = 1
        while target in result.files:
            number += 1
            target = f"files/{number}-{path.name if fits(path.name) else 'file'}"
        result.files[target] = path
    result.sections[group][name] = [f"{HERE}/{target}"]


def _name(path: Path, home: Path) -> str:
    """Under which name a file goes along: as it is beside the configuration, or among ``files``."""
    if path.is_relative_to(home):
        beside = str(path.relative_to(home))
        if fits(beside):
            return beside
    return f"files/{path.name if fits(path.name) else 'file'}"
