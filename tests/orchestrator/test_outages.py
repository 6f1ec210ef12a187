"""One cause is one line in the log when it begins, and one when it is over."""
from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from cloudkitty_like.orchestrator.outages import Outages, cause, lasted


class Log:
    """Outages on a clock that a test moves, and what they have logged."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "cloudkitty_like")
        self._caplog, self.now = caplog, datetime(2026, 11, 1, tzinfo=UTC)
        self.outages = Outages(lambda: self.now)

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self._caplog.records]


@pytest.fixture
def log(caplog):
    return Log(caplog)


def test_i8_m12_a_cause_is_told_once_however_many_suffer_however_often(log):
    for _ in range(20):
        for who in ("loop", "heartbeat"):
            log.outages.begin(who, "nothing can be rated", "the database is away")
    log.outages.end("loop")
    log.outages.end("nobody")
    log.now += timedelta(minutes=12)
    log.outages.end("heartbeat")
    log.outages.end("heartbeat")
    assert log.lines == ["nothing can be rated: the database is away",
                         "over after 12 min: nothing can be rated: the database is away"]
    log.outages.begin("loop", "nothing can be rated", "the database is away")
    assert len(log.lines) == 3                         # it is another outage


def test_i8_m12_another_cause_is_another_line(log):
    log.outages.begin("loop", "nothing can be rated", "no module a")
    log.outages.begin("loop", "nothing can be rated", "no module b")
    assert log.lines == ["nothing can be rated: no module a", "nothing can be rated: no module b",
                         "over after 0 s: nothing can be rated: no module a"]
    log.outages.forget("loop")
    assert len(log.lines) == 3


def test_times_and_addresses_in_memory_make_no_other_cause():
    first = cause("no answer about 2026-11-01T10:00:00Z from <connection at 0x7f12ab>\nhint")
    assert first == cause("no answer about 2026-11-02T11:00:00.5Z from <connection at 0x7fffff>")
    assert first != cause("no answer about 2026-11-01T10:00:00Z from elsewhere")


@pytest.mark.parametrize(("seconds", "said"),
                         [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (-5, "0 s"),
                                               (172800, "2 d")])
def test_how_long_it_lasted(seconds, said):
    assert lasted(timedelta(seconds=seconds)) == said
