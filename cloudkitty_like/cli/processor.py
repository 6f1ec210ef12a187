"""``processor``: the daemon."""
from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import threading
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from cloudkitty_like.cli.announcement import announce
from cloudkitty_like.cli.foreground import STOP_SECONDS, awaited, leave, log_as_configured, stopping

if TYPE_CHECKING:
    from cloudkitty_like.app import App

LOG = logging.getLogger(__name__)
PAUSE = 1.0             # seconds before a worker that has ended is started again


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, metavar="N",
                        help="number of worker processes, instead of [orchestrator] max_workers")
    parser.add_argument("--once", action="store_true", help="stop when nothing more can be rated now")


def run(args: argparse.Namespace, app: App) -> int:
    from cloudkitty_like.domain.errors import Invalid

    log_as_configured(app.conf, args.debug)
    workers = app.conf.orchestrator.max_workers if args.workers is None else args.workers
    if workers < 1:
        raise Invalid(f"--workers: {workers} is not a number of processes")
    if workers > 1:
        return _supervise(args, app, workers)
    with stopping() as stop:
        from cloudkitty_like.orchestrator import assembly

        worker = assembly.worker(app, stop) if args.once else awaited(
            lambda: assembly.worker(app, stop), stop, app.conf.orchestrator.poll_interval)
        if worker is not None:
            announce(app)
            if args.once:
                worker.heartbeat.daemon = False        # who comes now and then is not missed when it has gone
            with worker.heartbeat:
                worker.drain() if args.once else worker.run()
        app.close()
    return leave(0)


def _supervise(args: argparse.Namespace, app: App, workers: int) -> int:
    """As many processes as asked for, each a ``processor`` of one worker; one that dies is started again."""
    command = [sys.executable, "-m", "cloudkitty_like", *_configuration(args), "processor", "--workers", "1",
               *(["--once"] if args.once else []), *(["--debug"] if args.debug else [])]
    with stopping(seconds=STOP_SECONDS + 2 * PAUSE) as stop:
        if not _right(args, app, stop):
            return 0
        children = [subprocess.Popen(command) for _ in range(workers)]
        while not stop.wait(0.5) and not (args.once and all(child.poll() is not None for child in children)):
            for number, child in enumerate(children):
                if child.poll() is None or args.once:
                    continue
                LOG.error("worker %d ended with code %d and is started again", child.pid, child.returncode)
                if not stop.wait(PAUSE):       # one that cannot start must not be started in a tight ring
                    children[number] = subprocess.Popen(command)
        codes = _ended(children)
    return 0 if stop.is_set() or not any(codes) else 1


def _right(args: argparse.Namespace, app: App, stop: threading.Event) -> bool:
    """Whether workers can start: nothing is wrong with the configuration, and what they need answers.

    False where told to stop before that.
    """
    from cloudkitty_like.app import WORKING

    def check() -> bool:
        app.check(*WORKING)
        return True

    if args.once:
        check()
    elif not awaited(check, stop, app.conf.orchestrator.poll_interval):
        return False
    app.close()
    return True


def _ended(children: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """Tell the workers to stop; their exit codes.  What does not end by itself in time is killed."""
    for child in children:
        child.terminate()
    last = monotonic() + STOP_SECONDS + PAUSE
    for child in children:
        try:
            child.wait(max(0.0, last - monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
    return [child.wait() for child in children]


def _configuration(args: argparse.Namespace) -> list[str]:
    return [
        *(f"--config-file={name}" for name in args.config_file),
        *(f"--config-dir={name}" for name in args.config_dir),
        *([f"--state={args.state}"] if args.state else []),
    ]
