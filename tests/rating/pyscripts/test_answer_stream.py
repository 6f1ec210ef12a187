"""An answer is refused for its shape while it is read, and costs little then."""
from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cloudkitty_like.domain import text
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.script import Script
from cloudkitty_like.rating.pyscripts import bounds
from cloudkitty_like.rating.pyscripts.answer_stream import AnswerReader, AnswerRefused
from cloudkitty_like.rating.pyscripts.bounds import FULL_BYTES, AnswerBounds
from cloudkitty_like.rating.pyscripts.sandbox import Confinement, Sandbox
from cloudkitty_like.rating.pyscripts.tariff import PyscriptsTariff

ROOT = Path(__file__).resolve().parents[3]
HOUR = Period.starting(datetime(2026, 3, 1, 10, tzinfo=UTC), timedelta(hours=1))
BOUNDS = AnswerBounds(points=20, labels=3, cells=30, message=1 << 20, total=1 << 21)


def taken(*answers):
    received = AnswerReader(BOUNDS)
    for answer in answers:
        ended = received.add(bytearray(json.dumps(answer).encode().ljust(FULL_BYTES)))
        assert ended is not answer.get("more", False)
    return received.answer


def point(**labels):
    return ["h", "1", None, labels, {}]


def test_messages_are_put_together_in_their_order():
    answer = taken({"more": True, "frames": [{"frame": 1, "price": ["1"]}, {"metric": "m", "points": [point(a="1")]}]},
                   {"more": True, "frames": [{"frame": 1, "price": ["2"]}, {"frame": 0, "price": []}]},
                   {"frames": [{"metric": "m", "points": [point(a="2")]}], "printed": "said"})
    assert [(one.frame, one.price) for one in answer.frames[:2]] == [(1, ["1", "2"]), (0, [])]
    assert [labels["a"] for _, _, _, labels, _ in answer.frames[2].points] == ["1", "2"]
    assert answer.printed == "said"


def test_of_a_script_that_fails_after_all_nothing_is_kept():
    answer = taken({"more": True, "frames": [{"frame": 0, "price": ["1"]}]}, {"failed": "no"})
    assert (answer.frames, answer.failed) == (None, "no")


@pytest.mark.parametrize(("frames", "why"), [
    ([{"frame": 0, "price": ["1"] * 21}], "more than 20 points"),
    ([{"frame": 0, "price": ["1"] * 11}, {"metric": "m", "points": [point()] * 10}], "more than 20 points"),
    ([{}] * 21, "more than 20 points"),
    ([{"metric": "m", "points": [point(a="", b="", c="", d="")]}], "more than 3 labels"),
    ([{"metric": "m", "points": [point(a="", b="", c="")] * 11}], "more than 30 labels"),
    ([{"metric": "m", "points": [point(a="x" * 4097)]}], "more than 4096 characters"),
])
def test_i8_b3_an_answer_is_refused_for_its_shape(frames, why):
    with pytest.raises(AnswerRefused, match=why):
        taken({"frames": frames})


def test_i8_b3_wide_letters_count_twice():
    received = AnswerReader(BOUNDS)
    received.add(bytearray(json.dumps({"more": True, "frames": [], "printed": "x" * FULL_BYTES}).encode()))
    narrow = received._bytes
    received.add(bytearray(json.dumps({"printed": "x" * FULL_BYTES + "\U0001f600"}).encode()))
    assert received._bytes > 2.9 * narrow


def test_a_label_of_an_answer_may_be_as_long_as_any():
    assert bounds.LONGEST_VALUE == text.LONGEST_VALUE


def test_bounds_grow_with_what_was_given():
    def of(points):
        return AnswerBounds.of_usage([("m", "h", ["1"] * points, [], [("a", ["x"], b"")], [])])

    assert (of(0).points, of(5000).points) == (1000, 51000)
    assert of(5000).cells - of(0).cells == 10 * 5000 * 2
    assert of(5000).total > of(0).total


# --- what it costs -------------------------------------------------------------------------------

PIECES = {
    "tiny points": ("['h','1',null,{},{}]", "metric"), "distinct points": ("['h','1',null,{'a':'%d'},{}]", "metric"),
    "many labels": ("['h','1',null,{%s},{}]" % ",".join(f"'l{n}':''" for n in range(100)), "metric"),  # noqa: UP031
    "wide letters": ("['h','1',null,{'a':'%d" + "x" * 3900 + "\U0001f600'},{}]", "metric"),
    "huge labels": ("['h','1',null,{'a':'%d" + "x" * 200000 + "'},{}]", "metric"),
    "huge digits": ("'" + "1" * 200000 + "'", "frame"), "tiny prices": ("'1'", "frame"),
    "nesting": ("[" * 1000, "metric"), "tiny frames": ("{}", ""), "tiny metrics": ("{'metric':'%d','points':[]}", ""),
}
FORGED = """
import os, struct
piece, head, tail, each = {piece!r}, {head!r}, {tail!r}, 400000
def is_open(number):
    try:
        return bool(os.fstat(number))
    except OSError:
        return False

job = max(filter(is_open, range(16)))
def put(more, pieces):
    body = ('{{"more":%s,"frames":[' % more + head + ','.join(pieces) + tail + ']}}').encode()
    left = struct.pack('=Q', len(body)) + body
    while left:
        left = left[os.write(job, left):]
    return len(body)

sent = number = size = 0
pieces = []
while sent < (1 << 26) - each:
    pieces.append(piece % number if '%d' in piece else piece)
    number, size = number + 1, size + len(piece)
    if size > each:
        sent += put('true', pieces)
        pieces, size = [], 0
put('false', pieces)
os._exit(0)
"""
MEASURE = """
import json, sys, time
from tests.rating.pyscripts.test_answer_stream import *

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

text, points = json.loads(sys.stdin.read())
sandbox = Sandbox(Confinement(cpu_seconds=60, wall_seconds=120.0, memory_bytes=1 << 30))
tariff = PyscriptsTariff({"1": Script(name="evil", text=text)}, sandbox, "project_id", recheck=0)
frames = [given(points)]
with open("/proc/self/clear_refs", "w") as refs:
    refs.write("5")
before, cpu = peak(), time.process_time()
try:
    tariff.rate("p", HOUR, frames)
    error = ""
except Exception as refused:
    error = str(refused)
print(json.dumps([error, time.process_time() - cpu, peak() - before]))
sandbox.close()
"""


def given(points):
    return Frame.of_usage("compute", "h", HOUR, [Decimal(1)] * points,
                          {"project_id": ["p"] * points, "id": [str(number) for number in range(points)]})


def cost(text, points):
    """The error, seconds of CPU and MiB of memory that a run cost the service, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", MEASURE], input=json.dumps([text, points]), capture_output=True,
                          text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout)


@pytest.mark.parametrize("points", [3, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("shape", PIECES)
def test_i8_b3_a_refused_answer_of_64_mib_costs_at_most_a_second_and_three_times_its_size(shape, points):
    piece, whose = PIECES[shape]
    head, tail = {"metric": ('{"metric":"compute","points":[', "]}"), "frame": ('{"frame":0,"price":[', "]}"),
                  "": ("", "")}[whose]
    error, seconds, mebibytes = cost(FORGED.format(piece=piece.replace("'", '"'), head=head, tail=tail), points)
    assert re.match("script 'evil': (its|a message of its|a point of its|a label of its|the points of its) answer "
                    "|script 'evil': its process answered (nonsense|about what it was not asked)", error), error
    assert seconds <= 1
    assert mebibytes <= 3 * 64


@pytest.mark.slow
def test_i8_b3_honest_large_scopes_pass():
    script = ("from decimal import Decimal\nfor point in data['usage']['compute']:\n"
              "    point['rating']['price'] = Decimal(2)\n    point['metadata']['night'] = 'yes'\n"
              "data['usage']['fee'] = [dict(point, metadata={}) for point in data['usage']['compute']]\n")
    sandbox = Sandbox(Confinement(memory_bytes=1 << 30, cpu_seconds=60, wall_seconds=120.0, answer_bytes=256 << 20))
    try:
        tariff = PyscriptsTariff({"1": Script(name="large", text=script)}, sandbox, "project_id", recheck=0)
        compute, fee = tariff.rate("p", HOUR, [given(100_000)])
        columns = "def rate(frame):\n    return frame.qty"
        (priced,) = PyscriptsTariff({"1": Script(name="c", text=columns)}, sandbox, "project_id", recheck=0).rate(
            "p", HOUR, [given(300_000)])
    finally:
        sandbox.close()
    assert (len(compute), len(fee), len(priced)) == (100_000, 100_000, 300_000)
    assert set(compute.price) == set(fee.price) == {Decimal(2)}
    assert priced.price == priced.qty
