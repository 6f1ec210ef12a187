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
    wanted = window(args)
    aligned(wanted, app.period)
    if wanted.end > app.clock():
        raise Invalid(f"--end: {instant(wanted.end)} is in the future; only what is over can be rated")
    wait = app.conf.collect.wait_periods
    if wanted.end > app.clock() - wait * app.period:
        raise Invalid(f"--end: {instant(wanted.end)} is too recent: the source has {wait} periods' time to complete "
                      "a period before it is rated", hint="give an earlier --end, or lower [collect] wait_periods")
    warn_of_forgotten(app, wanted.begin)
    code = backfill(app, wanted.begin, wanted.end)
    app.close()
    return leave(code)
