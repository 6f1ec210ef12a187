"""A command that is called in a process that goes on leaves its logging as it was."""
from __future__ import annotations

import logging
import sys
import warnings

import pytest

from cloudkitty_like.cli.logging_state import logger_states, restored
from tests.cli.small import Site
from tests.process_state import ProcessState


def test_i8_t1_what_is_set_up_meanwhile_is_undone() -> None:
    before, shows = ProcessState.now(), warnings.showwarning
    with restored():
        logging.basicConfig(stream=sys.stderr, level=logging.DEBUG, force=True)
        logging.getLogger("cloudkitty_like").setLevel(logging.CRITICAL)
        logging.getLogger("cloudkitty_like").propagate = False
        logging.disable(logging.ERROR)
        logging.captureWarnings(capture=True)
        sys.excepthook = print
        assert before.changes(ProcessState.now())
    assert before.changes(ProcessState.now()) == []
    assert warnings.showwarning is shows


def test_i8_t1_handlers_that_were_there_stay_in_use() -> None:
    handler = logging.NullHandler()
    logger = logging.getLogger("cloudkitty_like.test_logging_state")
    logger.addHandler(handler)
    states = logger_states()
    with restored():
        logger.removeHandler(handler)
    assert logger.handlers == [handler]
    assert logger_states() == states
    logger.removeHandler(handler)


@pytest.mark.parametrize("arguments", [
    ("rate", "--begin", "2026-10-01", "--end", "2026-10-02"), ("reprocess", "list"), ("config", "sample"),
    ("report", "--debug"), ("status",),
])
def test_i8_t1_a_command_leaves_this_process_as_it_was(site: Site, arguments: tuple[str, ...]) -> None:
    site.prepared()
    before = ProcessState.now()
    site.here(*arguments)
    assert before.changes(ProcessState.now()) == []
