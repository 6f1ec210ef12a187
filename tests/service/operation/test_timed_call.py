"""A call that hangs keeps nobody, and nobody is kept behind it."""
from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudkitty_like.domain.errors import Conflict, Unavailable
from cloudkitty_like.service.operation.timed_call import TimedCall


def test_what_is_returned_or_raised_in_time_is_passed_on() -> None:
    assert TimedCall(lambda: 7, 5)() == 7

    def wrong() -> None:
        raise Conflict("no")

    with pytest.raises(Conflict, match="no"):
        TimedCall(wrong, 5)()


def test_i8_b4_one_that_hangs_is_not_waited_for_and_never_called_twice_at_a_time() -> None:
    goes_on, calls = threading.Event(), []

    def hang() -> int:
        calls.append(1)
        goes_on.wait(30)
        return len(calls)

    call = TimedCall(hang, 0.2)
    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        for answer in [threads.submit(call) for _ in range(8)]:
            with pytest.raises(Unavailable, match=r"no answer within 0\.2 s"):
                answer.result(10)
    assert time.monotonic() - began < 5
    assert calls == [1]
    goes_on.set()
