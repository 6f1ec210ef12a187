from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.plugin import load_class
from cloudkitty_like.ports import PluginContext
from cloudkitty_like.rating.noop import NoopModule
from cloudkitty_like.testing.rating import RatingModuleContract

HOUR = Period.starting(datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1))


def test_noop_passes_frames_as_they_are():
    frames = [Frame.of_usage("m", "u", HOUR, [Decimal(1)], {"a": ["b"]}),
              Frame.of_usage("n", "u", HOUR, [], {})]
    assert NoopModule.from_conf(None, PluginContext()).tariff(0).rate("s", HOUR, frames) is frames
    assert frames[0].unpriced == 1


def test_noop_is_installed_and_off_by_default():
    assert load_class("rating", "noop") is NoopModule
    assert not NoopModule.enabled_by_default
    assert list(NoopModule.OPTS) == []


class TestNoop(RatingModuleContract):
    @pytest.fixture
    def rated(self):
        return NoopModule.from_conf(None, PluginContext()), 0
