import pytest

from cloudkitty_like.db.rules import rules
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import Conflict
from cloudkitty_like.service.rule_changes.change_log import ATTEMPTS, recorded
from tests.service.hashmaps import NOW

CHANGE = Change(NOW, "ann", "api")


def test_work_is_done_again_where_somebody_else_was_faster(sqlite):
    seen = []

    def work(tx, number):
        seen.append(number)
        if len(seen) < 3:
            raise rules.StaleChange
        return "done"

    assert recorded(sqlite, CHANGE, work) == "done"
    assert len(seen) == 3


def test_work_that_is_always_overtaken_is_given_up(sqlite):
    seen = []

    def work(tx, number):
        seen.append(number)
        raise rules.StaleChange

    with pytest.raises(Conflict):
        recorded(sqlite, CHANGE, work)
    assert len(seen) == ATTEMPTS


def test_a_conflict_that_the_work_has_found_is_told_at_once(sqlite):
    seen = []

    def work(tx, number):
        seen.append(number)
        raise Conflict("there is one")

    with pytest.raises(Conflict, match="there is one"):
        recorded(sqlite, CHANGE, work)
    assert len(seen) == 1
