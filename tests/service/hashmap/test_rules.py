from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import Conflict, Invalid, NotFound
from cloudkitty_like.domain.rule import Rule, Validity
from cloudkitty_like.domain.rule_names import RuleName
from cloudkitty_like.service.hashmap.apply import RuleApplication, apply
from cloudkitty_like.service.hashmap.file import export, parse
from cloudkitty_like.service.hashmap.request import MAPPING, THRESHOLD
from cloudkitty_like.service.hashmap.rules import RuleFilter
from tests.service.hashmaps import DAY, HOUR, NOW, selects

NOBODY = "d28490b2-fb3c-11e5-988b-eb9539c935dc"


def ids(desk, kind=MAPPING, **wanted):
    return [one.id for one in desk.hashmap.rules(kind, RuleFilter(**wanted))]


# --- names -------------------------------------------------------------------------------------

def test_names_are_listed_in_the_order_in_which_they_were_made(desk):
    other = desk.hashmap.add_service("Instance", "ann")
    field = desk.hashmap.add_field(other.id, "flavor", "ann")
    group = desk.hashmap.add_group("compute", "ann")
    assert desk.hashmap.services() == [desk.service, other]
    assert desk.hashmap.fields(other.id) == [field] != desk.hashmap.fields(desk.service.id)
    assert desk.hashmap.fields(NOBODY) == []
    assert desk.hashmap.groups() == [group] == [RuleName(group.id, "group", "compute")]
    assert (desk.hashmap.service(other.id), desk.hashmap.field(field.id), desk.hashmap.group(group.id)) == (
        other, field, group)


def test_a_name_that_is_there_is_refused_with_the_id_that_it_has(desk):
    group = desk.hashmap.add_group("g", "ann")
    for add, text in (
            (lambda: desk.hashmap.add_service("instance", "ann"), f"Service instance .*UUID: {desk.service.id}"),
            (lambda: desk.hashmap.add_field(desk.service.id, "flavor", "ann"), f"Field flavor .*UUID: {desk.field.id}"),
            (lambda: desk.hashmap.add_group("g", "ann"), f"Group g already exists .UUID: {group.id}")):
        with pytest.raises(Conflict, match=text):
            add()


@pytest.mark.parametrize(("name", "problem"), [("", "name: is empty"), ("n" * 256, "name: longer than 255"),
                                               ("a\x00", "name: .* cannot be stored")])
def test_a_name_that_no_rule_could_have_is_refused(quick, name, problem):
    for add in (lambda: quick.hashmap.add_service(name, "ann"), lambda: quick.hashmap.add_group(name, "ann"),
                lambda: quick.hashmap.add_field(quick.service.id, name, "ann")):
        with pytest.raises(Invalid, match=problem):
            add()


def test_what_is_not_there_is_not_found_in_the_words_that_clients_know(quick):
    hashmap = quick.hashmap
    for call, text in (
            (lambda: hashmap.service(NOBODY), f"No such service: None (UUID: {NOBODY})"),
            (lambda: hashmap.remove_service(NOBODY, "ann"), f"No such service: None (UUID: {NOBODY})"),
            (lambda: hashmap.field(quick.service.id), f"No such field: {quick.service.id}"),
            (lambda: hashmap.remove_field(NOBODY, "ann"), f"No such field: {NOBODY}"),
            (lambda: hashmap.group(NOBODY), f"No such group: None (UUID: {NOBODY})"),
            (lambda: hashmap.remove_group(NOBODY, False, "ann"), f"No such group: None (UUID: {NOBODY})"),
            (lambda: hashmap.rule(MAPPING, "42"), "No such mapping: 42"),
            (lambda: quick.change("42", cost=Decimal(1)), "No such mapping: 42"),
            (lambda: hashmap.remove_rule(THRESHOLD, NOBODY, "ann"), f"No such threshold: {NOBODY}")):
        with pytest.raises(NotFound) as caught:
            call()
        assert str(caught.value) == text
    with pytest.raises(Invalid, match="No such service: None"):
        hashmap.add_field(NOBODY, "f", "ann")


def test_what_was_refused_records_nothing(quick):
    before = quick.changes()
    for call in (lambda: quick.hashmap.add_service("instance", "ann"),
                 lambda: quick.hashmap.remove_service(NOBODY, "ann"), lambda: quick.mapping(value="")):
        with pytest.raises((Conflict, NotFound, Invalid)):
            call()
    assert quick.changes() == before


def test_c17_a_deleted_service_takes_its_rules_along_and_the_past_keeps_its_price(desk):
    mapping = desk.mapping(cost=Decimal(3))
    threshold = desk.threshold(cost=Decimal(7))
    old = desk.price(NOW)
    desk.wait(DAY)
    desk.hashmap.remove_service(desk.service.id, "cid")
    assert desk.hashmap.services() == desk.hashmap.fields(desk.service.id) == []
    assert ids(desk) == ids(desk, THRESHOLD) == []
    assert old == desk.price(NOW) == 307
    assert desk.price(NOW + DAY) is None
    (gone,) = desk.hashmap.rules(MAPPING, RuleFilter(deleted=True))
    assert (gone.id, gone.deleted_at, gone.deleted_by, gone.field_id) == (mapping.id, desk.now, "cid", desk.field.id)
    with pytest.raises(NotFound, match=f"No such mapping: {mapping.id}"):
        desk.get(mapping.id)
    assert ids(desk, field_id=desk.field.id, deleted=True) == [mapping.id]
    with pytest.raises(NotFound):
        desk.get_threshold(threshold.id)
    again = desk.hashmap.add_service("instance", "ann")
    assert again.id != desk.service.id
    with pytest.raises(NotFound):
        desk.get(mapping.id)
    assert ids(desk, field_id=desk.field.id, deleted=True) == [mapping.id]


def test_c17_a_deleted_field_takes_only_its_own_rules_along(desk):
    other = desk.hashmap.add_field(desk.service.id, "image", "ann")
    kept = [desk.mapping(field_id=other.id, value="m1").id, desk.mapping(service_id=desk.service.id).id]
    gone = desk.mapping().id
    desk.wait()
    desk.hashmap.remove_field(desk.field.id, "ann")
    assert ids(desk) == kept
    assert ids(desk, deleted=True) == [*kept, gone]
    assert desk.hashmap.fields(desk.service.id) == [other]


@pytest.mark.slow
def test_rules_of_a_deleted_group_fall_back_to_none_from_now_on(desk):
    group = desk.hashmap.add_group("g", "ann")
    grouped = desk.mapping(group_id=group.id, cost=Decimal(2))
    desk.mapping(value=None, field_id=None, service_id=desk.service.id, cost=Decimal(3))
    assert desk.price(NOW) == 500
    desk.wait(DAY)
    desk.hashmap.remove_group(group.id, False, "bob")
    assert desk.price(NOW) == 500
    assert desk.price(NOW + DAY) == 300            # of one group the dearest flat mapping counts
    found = desk.get(grouped.id)
    assert (found.group_id, found.created_at, found.created_by, found.updated_by) == (None, NOW, "ann", "bob")
    assert len(ids(desk)) == 2
    assert desk.hashmap.groups() == []
    with pytest.raises(NotFound, match=f"Mapping has no group .UUID: {grouped.id}"):
        desk.hashmap.group_of(MAPPING, grouped.id)


def test_rules_of_a_deleted_group_are_deleted_if_that_is_asked_for(desk):
    group = desk.hashmap.add_group("g", "ann")
    grouped, threshold = desk.mapping(group_id=group.id), desk.threshold(group_id=group.id)
    assert desk.hashmap.group_of(MAPPING, grouped.id) == desk.hashmap.group_of(THRESHOLD, threshold.id) == group
    other = desk.mapping()
    desk.wait()
    desk.hashmap.remove_group(group.id, True, "bob")
    assert ids(desk) == [other.id]
    assert ids(desk, THRESHOLD) == []
    assert desk.get(grouped.id).group_id == group.id


@pytest.mark.slow
def test_a_group_stays_where_its_rules_would_overlap_others(desk):
    group = desk.hashmap.add_group("g", "ann")
    desk.mapping(group_id=group.id)
    other = desk.mapping()
    desk.wait()
    with pytest.raises(Conflict, match=f"UUID: {other.id}"):
        desk.hashmap.remove_group(group.id, False, "bob")
    assert desk.hashmap.groups() == [group]


# --- lists -------------------------------------------------------------------------------------

def test_p3_a_list_takes_as_many_queries_for_200_mappings_as_for_none(database, desk):
    with selects(database) as few:
        assert ids(desk) == []
    apply(database, [Rule(service="instance", field="flavor", value=f"m{i}", group=f"g{i % 9}", cost=Decimal(i))
                     for i in range(200)], RuleApplication(NOW), Change(NOW, "cli", "apply"))
    with selects(database) as many:
        assert len(ids(desk)) == 200
    assert len(many) == len(few) == 2
    with selects(database) as one:
        desk.get(ids(desk)[7])
    assert len(one) == 4
    with selects(database) as adding:
        desk.mapping()
    assert len(adding) <= 5


def test_rules_of_the_command_line_have_ids_of_everything(desk):
    wanted = Rule(service="volume", field="type", value="ssd", cost=Decimal(1), group="g", description="d")
    apply(desk.database, [wanted], RuleApplication(NOW), Change(NOW, "cli", "apply"))
    found, = desk.hashmap.rules(MAPPING)
    field = desk.hashmap.field(found.field_id or "")
    assert (found.rule, field.name, desk.hashmap.service(field.service_id or "").name) == (wanted, "type", "volume")
    assert desk.hashmap.group_of(MAPPING, found.id).name == "g"
    assert (found.service_id, found.created_by, found.updated_by, found.deleted_at) == (None, "cli", None, None)


def test_every_filter_of_a_list(desk):
    group = desk.hashmap.add_group("g", "ann")
    plain = desk.mapping(service_id=desk.service.id, description="100% of_it").id
    grouped = desk.mapping(value="m2", group_id=group.id, author="bob").id
    tenant = desk.mapping(value="m2", tenant_id="t", start=NOW + DAY, end=NOW + 3 * DAY).id
    gone = desk.mapping(value="m3").id
    desk.wait()
    desk.hashmap.remove_rule(MAPPING, gone, "cid")
    desk.change(plain, "dan", end=NOW + 2 * HOUR)
    every = [plain, grouped, tenant]
    for expected, wanted in (
            (every, {}), ([*every, gone], {"deleted": True}),
            ([plain], {"service_id": desk.service.id}), ([plain], {"service_id": desk.service.id, "field_id": "x"}),
            ([grouped, tenant], {"field_id": desk.field.id}), ([], {"field_id": desk.service.id}),
            ([], {"service_id": NOBODY}), ([grouped], {"group_id": group.id}), ([plain, tenant], {"no_group": True}),
            ([grouped], {"group_id": group.id, "no_group": True}), (every, {"tenant_id": "t"}),
            ([tenant], {"tenant_id": "t", "filter_tenant": True}), ([plain, grouped], {"filter_tenant": True}),
            ([tenant], {"start": NOW + DAY}), ([plain], {"end": NOW + 3 * DAY}),
            ([plain, tenant], {"end": NOW + 4 * DAY}), ([grouped], {"created_by": "bob"}),
            ([plain], {"updated_by": "dan"}), ([gone], {"deleted_by": "cid", "deleted": True}),
            ([], {"deleted_by": "cid"}), ([plain], {"description": "0% OF_"}), ([], {"description": "1%f"}),
            ([], {"description": "of.it"}), ([plain, grouped], {"is_active": True}),
            ([plain, grouped], {"is_active": True, "deleted": True})):
        assert ids(desk, **wanted) == expected, wanted


# --- together with the command line --------------------------------------------------------------

def test_a_deleted_rule_is_an_ended_one_to_the_command_line(desk):
    mapping = desk.mapping(cost=Decimal(2))
    desk.wait(DAY)
    desk.hashmap.remove_rule(MAPPING, mapping.id, "ann")
    ended = replace(mapping.rule, valid=Validity(NOW, NOW + DAY))
    assert desk.stored() == [ended]
    assert parse(export(desk.stored())) == (ended,)
    assert export(desk.stored(), ended_by=desk.now) == "services: {}\n"
    again = replace(mapping.rule, cost=Decimal(5), valid=Validity())
    apply(desk.database, [again], RuleApplication(desk.now), Change(desk.now, "cli", "apply"))
    assert (desk.price(NOW), desk.price(NOW + DAY)) == (200, 500)
    assert len(ids(desk)) == 1
    assert desk.get(mapping.id).deleted_by == "ann"


@pytest.mark.slow
def test_a_deleted_rule_stays_deleted_when_the_command_line_shortens_it(desk):
    mapping = desk.mapping(cost=Decimal(2))
    desk.wait(2 * DAY)
    desk.hashmap.remove_rule(MAPPING, mapping.id, "ann")
    deleted_at = desk.now
    apply(desk.database, [], RuleApplication(NOW + DAY, move_changes=True), Change(desk.now, "cli", "apply"))
    found = desk.get(mapping.id)
    assert (found.rule.valid, found.deleted_at, found.deleted_by) == (Validity(NOW, NOW + DAY), deleted_at, "ann")
    assert ids(desk) == []


def test_c18_of_two_who_add_the_same_at_once_one_gets_a_conflict(desk):
    def one(number):
        try:
            return desk.mapping(cost=Decimal(number), author=str(number)).created_by
        except Conflict:
            return None

    with ThreadPoolExecutor(4) as threads:
        done = [name for name in threads.map(one, range(4)) if name is not None]
    assert [found.created_by for found in desk.hashmap.rules(MAPPING)] == done
    assert len(done) == 1


def test_every_change_of_the_api_is_a_version_of_the_rules(quick):
    before = quick.changes()
    mapping = quick.mapping()
    quick.wait(timedelta(seconds=1))
    quick.hashmap.remove_rule(MAPPING, mapping.id, "ann")
    assert quick.changes() == before + 2
