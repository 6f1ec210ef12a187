"""``rate``: a backfill, in the foreground."""
from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cloudkitty_like.cli.arguments import add_window, aligned, window
from cloudkitty_like.cli.foreground import backfill, leave, log_to_stderr
from cloudkitty_like.cli.source_retention import warn_of_forgotten
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.period import instant

if TYPE_CHECKING:
    from cloudkitty_like.app import App


def arguments(parser: argparse.ArgumentParser) -> None:
    add_window(parser, required=True)


def run(args: argparse.Namespace, app: App) -> int:
    import logging

    log_to_stderr(args.debug, logging.WARNING)
    period = window(args)
    aligned(period, app.period)
    if period.end > app.clock():
        raise Invalid(f"--end: {instant(period.end)} is in the future; "
                      "only what is over can be rated")
    wait = app.conf.collect.wait_periods
    if period.end > app.clock() - wait * app.period:
        raise Invalid(f"--end: {instant(period.end)} is too recent: "
                      f"the source has {wait} periods' time to complete "
                      "a period before it is rated",
                      hint="give an earlier --end, or lower [collect] wait_periods")
    warn_of_forgotten(app, period.begin)
    code = backfill(app, period.begin, period.end)
    app.close()
    return leave(code)
