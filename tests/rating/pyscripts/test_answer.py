"""What is made of a script's answer, and which of its numbers are refused."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.rating.pyscripts.answer import ErrorContext, frames_after
from cloudkitty_like.rating.pyscripts.answer_stream import FrameResult

HOUR = Period.starting(datetime(2026, 3, 1, 10, tzinfo=UTC), timedelta(hours=1))
PLACE = ErrorContext("night", "p", "project_id", HOUR)
USAGE = [Frame.of_usage("compute", "h", HOUR, [Decimal(1), Decimal(2)], {"id": ["a", "b"]})]
REFUSED = ["1E-61", "-9.99E-61", "1E-300000000", "-1E-300000000", "0E+300000000", "0E-300000000", "0E+19",
           "0E-1001", "1E-999999999999999999"]
ACCEPTED = ["1E-60", "-1E-60", "0E-72", "0E-1000", "0E+18", "0", "-0", "3." + "3" * 59 + "E-5", "1." + "1" * 900,
            "999999999999999", "1E+14"]


def priced(*texts):
    return frames_after(PLACE, USAGE, [FrameResult(0, list(texts))])[0].price


def counted(text):
    (frame,) = frames_after(PLACE, USAGE, [FrameResult(metric="compute", points=[("h", text, "1", {"id": "a"}, {})])])
    return frame.qty[0]


@pytest.mark.parametrize("text", REFUSED)
def test_i8_b2_a_price_of_such_an_exponent_is_refused_and_named(text):
    for texts in ((text, "1"), (text, None)):
        with pytest.raises(Invalid, match=r"out of range: its exponent is .*not from -60 to 18") as caught:
            priced(*texts)
        assert str(caught.value).startswith(f"script 'night', metric 'compute', point 1 (id=a): its price is {text}")
        assert len(str(caught.value)) < 250


@pytest.mark.parametrize("text", REFUSED)
def test_i8_b2_a_quantity_of_such_an_exponent_is_refused_and_named(text):
    with pytest.raises(Invalid, match=r"script 'night', metric 'compute', point 1.*its quantity is .*exponent"):
        counted(text)


@pytest.mark.parametrize("text", ACCEPTED)
def test_i8_b2_what_honest_scripts_come_to_is_accepted(text):
    assert priced(text, "1") == (Decimal(text), 1)
    assert priced(text, None) == (Decimal(text), None)
    assert counted(text) == Decimal(text).quantize(Decimal("1E-12"))


def test_i8_b2_an_error_shows_a_number_short():
    with pytest.raises(Invalid) as caught:
        priced("0." + "1" * 900 + "E-70", "1")
    assert len(str(caught.value)) < 250
