"""Running a worker in the foreground: signals, logging, progress, and a quick end."""
from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, TypeVar

from cloudkitty_like import __version__
from cloudkitty_like.cli import streams
from cloudkitty_like.domain.errors import Invalid, Refused, Unavailable
from cloudkitty_like.domain.hole import sentences
from cloudkitty_like.domain.period import Period, instant
from cloudkitty_like.domain.query import Query
from cloudkitty_like.domain.text import counted

if TYPE_CHECKING:
    from oslo_config import cfg

    from cloudkitty_like.app import App

LOG = logging.getLogger(__name__)
T = TypeVar("T")
BAR = 30
INTERRUPTED = 130
STOP_SECONDS = 8.0      # to end in when told to stop, so that all is over in ten
LAST_WORDS_SECONDS = 0.5
LEVELS = {"alembic": logging.WARNING, "sqlalchemy.pool": logging.CRITICAL}
"""The pool tells a traceback of each connection that broke; who uses it tells what that means."""


def log_to_stderr(debug: bool, level: int = logging.INFO) -> None:
    """Messages with time and level; those of libraries only from WARNING on."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING,
                        format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("cloudkitty_like").setLevel(logging.DEBUG if debug else level)
    for name, quiet in LEVELS.items():
        logging.getLogger(name).setLevel(quiet)


def log_as_configured(conf: cfg.ConfigOpts, debug: bool) -> None:
    """As a daemon of OpenStack: by oslo.log's options in [DEFAULT]; without any of them to standard error."""
    from oslo_config.cfg import Error
    from oslo_log import log

    try:
        if debug:
            conf.set_override("debug", True)
        if not (conf.log_file or conf.log_dir or conf.use_journal):
            conf.set_override("use_stderr", True)
        conf.set_default("default_log_levels", [*log.get_default_log_levels(), *(
            f"{name}={logging.getLevelName(level)}" for name, level in LEVELS.items())])
        log.setup(conf, "cloudkitty_like", __version__)
    except OSError as error:
        raise Invalid(f"[DEFAULT] log_file, log_dir: {error.filename}: {error.strerror}") from None
    except (Error, log.LogConfigError) as error:
        raise Invalid(f"[DEFAULT] {error}".replace("\n", " ")) from None
    conf.log_opt_values(logging.getLogger(__name__), logging.DEBUG)      # secrets among them as ***


@contextmanager
def stopping(code: int = 0, seconds: float = STOP_SECONDS) -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set.

    Where the block has not ended so many seconds later the process ends, with ``code``: a
    database, a source or a disk that hangs is not waited for.  What was not published then is
    still due.
    """
    stop, ended = threading.Event(), threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    def watch() -> None:
        with reader:
            if not _signalled(reader):
                return
            stop.set()
            if not ended.wait(seconds):
                # Standard error may be what hangs.
                threading.Timer(LAST_WORDS_SECONDS, os._exit, [code]).start()
                LOG.error("told to stop %g s ago, and something does not answer: it is not waited for", seconds)
                leave(code)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    # Python runs the handler above when the main thread is back from what it waits for; this is told at once.
    woken = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=watch, name="stop", daemon=True).start()
    try:
        yield stop
    finally:
        ended.set()
        signal.set_wakeup_fd(woken)
        writer.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _signalled(reader: socket.socket) -> bool:
    """Wait for a signal that says to stop; False where the other end is closed before."""
    while numbers := reader.recv(64):
        if {signal.SIGTERM, signal.SIGINT}.intersection(numbers):
            return True
    return False


def awaited(make: Callable[[], T], stop: threading.Event, pause: float) -> T | None:
    """What ``make`` returns, tried until the systems that it needs answer; None where told to stop before.

    :raises Error: when something is wrong that does not pass by itself.
    """
    failed_at: float | None = None
    while not stop.is_set():
        try:
            value = make()
        except Refused:
            raise
        except Unavailable as error:
            failure = str(error).replace("\n", "; ")
        else:
            if failed_at is not None:
                LOG.info("all that is needed answers after %.0f s", monotonic() - failed_at)
            return value
        # Behind the handler: oslo.log adds to a line the error that is being handled.
        if failed_at is None:
            failed_at = monotonic()
            LOG.warning("%s; waiting for it", failure)
        stop.wait(pause)
    return None


def leave(code: int) -> NoReturn:
    """End the process at once: a request that still waits for the source is not waited for."""
    logging.shutdown()
    os._exit(streams.exit_code(code))


class ProgressLine:
    """A bar on a terminal, a line now and then elsewhere."""

    def __init__(self, window: Period) -> None:
        self._window, self._shown, self._periods = window, monotonic(), 0
        self._terminal = sys.stderr.isatty()

    def __call__(self, period: Period, scopes: int) -> None:
        self._periods += scopes
        pause = 0.1 if self._terminal else 10.0
        if monotonic() - self._shown < pause and period.end < self._window.end:
            return
        self._shown = monotonic()
        share = min(max((period.end - self._window.begin) / self._window.length, 0.0), 1.0)
        bar = "#" * round(share * BAR)
        text = f"[{bar:<{BAR}}] {share:4.0%}  {instant(period.end)}  {counted(self._periods, 'period')}"
        if self._terminal:
            print(f"\r{text}", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr)

    @property
    def rated(self) -> int:
        """How many scopes' periods were rated."""
        return self._periods

    def close(self) -> None:
        if self._terminal and self._periods:
            print(file=sys.stderr)


def warn_without_scopes(scopes: int, app: App) -> None:
    """Say so where the fetcher has found none: nothing will be rated then."""
    if not scopes:
        print(f"cloudkitty-like: warning: no scopes: nothing in the source has a label {app.conf.collect.scope_key!r}",
              file=sys.stderr)


def _data_begins(app: App, window: Period) -> datetime:
    """Where rating can begin in the window: before the source's data no scope could ever get on."""
    first = app.collector.begins(app.metrics.metrics, window)
    if first is None:
        raise Unavailable(f"the source has no data from {window}", hint="nothing was rated, and nothing was changed")
    begin = Period.containing(first, app.period).begin
    if begin > window.begin:
        print(f"cloudkitty-like: the source's data begins at {instant(first)}: "
              "rating begins with that period.", file=sys.stderr)
    return begin


def backfill(app: App, begin: datetime, end: datetime) -> int:
    """Rate what is not rated yet between two instants; 1 where a scope could not be, 130 where it was stopped."""
    from cloudkitty_like.orchestrator import assembly
    from cloudkitty_like.service.operation.backfill import ends, failures, idle, prepare

    progress = ProgressLine(Period(begin, end))
    with stopping(INTERRUPTED) as stop:
        worker = assembly.worker(app, stop, until=end, progressed=progress)
        with worker.heartbeat:
            worker.settle()                # before anything is changed
            warn_without_scopes(worker.discover(), app)
            first = _data_begins(app, Period(begin, end))
            prepare(app.database, app.use_cases.scopes, first, author=app.author)
            worker.drain()
        progress.close()
        if stop.is_set():
            print("Stopped. What was rated is kept; the same command goes on from there.", file=sys.stderr)
            return INTERRUPTED
        if not progress.rated:
            print(f"Nothing was rated: {idle(app.database, begin, end)}.", file=sys.stderr)
        ended = ends(app.database)
        if ended is not None and ended < end - app.period:
            print(f"cloudkitty-like: the source ends at {instant(ended)}: what was used after that is not known.",
                  file=sys.stderr)
        query = Query(scopes=None, period=Period(begin, end))
        for line in sentences(app.use_cases.holes.of_query(query)):
            print(f"cloudkitty-like: warning: not rated: {line}", file=sys.stderr)
        left = failures(app.database, end)
        for identifier, message in left:
            print(f"scope {identifier!r}: {message}", file=sys.stderr)
        return 1 if left else 0
