"""Leases: one holder at a time, shares for all, and nothing is lost with a worker that is killed."""
from __future__ import annotations

import logging
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest
import redis

from cloudkitty_like.domain.errors import Invalid, Unavailable
from cloudkitty_like.orchestrator.lease import ToozLease
from cloudkitty_like.testing.network import free_port
from tests.databases import missing

HOLDER = """
import sys, time
from cloudkitty_like.orchestrator.lease import ToozLease
with ToozLease(sys.argv[1], "holder", 8).hold(8) as shards:
    print(len(shards), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def directory(tmp_path) -> str:
    return f"file://{tmp_path / 'locks'}"


@pytest.fixture
def server() -> Iterator[str]:
    client = redis.Redis.from_url("redis://127.0.0.1:6379")
    try:
        client.ping()
    except redis.ConnectionError as error:
        missing(f"Redis does not answer: {error}")
    namespace = f"test-{uuid4().hex}"
    yield f"redis://127.0.0.1:6379?timeout=2&namespace={namespace}"
    for key in client.scan_iter(f"*{namespace}*"):
        client.delete(key)


def test_two_never_hold_one_shard_at_once_and_every_shard_can_be_had(directory):
    one, two = ToozLease(directory, "one", 8, first=0), ToozLease(directory, "two", 8, first=5)
    draw = random.Random(1)
    for _ in range(50):
        wanted = draw.randrange(9), draw.randrange(9)
        with one.hold(wanted[0]) as first, two.hold(wanted[1]) as second:
            assert not set(first) & set(second)
            assert len(first) == wanted[0]
            assert len(second) == min(wanted[1], 8 - wanted[0])


def test_four_workers_with_a_fair_share_hold_everything_between_them(directory):
    workers = [ToozLease(directory, f"worker {n}", 8, first=n) for n in range(4)]
    with ExitStack() as stack:
        held = [set(stack.enter_context(worker.hold(2))) for worker in workers]
    assert [len(shards) for shards in held] == [2, 2, 2, 2]
    assert set().union(*held) == set(range(8))


def test_what_was_let_go_can_be_had_again(directory):
    one, two = ToozLease(directory, "one", 4), ToozLease(directory, "two", 4)
    for lease in (one, two, one, one, two):
        with lease.hold(4) as shards:
            assert len(shards) == 4


def killed_while_holding(url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, url], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "8\n"
            with ToozLease(url, "other", 8).hold(8) as shards:
                assert list(shards) == []
        finally:
            holder.send_signal(signal.SIGKILL)


def test_a_killed_worker_frees_its_shards_at_once_on_one_host(directory):
    killed_while_holding(directory)
    with ToozLease(directory, "heir", 8).hold(8) as shards:
        assert len(shards) == 8


def test_a_killed_worker_frees_its_shards_when_its_lease_runs_out(server):
    killed_while_holding(server)
    lease, deadline = ToozLease(server, "heir", 8), time.monotonic() + 10
    try:
        while True:
            with lease.hold(8) as shards:
                if len(shards) == 8:
                    return
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        lease.close()


def test_a_lease_is_kept_alive_while_it_is_held(server):
    one, two = ToozLease(server, "one", 2), ToozLease(server, "two", 2)
    try:
        with one.hold(2):
            time.sleep(3)                      # longer than a lease lasts
            with two.hold(2) as shards:
                assert list(shards) == []
    finally:
        one.close()
        two.close()


def test_a_driver_whose_library_is_not_installed_is_a_wrong_option():
    with pytest.raises(Invalid, match=r"coordination_url: No module named 'kazoo'") as error:
        ToozLease("zookeeper://127.0.0.1", "one", 8)
    assert "zookeeper://" in error.value.hint


def test_an_unknown_driver_is_a_wrong_option():
    with pytest.raises(Invalid, match="coordination_url"):
        ToozLease("nothing://somewhere", "one", 8)


def test_i8_small_leases_that_were_lost_are_said_in_one_line(server, caplog):
    client = redis.Redis.from_url("redis://127.0.0.1:6379")
    namespace = server.rpartition("=")[2]
    lease = ToozLease(server, "one", 4)
    try:
        with lease.hold(4) as shards:
            assert len(shards) == 4
            for key in client.scan_iter(f"*{namespace}*"):
                client.delete(key)
            time.sleep(2.5)                    # two signs of life
    finally:
        lease.close()
    loud = [record for record in caplog.records if record.levelno > logging.INFO]
    assert [record.getMessage() for record in loud] == [(
        "the leases on the shards 0, 1, 2, 3 were lost: they ran out, or the coordinator has forgotten them; another "
        "worker may have done the same work, and what is recorded counts once")]
    assert [record.exc_info for record in loud] == [None]


@pytest.mark.parametrize("url", ["etcd://127.0.0.1:2379", "etcd3://127.0.0.1:2379"])
def test_i8_small_etcd_is_told_by_which_name_it_is_reached(url):
    with pytest.raises(Invalid, match=r"coordination_url: tooz has no driver for etcd3?://") as error:
        ToozLease(url, "one", 8)
    assert "etcd3+http://127.0.0.1:2379" in error.value.hint


def test_i8_small_an_unknown_driver_is_answered_with_those_there_are():
    with pytest.raises(Invalid) as error:
        ToozLease("rediss3://127.0.0.1", "one", 8)
    assert "did you mean 'redis'?" in error.value.hint


def test_i8_b4_a_redis_that_cannot_be_reached_is_said_at_once():
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"coordination_url: .*refused"):
        ToozLease(f"redis://127.0.0.1:{free_port()}", "worker", 8)
    assert time.monotonic() - began < 5


def test_i8_b4_a_redis_that_goes_away_is_said_at_once(tmp_path):
    port = free_port()
    program = shutil.which("redis-server")
    if program is None:
        missing("redis-server is not installed")
    with subprocess.Popen([program, "--port", str(port), "--save", "", "--dir", str(tmp_path)],
                          stdout=subprocess.DEVNULL) as process:
        while redis_is_down(port):
            time.sleep(0.1)
        lease = ToozLease(f"redis://127.0.0.1:{port}", "worker", 8)
        process.kill()
    began = time.monotonic()
    with pytest.raises(Unavailable, match="the coordinator failed"), lease.hold(8):
        pass
    assert time.monotonic() - began < 5
    lease.close()


def redis_is_down(port: int) -> bool:
    try:
        return not redis.Redis(port=port).ping()
    except redis.ConnectionError:
        return True
