import pytest

from cloudkitty_like.domain.errors import Unavailable
from cloudkitty_like.domain.metric import Metric
from cloudkitty_like.testing.collector import HOUR, METRIC, SAMPLES, CollectorContract
from cloudkitty_like.testing.memory import MemoryCollector, MemoryFetcher, MemoryLease, MemoryStorage
from cloudkitty_like.testing.storage import StorageContract


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self):
        return MemoryStorage()


class TestMemoryCollector(CollectorContract):
    @pytest.fixture
    def collector(self):
        return MemoryCollector(SAMPLES)


def test_a_collector_can_be_made_to_fail():
    def failing(metric, period, scopes):
        if len(scopes) > 1:
            raise Unavailable("too much at once", smaller=True)
        return {"edges": Unavailable("not now")} if "edges" in scopes else {}

    collector = MemoryCollector(SAMPLES, failing=failing)
    with pytest.raises(Unavailable, match="too much"):
        collector.collect(Metric(METRIC, "unit"), HOUR, ["edges", "labels"])
    assert set(collector.collect(Metric(METRIC, "unit"), HOUR, ["edges"]).failed) == {"edges"}
    assert set(collector.collect(Metric(METRIC, "unit"), HOUR, ["labels"]).frames) == {"labels"}
    assert [scopes for _, _, scopes in collector.asked] == [("edges", "labels"), ("edges",), ("labels",)]


def test_a_fetcher_answers_what_it_was_given():
    fetcher = MemoryFetcher(["one"])
    fetcher.known.append("two")
    assert list(fetcher.scopes()) == ["one", "two"]


def test_a_lease_gives_a_shard_to_one_holder_at_a_time():
    lease = MemoryLease(3)
    with lease.hold(2) as mine:
        with lease.hold(2) as yours:
            assert (len(mine), len(yours)) == (2, 1)
            assert not set(mine) & set(yours)
            with lease.hold(2) as nobodys:
                assert list(nobodys) == []
        with lease.hold(2) as later:
            assert set(later) == set(yours)
    with lease.hold(9) as everything:
        assert set(everything) == {0, 1, 2}
