"""``purge``: forget points that are old.  Totals stay."""
from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from cloudkitty_like.cli.arguments import moment
from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.domain.period import instant
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from cloudkitty_like.app import App
    from cloudkitty_like.domain.retention import RetentionExtent
    from cloudkitty_like.service.ledger.retention import Retention


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--superseded-before", type=moment, metavar="TIME",
                        help="points of revisions that were superseded before this instant")
    parser.add_argument("--rated-before", type=moment, metavar="TIME",
                        help="points of all revisions of periods that ended up to this instant, current ones too")
    parser.add_argument("--keep-file-size", action="store_true",
                        help="do not write a SQLite file anew without what is forgotten; writers wait for that")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and forget nothing")
    parser.add_argument("--yes", action="store_true", help="do it: points that are forgotten are gone")


def run(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.domain.retention import RetentionBounds

    retention = app.use_cases.retention
    bounds = RetentionBounds(args.superseded_before, args.rated_before)
    extent = retention.extent(bounds)
    if args.dry_run:
        _print(extent)
        print("Nothing was forgotten: a dry run.")
        return 0
    if not args.yes:
        raise Invalid("say --yes to forget for good, or --dry-run to see what would go")
    done = retention.purge(bounds, author=app.author, progressed=_progressed)
    _print(extent)
    print(f"The points of {counted(done, 'revision')} are forgotten; their totals are kept.")
    if not args.keep_file_size:
        _make_smaller(retention)
    return 0


def _make_smaller(retention: Retention) -> None:
    """Let files of databases shrink; where that cannot be, what was freed is used again for new points."""
    try:
        for sizes in retention.compact():
            print(f"The database file has shrunk from {_megabytes(sizes.before)} to {_megabytes(sizes.after)}.")
    except Unavailable as error:
        print(f"cloudkitty-like: warning: the database file has not shrunk, and what is free in it is used again: "
              f"{error}", file=sys.stderr)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _print(extent: RetentionExtent) -> None:
    print(f"{counted(extent.revisions, 'revision')}, {extent.current} of them current, with "
          f"{counted(extent.points, 'point')} of {counted(extent.scopes, 'scope')}"
          + (f", in periods from {instant(extent.first)} to {instant(extent.last)}." if extent.first and extent.last
             else "."))


def _progressed(revisions: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{counted(revisions, 'revision')}", end="", file=sys.stderr, flush=True)
