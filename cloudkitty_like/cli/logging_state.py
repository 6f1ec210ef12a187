"""The process's logging, put back as it was before a command ran.

A command sets logging up as for a process of its own.  A caller of ``main()`` that goes on
afterwards keeps its own handlers and levels, and none of a stream that is closed by then.
"""
from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class LoggerState:
    """What can be set of one logger."""

    level: int
    handlers: tuple[logging.Handler, ...]
    propagate: bool
    disabled: bool


def loggers() -> dict[str, logging.Logger]:
    """Every logger of the process by name, the root logger as ``root``."""
    named = {name: logger for name, logger in logging.root.manager.loggerDict.items()
             if isinstance(logger, logging.Logger)}
    return {**named, "root": logging.root}


def logger_states() -> dict[str, LoggerState]:
    """The state of every logger, by name."""
    return {name: LoggerState(logger.level, tuple(logger.handlers), logger.propagate, logger.disabled)
            for name, logger in loggers().items()}


OURS = "cloudkitty_like"
UNTOUCHED = LoggerState(logging.NOTSET, (), propagate=True, disabled=False)
"""A logger that nobody has set up."""


@contextmanager
def restored() -> Iterator[None]:
    """Put back all loggers, the threshold of all, captured warnings and the hook for uncaught errors.

    A logger that a library made meanwhile keeps what the library set at its import.
    """
    states, threshold, hook = logger_states(), logging.root.manager.disable, sys.excepthook
    shows_warnings = warnings.showwarning
    try:
        yield
    finally:
        for name, logger in loggers().items():
            if state := states.get(name, UNTOUCHED if name == OURS else None):
                _set(logger, state)
        logging.disable(threshold)
        if warnings.showwarning is not shows_warnings:
            logging.captureWarnings(False)
        sys.excepthook = hook


def _set(logger: logging.Logger, state: LoggerState) -> None:
    """Make the logger's state this one; a library's NullHandler, made at its import, stays."""
    for handler in list(logger.handlers):
        if handler not in state.handlers and not isinstance(handler, logging.NullHandler):
            logger.removeHandler(handler)
            handler.close()
    for handler in state.handlers:
        logger.addHandler(handler)
    logger.setLevel(state.level)
    logger.propagate, logger.disabled = state.propagate, state.disabled
