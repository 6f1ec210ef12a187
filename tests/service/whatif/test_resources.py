"""The resources of a quote are read, or every problem of them is named."""
from __future__ import annotations

from decimal import Decimal

import pytest

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.service.whatif import resources
from cloudkitty_like.service.whatif.quote import Resource

VCPU = {"service": "vcpu", "volume": "1.5"}


def problems(value):
    with pytest.raises(Invalid) as raised:
        resources.read(value)
    return raised.value.problems


def test_a_resource_has_its_labels_flat_or_by_their_part():
    flat = VCPU | {"desc": {"flavor": "small", "vcpus": 2}}
    parts = VCPU | {"desc": {"groupby": {"flavor": "small"}, "metadata": {"vcpus": 2}}}
    assert resources.read([VCPU, flat, parts]) == [
        Resource("vcpu", Decimal("1.5"), {}, {}),
        Resource("vcpu", Decimal("1.5"), {"flavor": "small", "vcpus": "2"}, {}),
        Resource("vcpu", Decimal("1.5"), {"flavor": "small"}, {"vcpus": "2"})]


def test_a_label_may_be_called_as_a_part_is():
    (found,) = resources.read([VCPU | {"desc": {"groupby": "x"}}])
    assert found.groupby == {"groupby": "x"}


def test_everything_that_is_wrong_is_named_with_its_place():
    assert problems([VCPU, {"service": "", "volume": 1}, {"desc": [], "name": 1}, 7]) == (
        "[1]: service: is empty", "[2]: service: is required", "[2]: volume: is required",
        "[2]: name: there is no such member", "[2]: desc: [] is not an object",
        "[3]: 7 is not an object")
    assert problems([VCPU | {"desc": {"flavor": []}}]) == ("[0]: desc.flavor: [] is not a text",)


def test_no_more_problems_are_named_than_anybody_reads():
    assert len(problems([7] * 30)) == resources.MOST_PROBLEMS


def test_a_list_of_too_many_is_not_read():
    assert problems([None] * (resources.MOST_RESOURCES + 1)) == ("has more than 10000 elements",)
    assert problems({}) == ("{} is not a list",)
