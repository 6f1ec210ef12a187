"""What a test must leave as it was, since other tests run in the same process after it."""
from __future__ import annotations

import logging
import os
import signal
import sys
from dataclasses import dataclass

from cloudkitty_like.cli.logging_state import loggers

OF_PYTEST = ("PYTEST_CURRENT_TEST",)


@dataclass(frozen=True)
class ProcessState:
    """Logging, signals, environment and working directory of this process."""

    logging: dict[str, tuple[object, ...]]
    threshold: int
    excepthook: object
    signals: dict[int, object]
    environment: dict[str, str]
    directory: str

    @classmethod
    def now(cls) -> ProcessState:
        return cls(
            {name: _of_logger(logger) for name, logger in loggers().items()}, logging.root.manager.disable,
            sys.excepthook, {number: signal.getsignal(number) for number in signal.valid_signals()},
            {name: value for name, value in os.environ.items() if name not in OF_PYTEST}, os.getcwd())

    def changes(self, later: ProcessState) -> list[str]:
        """One line for each thing that is different later; a logger made since then is its library's affair."""
        lines = [f"{title}: {before!r} became {after!r}" for title, before, after in (
            ("logging's threshold", self.threshold, later.threshold),
            ("sys.excepthook", self.excepthook, later.excepthook),
            ("the working directory", self.directory, later.directory)) if before != after]
        same_loggers = {name: state for name, state in later.logging.items() if name in self.logging}
        for title, before, after in (
                ("logger", self.logging, same_loggers), ("signal", self.signals, later.signals),
                ("environment", self.environment, later.environment)):
            lines += [f"{title} {key}: {before.get(key)!r} became {after.get(key)!r}"
                      for key in sorted({*before, *after}, key=str) if before.get(key) != after.get(key)]
        return lines


def _of_logger(logger: logging.Logger) -> tuple[object, ...]:
    """Level, handlers and switches of a logger, without pytest's own handlers and those that do nothing."""
    handlers = [handler for handler in logger.handlers
                if not isinstance(handler, logging.NullHandler) and not type(handler).__module__.startswith("_pytest")]
    return logger.level, handlers, logger.propagate, logger.disabled
