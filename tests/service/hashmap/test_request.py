from datetime import timedelta
from decimal import Decimal

import pytest

from cloudkitty_like.domain.errors import Conflict, Invalid, NotFound
from cloudkitty_like.domain.rule import Rule, Validity
from cloudkitty_like.service.hashmap.request import MAPPING, THRESHOLD
from cloudkitty_like.service.hashmap.rules import RuleFilter
from tests.service.hashmaps import DAY, HOUR, NOW

D = Decimal
NOBODY = "de23e3fe-0097-11e6-a44d-2b09512e61d9"
SECOND = timedelta(seconds=1)


def whole(stored):
    """What a client has read and sends back: every attribute, as they are spelled there."""
    rule = stored.rule
    return {"service_id": stored.service_id, "field_id": stored.field_id, "group_id": stored.group_id,
            "tenant_id": rule.scope, "value": rule.value or "", "type": rule.type, "cost": D(f"{rule.cost:.28f}"),
            "start": rule.valid.begin, "end": rule.valid.end, "name": rule.name,
            "description": rule.description or None}


# --- creation ----------------------------------------------------------------------------------

def test_a_mapping_is_read_as_it_was_made(desk):
    group = desk.hashmap.add_group("g", "ann")
    made = desk.mapping("eve", cost=D("0.1"), type="rate", group_id=group.id, tenant_id="t", start=NOW + DAY,
                        end=NOW + 2 * DAY, name="one", description="two")
    assert made.rule == Rule(service="instance", field="flavor", value="m1", cost=D("0.1"), type="rate", group="g",
                             scope="t", name="one", description="two", valid=Validity(NOW + DAY, NOW + 2 * DAY))
    assert (made.service_id, made.field_id, made.group_id) == (None, desk.field.id, group.id)
    assert (made.created_at, made.created_by, made.updated_by, made.deleted_at) == (NOW, "eve", None, None)
    assert desk.get(made.id) == made
    assert desk.hashmap.rules(MAPPING) == [made]
    with pytest.raises(NotFound):
        desk.get_threshold(made.id)


def test_a_rule_holds_from_now_and_a_mapping_without_a_name_gets_one(desk):
    mapping, other, threshold = desk.mapping(), desk.mapping(value="m2"), desk.threshold()
    assert mapping.rule.valid == threshold.rule.valid == Validity(NOW)
    assert len(mapping.rule.name) == len(other.rule.name) == 32
    assert mapping.rule.name != other.rule.name
    assert threshold.rule.name == ""
    assert desk.get_threshold(threshold.id) == threshold


@pytest.mark.parametrize(("values", "problem"), [
    ({"service_id": NOBODY}, "No such service: None .UUID: de23e3fe"),
    ({"field_id": NOBODY, "value": "m1"}, "No such field: de23e3fe"),
    ({"group_id": NOBODY}, "No such group: None .UUID: de23e3fe"),
    ({"field_id": NOBODY, "service_id": NOBODY}, "You can only specify one parent."),
    ({"field_id": None}, "You must specify one parent."),
    ({"value": ""}, "You must specify a value for a field mapping."),
    ({"value": None}, "You must specify a value for a field mapping."),
    ({"cost": None}, "cost: .*Mandatory field missing"),
    ({"cost": D("NaN")}, "cost: NaN is not a finite number"),
    ({"level": D(1)}, "level: a mapping has none"),
    ({"start": NOW - SECOND}, "start: .* is in the past"),
    ({"end": NOW}, "end: ends at .* not after its start"),
    ({"start": NOW + DAY, "end": NOW + HOUR}, "end: ends at"),
    ({"name": "n" * 256}, "name: longer than 255"),
])
def test_a_draft_that_makes_no_mapping_is_refused(quick, values, problem):
    with pytest.raises(Invalid, match=problem):
        quick.mapping(**values)


def test_a_mapping_of_a_service_has_no_value_and_a_threshold_a_level(quick):
    with pytest.raises(Invalid, match="value: You can't specify a value"):
        quick.mapping(service_id=quick.service.id, value="m1")
    with pytest.raises(Invalid, match=r"level: .*Mandatory field missing"):
        quick.threshold(level=None)
    assert quick.mapping(service_id=quick.service.id, value="").rule.value is None


def test_c29_an_end_needs_no_start(quick):
    assert quick.mapping(end=NOW + DAY).rule.valid == Validity(NOW, NOW + DAY)


def test_a_forced_rule_starts_in_the_past_and_a_deleted_one_gives_way_to_it(desk):
    first = desk.mapping(cost=D(1))
    desk.wait(2 * DAY)
    desk.hashmap.remove_rule(MAPPING, first.id, "ann")
    desk.mapping(cost=D(5), start=NOW + DAY, end=NOW + DAY + HOUR, force=True)
    assert [desk.price(NOW + hours * HOUR) for hours in (0, 23, 24, 25, 47, 48)] == [100, 100, 500, 100, 100, None]
    assert [one.rule.cost for one in desk.hashmap.rules(MAPPING)] == [5]
    assert desk.get(first.id).deleted_by == "ann"


@pytest.mark.parametrize(("there", "new"), [
    ((0, None), (0, None)), ((0, None), (5, None)), ((5, None), (0, None)), ((0, 9), (5, None)), ((0, 9), (5, 6)),
    ((5, 6), (0, 9)), ((5, 9), (0, 6)), ((5, 9), (0, None))])
def test_c18_mappings_of_one_key_that_hold_at_one_time_are_refused(quick, there, new):
    """Also the new open one over an old closed one."""
    def valid(span):
        return {"start": NOW + span[0] * DAY, "end": None if span[1] is None else NOW + span[1] * DAY}

    made = quick.mapping(**valid(there))
    with pytest.raises(Conflict, match=f"^Mapping instance, flavor=m1 already exists .UUID: {made.id}"):
        quick.mapping(**valid(new), type="rate", cost=D(9))


def test_c18_what_touches_or_has_another_key_is_no_overlap(quick):
    group = quick.hashmap.add_group("g", "ann")
    quick.mapping(end=NOW + DAY)
    quick.mapping(start=NOW + DAY)
    quick.mapping(value="M1")
    quick.mapping(tenant_id="t")
    quick.mapping(group_id=group.id)
    quick.mapping(service_id=quick.service.id)
    assert len(quick.hashmap.rules(MAPPING)) == 6


def test_c20_a_global_threshold_is_refused_twice(desk):
    made = desk.threshold()
    with pytest.raises(Conflict, match=f"^Threshold instance, quantity >= 10 already exists .UUID: {made.id}"):
        desk.threshold(level=D("10.000"), cost=D(2))
    desk.threshold(tenant_id="t")
    desk.threshold(level=D(11))


def test_a_name_is_given_to_one_mapping_at_a_time(desk):
    first = desk.mapping(name="one")
    desk.wait()
    with pytest.raises(Conflict, match=f"name: Mapping one already exists .UUID: {first.id}"):
        desk.mapping(name="one", value="m2")
    desk.hashmap.remove_rule(MAPPING, first.id, "ann")
    desk.mapping(name="one", value="m2")


# --- update ------------------------------------------------------------------------------------

def test_c30_a_client_ends_a_running_rule_by_sending_back_what_it_read(desk):
    group = desk.hashmap.add_group("g", "ann")
    made = desk.mapping(cost=D("0.10"), type="rate", group_id=group.id, tenant_id="t", description="d")
    desk.wait(DAY)
    desk.change(made.id, "bob", **whole(desk.get(made.id)) | {"end": NOW + 2 * DAY})
    found = desk.get(made.id)
    assert (found.rule.valid, found.updated_by, found.created_by) == (Validity(NOW, NOW + 2 * DAY), "bob", "ann")
    assert found.rule.cost == D("0.1")
    with pytest.raises(Invalid, match="already processed and has a defined end date"):
        desk.change(made.id, end=NOW + 3 * DAY)


def test_ending_a_rule_twice_in_the_same_way_is_ending_it_once(desk):
    made = desk.mapping(cost=D("0.1"))
    desk.wait(HOUR)
    for _ in range(2):
        desk.change(made.id, **whole(desk.get(made.id)) | {"end": NOW + 2 * HOUR})
    assert desk.get(made.id).rule.valid == Validity(NOW, NOW + 2 * HOUR)
    with pytest.raises(Invalid, match="already processed and has a defined end date"):
        desk.change(made.id, **whole(desk.get(made.id)) | {"cost": D(2)})


def test_c30_a_client_ends_a_running_mapping_of_a_service_likewise(quick):
    made = quick.mapping(service_id=quick.service.id)
    quick.change(made.id, **whole(made) | {"end": NOW + HOUR})
    assert quick.get(made.id).rule.valid.end == NOW + HOUR


@pytest.mark.parametrize("values", [
    {"cost": D(2)}, {"cost": D(0)}, {"type": "rate"}, {"tenant_id": "t"}, {"tenant_id": ""}, {"value": "m2"},
    {"name": "other"}, {"description": "other"}, {"start": NOW - SECOND}, {"field_id": NOBODY}, {"service_id": NOBODY},
    {"group_id": NOBODY}])
def test_of_a_running_mapping_nothing_but_the_end_may_differ(quick, values):
    made = quick.mapping()
    quick.wait()
    with pytest.raises(Invalid) as caught:
        quick.change(made.id, end=NOW + DAY, **values)
    assert str(caught.value) == ("You are allowed to update only the attribute [end] as this rule is already running "
                                 "as it started on [2026-11-10 12:30:15.123456]")
    assert quick.get(made.id) == made


def test_a_running_mapping_does_not_end_in_the_past_and_keeps_its_value(quick):
    made = quick.mapping()
    quick.wait()
    with pytest.raises(Invalid, match=r"end: .* is in the past"):
        quick.change(made.id, end=NOW + SECOND)
    with pytest.raises(Invalid, match=r"You are allowed to update only the attribute \[end\]"):
        quick.change(made.id, value="", cost=D(1))
    quick.change(made.id, end=quick.now)
    assert quick.get(made.id).rule.valid == Validity(NOW, quick.now)


def test_a_mapping_that_has_not_begun_is_replaced(desk):
    made = desk.mapping(start=NOW + DAY, end=NOW + 2 * DAY, description="d", name="n")
    desk.change(made.id, cost=D(2), type="rate", value="m2", tenant_id="t", name="other")
    found = desk.get(made.id)
    assert found.rule == Rule(service="instance", field="flavor", value="m1", cost=D(2), name="n",
                              valid=Validity(NOW + DAY))
    desk.change(made.id, cost=D(3), start=NOW + 3 * DAY, end=NOW + 4 * DAY, description="e")
    found = desk.get(made.id)
    assert (found.rule.cost, found.rule.valid, found.rule.description) == (
        3, Validity(NOW + 3 * DAY, NOW + 4 * DAY), "e")
    for values, problem in (({"start": NOW - SECOND}, "start: .* in the past"), ({"cost": None}, "Mandatory field"),
                            ({"end": NOW + DAY}, "end: ends at")):
        with pytest.raises(Invalid, match=problem):
            desk.change(made.id, **{"cost": D(1)} | values)
    assert desk.get(made.id) == found


def test_c18_a_mapping_does_not_move_into_another(quick):
    quick.mapping(end=NOW + DAY)
    made = quick.mapping(start=NOW + DAY)
    with pytest.raises(Conflict, match="already exists"):
        quick.change(made.id, cost=D(1), start=NOW + HOUR)


def test_an_update_that_changes_nothing_records_nothing(desk):
    running, future = desk.mapping(), desk.mapping(value="m2", start=NOW + DAY, description="d")
    threshold = desk.threshold(tenant_id="t", type="rate")
    before = desk.changes()
    desk.wait()
    desk.change(running.id, **whole(running))
    desk.change(future.id, **whole(future))
    desk.change_threshold(threshold.id, level=D("10.0"), cost=D("1.00"), type="rate", tenant_id="t")
    assert desk.changes() == before
    assert desk.get(running.id).updated_by is None


def test_c19_a_changed_threshold_keeps_its_id_and_the_past_its_price(desk):
    group = desk.hashmap.add_group("g", "ann")
    made = desk.threshold(cost=D(7), group_id=group.id, tenant_id="p", type="rate")
    desk.mapping(cost=D(1), group_id=group.id)
    assert desk.price(NOW) == 700
    desk.wait(DAY)
    desk.change_threshold(made.id, "bob", level=D(20), cost=D(9))
    assert (desk.price(NOW), desk.price(NOW + DAY)) == (700, 109)
    found = desk.get_threshold(made.id)
    assert found.rule == Rule(service="instance", level=D(20), cost=D(9), group="g", valid=Validity(NOW + DAY))
    assert (found.created_at, found.created_by, found.updated_by, found.group_id) == (NOW, "ann", "bob", group.id)
    assert desk.hashmap.rules(THRESHOLD) == [found]
    desk.change_threshold(made.id, level=D(20), cost=D(9), group_id=None)
    assert desk.get_threshold(made.id).group_id is None
    desk.hashmap.remove_rule(THRESHOLD, made.id, "ann")
    assert (desk.price(NOW), desk.hashmap.rules(THRESHOLD)) == (700, [])


def test_a_threshold_is_not_changed_into_another_and_needs_level_and_cost(desk):
    made, other = desk.threshold(), desk.threshold(level=D(11))
    desk.wait()
    with pytest.raises(Conflict, match=f"UUID: {other.id}"):
        desk.change_threshold(made.id, level=D(11), cost=D(1))
    with pytest.raises(Invalid) as caught:
        desk.change_threshold(made.id)
    assert caught.value.problems == tuple(
        f"{name}: Invalid input for field/attribute {name}. Value: 'None'. Mandatory field missing."
        for name in ("level", "cost"))
    with pytest.raises(Invalid, match="No such group"):
        desk.change_threshold(made.id, level=D(10), cost=D(1), group_id=NOBODY)


# --- deletion ----------------------------------------------------------------------------------

def test_c17_a_deleted_rule_still_prices_what_was_before(desk):
    made = desk.mapping(cost=D(2))
    desk.wait(DAY)
    desk.hashmap.remove_rule(MAPPING, made.id, "cid")
    assert (desk.price(NOW), desk.price(NOW + DAY)) == (200, None)
    found = desk.get(made.id)
    assert (found.rule.valid, found.deleted_at, found.deleted_by, found.updated_by) == (
        Validity(NOW, NOW + DAY), NOW + DAY, "cid", None)
    with pytest.raises(NotFound, match=f"No such mapping: {made.id}"):
        desk.hashmap.remove_rule(MAPPING, made.id, "cid")
    with pytest.raises(NotFound):
        desk.change(made.id, cost=D(2))
    desk.mapping(cost=D(4))
    assert desk.price(NOW + DAY + HOUR) == 400


def test_a_deleted_rule_that_had_ended_keeps_its_end(quick):
    made = quick.mapping(end=NOW + HOUR)
    quick.wait(DAY)
    quick.hashmap.remove_rule(MAPPING, made.id, "ann")
    assert quick.get(made.id).rule.valid == Validity(NOW, NOW + HOUR)


def test_a_rule_that_had_not_begun_prices_nothing_once_deleted_and_is_still_listed(desk):
    made = desk.mapping(start=NOW + DAY)
    desk.wait()
    desk.hashmap.remove_rule(MAPPING, made.id, "cid")
    assert desk.stored() == []
    found, = desk.hashmap.rules(MAPPING, RuleFilter(deleted=True))
    assert (found.id, found.rule, found.deleted_at, found.deleted_by) == (made.id, made.rule, NOW + HOUR, "cid")
    assert found == desk.get(made.id)
    assert found.field_id == desk.field.id
    assert desk.hashmap.rules(MAPPING) == []
    with pytest.raises(NotFound):
        desk.hashmap.remove_rule(MAPPING, made.id, "cid")
