"""Which values of a configuration cannot be read, and why, in words of ours.

oslo.config reads a value when somebody asks for it, and raises then: all are
asked for at the start instead, so that everything wrong is said at once.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping

from oslo_config import cfg


def unreadable(conf: cfg.ConfigOpts, groups: Mapping[str, Iterable[cfg.Opt]]) -> list[str]:
    """One line for each option whose value is not of its type or out of its range."""
    problems = []
    for group, opts in groups.items():
        for opt in opts:
            try:
                conf[group][opt.dest]
            except (cfg.Error, ValueError) as error:
                problems.append(f"[{group}] {opt.dest}: {reason(str(error))}")
    return problems


def reason(text: str) -> str:
    """What oslo.config says is wrong with a value, without where it stands, which the caller says better."""
    said = text.rpartition(" is not valid: ")[2]
    for python, plain in (("invalid literal for int() with base 10: ", "not a whole number: "),
                          ("could not convert string to float: ", "not a number: ")):
        said = said.replace(python, plain)
    return said.replace("\n", " ")
