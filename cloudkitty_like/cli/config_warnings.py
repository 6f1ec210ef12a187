"""Options and groups of configuration files that nobody reads: a typo must not be silently the default.

They are warned of, not refused: a file may be shared with another program.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from oslo_config import cfg

from cloudkitty_like.cli.config import list_opts
from cloudkitty_like.domain.errors import Invalid

ALIKE = 0.8         # a group that resembles one of ours less than this belongs to somebody else

SectionTexts = dict[str, dict[str, list[str]]]


def doubts(conf: cfg.ConfigOpts) -> list[str]:
    """One line for each option of our groups, and each group with a name like ours, that is not known."""
    try:
        option_names = {group: _names(opts) for group, opts in list_opts()}
    except Invalid:
        return []           # a plugin that cannot be loaded: told where it is used
    lines = []
    for path in _files(conf):
        for group, options in _sections(path).items():
            if group == "DEFAULT":
                continue            # everybody's: of the libraries we use and of those we do not
            if group in option_names:
                lines += [f"{path}: [{group}] {doubt}"
                          for doubt in _unknown(options, option_names[group])]
            elif close := get_close_matches(group, option_names, 1, ALIKE):
                lines.append(f"{path}: there is no group [{group}]; did you mean [{close[0]}]?")
    return lines


def _names(opts: Iterable[cfg.Opt]) -> set[str]:
    names = {name for opt in opts for name in (opt.name, opt.dest, *(old.name for old in opt.deprecated_opts))}
    return {name.replace("-", "_") for name in names if name}


def _unknown(options: Iterable[str], names: set[str]) -> Iterator[str]:
    for option in options:
        if option.replace("-", "_") not in names:
            close = get_close_matches(option, names, 1)
            hint = f"did you mean {close[0]}?" if close else "it is ignored"
            yield f"{option}: there is no such option; {hint}"


def _files(conf: cfg.ConfigOpts) -> Iterator[str]:
    yield from conf.config_file or ()
    for directory in conf.config_dir or ():
        yield from sorted(map(str, Path(directory).glob("*.conf")))


def _sections(path: str) -> SectionTexts:
    sections: SectionTexts = {}
    cfg.ConfigParser(path, sections).parse()
    return sections
