"""``processor``: the daemon."""
from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from cloudkitty_like.cli.announcement import announce
from cloudkitty_like.cli.working import leave, log_as_configured, stopping

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
        worker = app.worker(stop)
        announce(app)
        if args.once:
            worker.pulse.daemon = False        # who comes now and then is not missed when it has gone
        with worker.pulse:
            worker.drain() if args.once else worker.run()
    app.close()
    leave(0)
    return 0


def _supervise(args: argparse.Namespace, app: App, workers: int) -> int:
    """As many processes as asked for, each a ``processor`` of one worker; one that dies is started again."""
    import subprocess
    import sys

    from cloudkitty_like.app import WORKING

    app.check(*WORKING)
    app.close()
    command = [sys.executable, "-m", "cloudkitty_like", *_configuration(args), "processor", "--workers", "1",
               *(["--once"] if args.once else []), *(["--debug"] if args.debug else [])]
    with stopping() as stop:
        children = [subprocess.Popen(command) for _ in range(workers)]
        while not stop.wait(0.5) and not (args.once and all(child.poll() is not None for child in children)):
            for number, child in enumerate(children):
                if child.poll() is None or args.once:
                    continue
                LOG.error("worker %d ended with code %d and is started again", child.pid, child.returncode)
                if not stop.wait(PAUSE):       # one that cannot start must not be started in a tight ring
                    children[number] = subprocess.Popen(command)
        for child in children:
            child.terminate()
        codes = [child.wait() for child in children]
    return 0 if stop.is_set() or not any(codes) else 1


def _configuration(args: argparse.Namespace) -> list[str]:
    return [
        *(f"--config-file={name}" for name in args.config_file),
        *(f"--config-dir={name}" for name in args.config_dir),
        *([f"--state={args.state}"] if args.state else []),
    ]
