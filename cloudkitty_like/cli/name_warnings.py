"""Warnings about names that do not fit together, on standard error: they never make a command fail."""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from cloudkitty_like.cli import output
from cloudkitty_like.cli.state_directory import PROGRAM
from cloudkitty_like.domain.errors import Error, Unavailable

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.domain.metric import Metric
    from cloudkitty_like.domain.rule import Rule
    from cloudkitty_like.ports import SourceNames
    from cloudkitty_like.service.operation.name_check import NameCheck

MOST = 20


def show(texts: Iterable[str]) -> None:
    """Print the first of these warnings, and how many more there are."""
    every = list(texts)
    for text in every[:MOST]:
        print(f"{PROGRAM}: warning: {output.printable(text)}", file=sys.stderr)
    if len(every) > MOST:
        print(f"{PROGRAM}: warning: {len(every) - MOST} more like these", file=sys.stderr)


def show_of_rules(app: App, rules: Iterable[Rule]) -> None:
    """Print what is odd about these rules."""
    show(_asked(lambda: check_of(app).of_rules(rules, _definitions(app))))


def show_of_installation(app: App, *, source: bool, rules: bool) -> None:
    """Print what is odd about metrics.yml beside the source and about the recorded rules, as far as each is wanted."""
    metrics = app.metrics.metrics
    if source:
        show(_asked(lambda: of_source(app, metrics)))
    if rules:
        show(_asked(lambda: check_of(app).of_stored_rules(metrics)))


def of_source(app: App, metrics: Sequence[Metric]) -> list[str]:
    """Return what is odd about these definitions beside what the source has.

    :raises Unavailable: when the source does not answer.
    """
    names = _source_names(app, metrics, labels=True)
    return [] if names is None else check_of(app).of_definitions(metrics, names)


def of_status(app: App, *, source: bool) -> list[str]:
    """Return what is odd about metrics.yml and the recorded rules, asking the source as little as possible, if at all.

    :raises Error: when metrics.yml or the database cannot be read.
    """
    metrics = app.metrics.metrics
    names = None
    if source:
        with suppress(Unavailable):
            names = _source_names(app, metrics, labels=False)
    return check_of(app).of_everything(metrics, names)


def check_of(app: App) -> NameCheck:
    """Return what compares the names of this installation."""
    return app.use_cases.name_check


def _source_names(app: App, metrics: Sequence[Metric], *, labels: bool) -> SourceNames | None:
    """Return what the source calls what it has; None where its collector cannot tell.

    :raises Unavailable: when the source does not answer.
    """
    ask = getattr(app.collector, "names", None)
    return None if ask is None else ask(metrics, labels)


def _definitions(app: App) -> Sequence[Metric] | None:
    """The metrics of metrics.yml; None where it cannot be read, which is no concern of who applies rules."""
    try:
        metrics: Sequence[Metric] = app.metrics.metrics
    except Error:
        return None
    return metrics


def _asked(look: Callable[[], list[str]]) -> list[str]:
    """What is odd; nothing where that cannot be told now, which others say better."""
    try:
        return look()
    except Error:
        return []
