"""The command ``cloudkitty-like``: finds the sub-command, the configuration, and says what went wrong.

Each sub-command is a module beside this one with ``arguments(parser)`` and
``run(args, app)``; it is imported only when it is the one that was asked for.
"""
from __future__ import annotations

import argparse
import importlib
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudkitty_like import __version__
from cloudkitty_like.cli import streams
from cloudkitty_like.cli.logging_state import restored
from cloudkitty_like.cli.parser import Parser, refusal
from cloudkitty_like.cli.state_directory import CONFIG, PROGRAM, STATE, check_name, check_place
from cloudkitty_like.domain.errors import Error, Invalid, NotFound
from cloudkitty_like.domain.exhaustion import exhausted
from cloudkitty_like.domain.text import alternatives

if TYPE_CHECKING:
    from cloudkitty_like.app import App, Part

NEEDS: dict[str, tuple[Part, ...]] = {
    "report": ("schema",), "rules": ("schema",), "scripts": ("schema",), "modules": ("schema",),
    "explain": ("schema", "metrics"), "quote": ("schema", "metrics"), "whatif": ("schema", "metrics"),
    "scopes": ("schema", "ledger"),        # its periods have to be those of the ledger
    "reprocess": ("schema", "ledger"), "history": ("schema",), "purge": ("schema", "ledger", "storage"),
    "backup": ("schema",),
}
"""What has to be right before a command can do anything; those that rate look at more."""

READERS = ("report", "explain", "quote", "whatif", "history", "config", "status")
"""Those that change nothing, and so have nothing more to do where nobody takes what they print."""

WITHOUT_CONFIGURATION = ("restore",)
"""Those that make an installation, and do not ask one."""

DAEMONS = ("processor", "api")
SPELLING = ("standalone", "processor", "rate", "status")
"""Those that say what in a configuration nobody reads."""

UNHURRIED = ("dbsync", "purge", "backup", "restore")
"""Those that may take as long as they take, whatever the database does meanwhile."""

ANSWERED = ("processor", "rate", "api", "status")
"""Those that wait for no answer of the database longer than the configuration says."""

COMMANDS = {
    "standalone": "rate a Prometheus, or a sample month, all in one process with its state in one directory",
    "processor": "rate what is due, for ever: the daemon",
    "rate": "rate a stretch of the past now, and stop",
    "api": "serve the REST API",
    "report": "what was used and what it costs",
    "explain": "why points cost what they cost: the rules behind each price, and what each of them did",
    "quote": "what something would cost",
    "whatif": "what the usage of some time would cost by other rules",
    "scopes": "list scopes, their progress and their errors; reset, activate, retry, accept-empty",
    "reprocess": "rate the past again: start, list, show, cancel, undo",
    "history": "who changed what, when and why: rules and ledger",
    "purge": "forget old points, with a dry run; totals stay",
    "backup": "write the ledger, its configuration and the files that this names into one archive",
    "restore": "make a state directory of such an archive",
    "rules": "apply, export and list hashmap rules",
    "scripts": "test, add, list, show, end and delete rating scripts",
    "metrics": "check a metrics.yml; accept and show the definitions that hold for all workers",
    "modules": "list, enable, disable and order rating modules",
    "dbsync": "bring the state database to this version",
    "config": "print a sample configuration",
    "status": "is everything reachable, migrated and alive?",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; logging is left as it was.

    It is :data:`cloudkitty_like.cli.streams.CLOSED_PIPE` where all went well but the reader of the output has gone.
    """
    with restored(), streams.guarded():
        try:
            args = _parsed(list(sys.argv[1:] if argv is None else argv))
            code = streams.exit_code(_command(args))
        except SystemExit as leaving:          # argparse's way to end
            raise SystemExit(streams.exit_code(leaving.code if isinstance(leaving.code, int) else 0)) from None
        if code == 1 and (lost := streams.lost_output()):
            print(f"{PROGRAM}: error: {lost}", file=sys.stderr)
            if args.command not in READERS:
                print("hint: the command has done its work all the same", file=sys.stderr)
        return code


def _command(args: argparse.Namespace) -> int:
    """Run the command; its exit code, whatever becomes of its output."""
    if args.command in READERS:
        streams.end_with_output()
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
    except streams.OutputLost:
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if args.debug:
            raise
        _say_unexpected(error)
        return 1


def _say_unexpected(error: Exception) -> None:
    """Say which limit of the process was reached; what is none of them is a defect."""
    limit = exhausted(error)
    if limit is not None:
        print(f"{PROGRAM}: error: {limit}", file=sys.stderr)
        return
    print(f"{PROGRAM}: internal error: {type(error).__name__}: {error}", file=sys.stderr)
    print("hint: run it again with --debug for the traceback, and report it", file=sys.stderr)


def _run(args: argparse.Namespace) -> int:
    app = None
    try:
        module: Any = args.module
        if hasattr(module, "prepare"):
            module.prepare(args)               # may write the configuration that is read next
        app = None if args.command in WITHOUT_CONFIGURATION else _app(args)
        _let_interrupts_raise()
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
    top.add_argument("command", metavar="COMMAND", help="one of those below")
    top.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    for argument in argv:
        if any("\ud800" <= character <= "\udfff" for character in argument):     # Python's stand-ins for other bytes
            top.error(f"{argument!r} is not text in UTF-8")
    first = top.parse_args(argv)
    if first.command not in COMMANDS:
        top.error(_unknown(first.command))
    module = importlib.import_module(f"cloudkitty_like.cli.{first.command}")
    parser = Parser(prog=f"{PROGRAM} {first.command}", description=COMMANDS[first.command])
    module.arguments(parser)
    _shared(parser.add_argument_group("options of every command"), default=argparse.SUPPRESS)
    # Behind the command they may stand anywhere, also behind its action.
    shared = Parser(prog=parser.prog, add_help=False, allow_abbrev=False)
    _shared(shared, default=argparse.SUPPRESS)
    _, rest = shared.parse_known_args(first.__dict__.pop("rest"), namespace=first)
    args = parser.parse_args(rest, namespace=first)
    args.module = module
    return args


def _unknown(word: str) -> str:
    """Say that there is no such command, and which command, or action of a command, may be meant."""
    places = [f"'{command} {word}'" for command in COMMANDS if word in _actions(command)]
    if places:
        return f"there is no command {word!r}; did you mean {alternatives(places)}?"
    return refusal(word, COMMANDS, "command ")


def _actions(command: str) -> set[str]:
    """The names of a command's actions, as ``list`` of ``scopes list``; none where it has no actions."""
    parser = argparse.ArgumentParser()
    importlib.import_module(f"cloudkitty_like.cli.{command}").arguments(parser)
    return {name for action in parser._actions if isinstance(action, argparse._SubParsersAction)
            for name in action.choices}


def _let_interrupts_raise() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt, so that what is open is closed; see ``__main__``."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _shared(parser: argparse._ActionsContainer, default: Any) -> None:
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
    """The installation that the arguments name, or else the one of this host or of this directory."""
    from cloudkitty_like.app import App, read_configuration

    needs = NEEDS.get(args.command, ())
    conf = read_configuration(_files(args), args.config_dir, logs=args.command in DAEMONS)
    if args.command in SPELLING:
        from cloudkitty_like.cli.config_warnings import doubts

        for doubt in doubts(conf):
            print(f"{PROGRAM}: warning: {doubt}", file=sys.stderr)
    app = App(conf)
    # The whole ledger is worked out again for --verify.  standalone begins with a migration, and sets limits itself.
    if args.command not in (*UNHURRIED, "standalone") and not getattr(args, "verify", False):
        app.limit_database(answers=args.command in ANSWERED)
    app.check(*needs)
    return app


def _files(args: argparse.Namespace) -> list[str]:
    from cloudkitty_like.app import DEFAULT_CONFIG

    if args.state and (args.config_file or args.config_dir):
        raise Invalid("--state: a state directory has its own configuration; give either it or --config-file")
    if args.config_file or args.config_dir:
        for name in args.config_file:
            if Path(name).name == CONFIG:
                check_place(Path(name).parent)
        return list(args.config_file)
    path = (args.state or STATE) / CONFIG
    if args.state and not path.exists():
        raise NotFound(f"--state: {args.state} is no state directory: it holds no {CONFIG}",
                       hint=f"make it so: {PROGRAM} standalone --state {args.state} ...")
    if path.exists() and (args.state or not DEFAULT_CONFIG.exists()):
        check_name(path.parent)
        check_place(path.parent)
        return [str(path)]
    return []


if __name__ == "__main__":
    sys.exit(main())
