"""What a caller's patience is told to."""
from __future__ import annotations

import threading

import pytest

from cloudkitty_like.domain import patience


def test_without_a_limit_patience_has_no_end():
    patience.check()


def test_the_caller_within_decides_and_only_for_its_thread():
    with patience.limited(lambda: True):
        with patience.limited(lambda: False):
            patience.check()
        with pytest.raises(patience.PatienceEnd):
            patience.check()
        raised = []
        thread = threading.Thread(target=lambda: raised.append(patience.check()))
        thread.start()
        thread.join()
        assert raised == [None]
    patience.check()
