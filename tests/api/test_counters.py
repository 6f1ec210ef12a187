"""Requests counted by all processes of a server together."""
from __future__ import annotations

import multiprocessing
import threading

from cloudkitty_like.api.counters import MOST_ROUTES, Counters

EACH = 2000


def counted(counters):
    return {(route, status): number for route, status, number in counters.requests()}


def many(counters):
    for _ in range(EACH):
        counters.count("GET /a", 200, 0.5)


def test_requests_are_counted_by_route_and_status():
    counters = Counters()
    counters.name(["GET /a", "PUT /b"])
    for route, status in (("GET /a", 200), ("GET /a", 404), ("GET /a", 200), ("", 405),
                          ("bogus", 200),
                          ("PUT /b", 418)):
        counters.count(route, status, 0.25)
    assert counted(counters) == {("GET /a", 200): 2, ("GET /a", 404): 1, ("", 405): 1, ("", 200): 1,
                                 ("PUT /b", 500): 1}
    assert dict(counters.seconds()) == {"GET /a": 0.75, "": 0.5, "PUT /b": 0.25}


def test_they_add_up_over_forked_processes_and_their_threads():
    counters = Counters()
    counters.name(["GET /a"])
    # As in the server: made before the fork, named after it, in every process.
    processes = [multiprocessing.get_context("fork").Process(target=threads, args=(counters,))
                 for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert counted(counters) == {("GET /a", 200): 8 * EACH}
    assert dict(counters.seconds()) == {"GET /a": 4 * EACH}


def threads(counters):
    counters.name(["GET /a"])
    both = [threading.Thread(target=many, args=(counters,)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()


def test_a_lock_that_somebody_died_with_stops_nobody():
    counters = Counters()
    counters.name(["GET /a"])
    process = multiprocessing.get_context("fork").Process(target=counters._lock.acquire)
    process.start()
    process.join(60)
    many(counters)
    assert counted(counters) == {("GET /a", 200): EACH}


def test_more_routes_than_there_is_room_for_count_as_none():
    counters = Counters()
    counters.name([f"GET /{number}" for number in range(MOST_ROUTES + 5)])
    counters.count(f"GET /{MOST_ROUTES + 1}", 200, 0)
    counters.count(f"GET /{MOST_ROUTES - 1}", 200, 0)
    assert counted(counters) == {("", 200): 1, (f"GET /{MOST_ROUTES - 1}", 200): 1}
