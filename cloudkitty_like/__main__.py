"""``python -m cloudkitty_like`` and the command ``cloudkitty-like``."""
import signal
import sys


def main() -> int:
    """Run the command line and return its exit code.

    Until a command begins its work, Ctrl-C ends the process as the operating system does, without a traceback:
    while modules are loaded there is nothing yet to clean up.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:     # not where the shell has it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from cloudkitty_like.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
