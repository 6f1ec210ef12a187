"""Mappings and states that CloudKitty's clients can write and read back."""
from __future__ import annotations

import pytest

from cloudkitty_like.domain.errors import Invalid, NotFound
from cloudkitty_like.service.operation.collectors import Collectors


@pytest.fixture
def collectors(database):
    return Collectors(database)


def test_a_mapping_is_made_replaced_and_removed(collectors):
    collectors.put_mapping("compute", "gnocchi")
    collectors.put_mapping("volume", "prometheus")
    collectors.put_mapping("compute", "prometheus")
    collectors.put_mapping("compute", "prometheus")
    assert collectors.mappings(None) == [("compute", "prometheus"), ("volume", "prometheus")]
    assert collectors.mappings("gnocchi") == []
    assert collectors.mapping("volume") == ("volume", "prometheus")
    collectors.remove_mapping("volume")
    for removed in (collectors.mapping, collectors.remove_mapping):
        with pytest.raises(NotFound, match="No mapping for service: volume"):
            removed("volume")


def test_a_state_is_off_until_it_is_switched(collectors):
    assert not collectors.state("gnocchi")
    for enabled in (True, True, False):
        collectors.put_state("gnocchi", enabled)
        assert collectors.state("gnocchi") is enabled


def test_names_that_cannot_be_kept_are_refused_together(collectors):
    with pytest.raises(Invalid) as raised:
        collectors.put_mapping("", "x" * 256)
    assert raised.value.problems == ("service: is empty", "collector: longer than 255 characters")
    with pytest.raises(Invalid):
        collectors.put_state("", True)
