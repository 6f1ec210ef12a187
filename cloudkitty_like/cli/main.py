"""The command ``cloudkitty-like``: finds the sub-command, the configuration, and says what went wrong.

Each sub-command is a module beside this one with ``arguments(parser)`` and
``run(args, app)``; it is imported only when it is the one that was asked for.
"""
from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cloudkitty_like import __version__
from cloudkitty_like.domain.errors import Error

if TYPE_CHECKING:
    from cloudkitty_like.app import App

PROGRAM = "cloudkitty-like"
STATE = Path("cloudkitty-like-state")
STATE_CONFIG = "cloudkitty-like.conf"
COMMANDS = {
    "standalone": "rate a Prometheus, or a sample month, all in one process with its state in one directory",
    "processor": "rate what is due, for ever: the daemon",
    "rate": "rate a stretch of the past now, and stop",
    "report": "what was used and what it costs",
    "scopes": "list scopes, their progress and their errors; reset, activate, retry, accept-empty",
    "rules": "apply, export and list hashmap rules",
    "modules": "list, enable, disable and order rating modules",
    "dbsync": "bring the state database to this version",
    "config": "print a sample configuration",
    "status": "is everything reachable, migrated and alive?",
}


class Parser(argparse.ArgumentParser):
    """Wrong arguments are one line on stderr and exit 1, as every other wrong input."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"{self.prog}: error: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    args = _parsed(list(sys.argv[1:] if argv is None else argv))
    try:
        return _run(args)
    except Error as error:
        if args.debug:
            raise
        for line in str(error).splitlines() or [repr(error)]:
            print(f"{PROGRAM}: error: {line}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if args.debug:
            raise
        print(f"{PROGRAM}: internal error: {type(error).__name__}: {error}", file=sys.stderr)
        print("hint: run it again with --debug for the traceback, and report it", file=sys.stderr)
        return 1


def _run(args: argparse.Namespace) -> int:
    app = None
    try:
        module: Any = args.module
        if hasattr(module, "prepare"):
            module.prepare(args)               # may write the configuration that is read next
        app = _app(args)
        return int(module.run(args, app))
    finally:
        if app is not None:
            app.close()


def _parsed(argv: list[str]) -> argparse.Namespace:
    listing = "\n".join(f"  {name:<12} {text}" for name, text in COMMANDS.items())
    top = Parser(prog=PROGRAM, usage=f"{PROGRAM} [options] COMMAND [...]",
                 description="Rating for clouds: exact, explainable prices of what was used.",
                 epilog=f"commands:\n{listing}\n\n'{PROGRAM} COMMAND --help' says more about each.",
                 formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    _shared(top, default=None)
    top.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    top.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    first = top.parse_args(argv)
    module = importlib.import_module(f"cloudkitty_like.cli.{first.command}")
    parser = Parser(prog=f"{PROGRAM} {first.command}", description=COMMANDS[first.command])
    _shared(parser, default=argparse.SUPPRESS)
    module.arguments(parser)
    del first.__dict__["rest"]
    args = parser.parse_args(first_rest(argv, first.command), namespace=first)
    args.module = module
    return args


def first_rest(argv: Sequence[str], command: str) -> list[str]:
    """What stands behind the command."""
    return list(argv[list(argv).index(command) + 1:])


def _shared(parser: argparse.ArgumentParser, default: Any) -> None:
    many: Any = [] if default is None else default
    parser.add_argument("--config-file", action="append", metavar="FILE", default=many,
                        help="configuration file; may be given several times")
    parser.add_argument("--config-dir", action="append", metavar="DIR", default=many,
                        help="directory of configuration files")
    parser.add_argument("--state", metavar="DIR", default=default, type=Path,
                        help="state directory of a standalone installation, instead of a configuration file")
    parser.add_argument("--debug", action="store_true", default=False if default is None else default,
                        help="show tracebacks and debug messages")


def _app(args: argparse.Namespace) -> App:
    from cloudkitty_like.app import DEFAULT_CONFIG, App, read_configuration

    files = list(args.config_file)
    if not files and not args.config_dir:
        state = args.state or (STATE if not DEFAULT_CONFIG.exists() else None)
        if state is not None and (args.state or (state / STATE_CONFIG).exists()):
            files.append(str(state / STATE_CONFIG))
    return App(read_configuration(files, args.config_dir))


if __name__ == "__main__":
    sys.exit(main())
