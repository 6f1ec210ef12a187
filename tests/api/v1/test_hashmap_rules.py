import pytest

ROOT = "http://localhost/v1/rating/module_config/hashmap"
TYPE_PROBLEM = "Invalid input for field/attribute type. Value: 'fail'. Value should be one of: "
NOBODY = "de23e3fe-0097-11e6-a44d-2b09512e61d9"


@pytest.fixture
def service_id(http):
    return http.ok("POST", "/services", {"name": "instance"})["service_id"]


@pytest.fixture
def field_id(http, service_id):
    return http.ok("POST", "/fields", {"name": "flavor", "service_id": service_id})["field_id"]


def test_a_mapping_is_answered_with_all_its_attributes_in_cloudkittys_order(http, field_id):
    status, made = http("POST", "/mappings/", {"field_id": field_id, "value": "m1", "cost": 0.1, "type": "rate",
                                               "name": "n", "end": "3000-01-01"})
    assert (status, http.headers["Location"]) == (201, f"{ROOT}/mappings/{made['mapping_id']}")
    assert list(made.items()) == [
        ("mapping_id", made["mapping_id"]), ("value", "m1"), ("type", "rate"), ("cost", "0.1"), ("service_id", None),
        ("field_id", field_id), ("group_id", None), ("tenant_id", None), ("created_at", "2026-11-10T12:30:15.123456"),
        ("start", "2026-11-10T12:30:15.123456"), ("end", "3000-01-01T23:59:59"), ("name", "n"), ("description", None),
        ("deleted", None), ("created_by", made["created_by"]), ("updated_by", None), ("deleted_by", None)]
    assert http("GET", f"/mappings/{made['mapping_id']}") == (200, made)
    assert http("GET", "/mappings") == (200, {"mappings": [made]})


def test_a_mapping_of_a_service_has_no_value(http, service_id):
    made = http.ok("POST", f"/services/{service_id}/mappings", {"cost": "0.000000000000000000000001"})
    assert (made["value"], made["cost"], made["service_id"]) == ("", "0.000000000000000000000001", service_id)
    assert len(made["name"]) == 32
    assert http("GET", f"/services/{service_id}/mappings") == (200, {"mappings": [made]})


@pytest.mark.parametrize(("body", "text"), [
    ({"field_id": NOBODY, "service_id": NOBODY}, "You can only specify one parent."),
    ({}, "You must specify one parent."),
    ({"service_id": NOBODY}, f"No such service: None (UUID: {NOBODY})"),
    ({"field_id": NOBODY, "value": "v"}, f"No such field: {NOBODY}"),
    ({"service_id": NOBODY, "type": "fail"}, TYPE_PROBLEM),
    ({"service_id": NOBODY, "value": 3}, "value: "),
    ({"service_id": "42"}, "service_id: '42' is not a UUID"),
    ({"service_id": NOBODY, "cost": "much"}, "cost: "),
    ({"service_id": NOBODY, "start": "soon"}, "start: "),
    ({"service_id": NOBODY, "unknown": 1}, "unknown: "),
])
def test_c29_a_bad_mapping_is_refused_with_what_is_wrong(http, body, text):
    status, found = http.refused("POST", "/mappings", {"cost": "0.2", **body})
    assert status == 400
    assert text in found


def test_a_threshold_needs_a_level(http, service_id):
    status, text = http.refused("POST", "/thresholds", {"service_id": service_id, "type": "flat", "cost": "0.2"})
    assert status == 400
    assert "Invalid input for field/attribute level. Value: 'None'. Mandatory field missing." in text


def test_c28_a_start_in_the_past_is_refused_unless_forced(http, service_id):
    body = {"cost": 1, "start": "2026-11-01T00:00:00"}
    assert http.refused("POST", f"/services/{service_id}/mappings", body)[0] == 400
    assert http.refused("POST", "/mappings?force=false", body | {"service_id": service_id})[0] == 400
    assert http("POST", "/mappings?force=true", body | {"service_id": service_id})[0] == 201


def test_c29_times_with_an_offset_are_accepted_and_utc_is_answered(http, service_id):
    made = http.ok("POST", "/mappings", {"cost": 1, "service_id": service_id, "start": "2027-01-01T02:00:00+02:00"})
    assert made["start"] == "2027-01-01T00:00:00"


def test_c30_a_running_mapping_is_ended_by_the_object_that_was_read(http, field_id):
    made = http.ok("POST", "/mappings", {"field_id": field_id, "value": "m1", "cost": "0.10", "type": "rate"})
    http.wait(hours=1)
    url = f"/mappings/{made['mapping_id']}"
    status, text = http.refused("PUT", url, made | {"cost": "0.2"})
    assert status == 400
    assert text.startswith("You are allowed to update only the attribute [end] as this rule is already running as it "
                           "started on [2026-11-10 12:30:15.123456]")
    assert http("PUT", "/mappings/", made | {"end": "3000-01-01T23:59:59"})[0] == 302
    assert http("PUT", url, made | {"end": "3000-01-02"})[0] == 400
    found = http.ok("GET", url)
    assert found == made | {"end": "3000-01-01T23:59:59", "updated_by": made["created_by"]}


def test_a_mapping_that_has_not_begun_is_changed_and_its_url_answered(http, field_id):
    made = http.ok("POST", "/mappings", {"field_id": field_id, "value": "m1", "cost": 1, "start": "2027-01-01"})
    assert http("PUT", f"/mappings/{made['mapping_id']}", {"cost": 2}) == (302, None)
    assert http.headers["Location"] == f"{ROOT}/mappings/{made['mapping_id']}"
    assert http.ok("GET", f"/mappings/{made['mapping_id']}")["cost"] == "2"
    assert http.refused("PUT", "/mappings/42", {"cost": 2}) == (404, "No such mapping: 42")
    assert http.refused("PUT", f"/mappings/{made['mapping_id']}", {"cost": 2, "value": ""}) == (
        400, "You must specify a value for a field mapping.")


def test_a_deleted_mapping_is_found_and_listed_on_request(http, field_id):
    made = http.ok("POST", "/mappings", {"field_id": field_id, "value": "m1", "cost": 1})
    http.wait(hours=1)
    assert http("DELETE", "/mappings/", {"mapping_id": made["mapping_id"]}) == (204, None)
    assert http.ok("GET", f"/mappings/{made['mapping_id']}")["deleted"] == "2026-11-10T13:30:15.123456"
    assert http.ok("GET", "/mappings?deleted=false") == {"mappings": []}
    assert len(http.ok("GET", "/mappings?deleted=true")["mappings"]) == 1
    assert http.refused("DELETE", f"/mappings/{made['mapping_id']}") == (404, f"No such mapping: {made['mapping_id']}")


def test_filters_of_a_list(http, field_id, service_id):
    group_id = http.ok("POST", "/groups", {"name": "g"})["group_id"]
    body = {"field_id": field_id, "value": "m1", "cost": 1}
    plain = http.ok("POST", "/mappings", body | {"description": "100%"})["mapping_id"]
    grouped = http.ok("POST", "/mappings", body | {"group_id": group_id})["mapping_id"]
    tenant = http.ok("POST", "/mappings", body | {"tenant_id": "t"})["mapping_id"]
    for query, expected in (
            ("", [plain, grouped, tenant]), (f"?field_id={field_id}", [plain, grouped, tenant]),
            (f"?service_id={service_id}", []), (f"?group_id={group_id}", [grouped]),
            ("?no_group=true", [plain, tenant]), ("?no_group=false", [plain, grouped, tenant]),
            ("?filter_tenant=true&tenant_id=t", [tenant]), ("?filter_tenant=true", [plain, grouped]),
            ("?description=0%25", [plain]), ("?end=3000-01-01", []), ("?is_active=true", [plain, grouped, tenant]),
            ("?start=2026-11-10", [plain, grouped, tenant])):
        found = http.ok("GET", f"/mappings{query}")["mappings"]
        assert [one["mapping_id"] for one in found] == expected, query
    for url in (f"/groups/{group_id}/mappings", f"/groups/mappings?group_id={group_id}"):
        assert [one["mapping_id"] for one in http.ok("GET", url)["mappings"]] == [grouped]
    assert http("GET", f"/groups/{NOBODY}/mappings") == (200, {"mappings": []})
    assert http.refused("GET", "/mappings?colour=blue")[0] == 400


def test_c29_thresholds_are_listed_without_a_filter_and_changed_in_place(http, service_id):
    group = http.ok("POST", "/groups", {"name": "g"})
    status, made = http("POST", "/thresholds", {"service_id": service_id, "level": 10, "cost": 0.9, "type": "rate",
                                                "group_id": group["group_id"], "tenant_id": "t"})
    url = f"/thresholds/{made['threshold_id']}"
    assert (status, http.headers["Location"]) == (201, ROOT + url)
    assert list(made.items()) == [
        ("threshold_id", made["threshold_id"]), ("level", "10"), ("type", "rate"), ("cost", "0.9"),
        ("service_id", service_id), ("field_id", None), ("group_id", group["group_id"]), ("tenant_id", "t")]
    for query in ("", f"?service_id={service_id}", f"?group_id={group['group_id']}"):
        assert http("GET", f"/thresholds{query}") == (200, {"thresholds": [made]})
    for other in (f"/groups/{group['group_id']}/thresholds", f"/groups/thresholds?group_id={group['group_id']}"):
        assert http("GET", other) == (200, {"thresholds": [made]})
    for other in (f"{url}/group", f"/thresholds/group?threshold_id={made['threshold_id']}"):
        assert http("GET", other) == (200, group)
    http.wait(hours=1)
    assert http("PUT", url, {"level": 20, "cost": 1}) == (302, None)
    changed = made | {"level": "20", "cost": "1", "type": "flat", "tenant_id": None}
    assert http("GET", "/thresholds") == (200, {"thresholds": [changed]})
    assert http("GET", url) == (200, changed)
    assert http("DELETE", url) == (204, None)
    assert http.refused("DELETE", url) == (404, f"No such threshold: {made['threshold_id']}")
    assert http("GET", "/thresholds") == (200, {"thresholds": []})


def test_c20_a_threshold_twice_is_a_conflict(http, service_id):
    body = {"service_id": service_id, "level": "10", "cost": 1}
    http.ok("POST", "/thresholds", body)
    assert http.refused("POST", "/thresholds", body | {"level": "10.00"})[0] == 409


def test_i8_m16_a_mapping_whose_service_or_field_is_gone_is_not_found(http, service_id, field_id):
    of_field = http.ok("POST", "/mappings", {"field_id": field_id, "value": "m1", "cost": 1})["mapping_id"]
    of_service = http.ok("POST", "/mappings", {"service_id": service_id, "cost": 1})["mapping_id"]
    assert http("DELETE", f"/mappings/{of_field}")[0] == 204
    assert http("GET", f"/mappings/{of_field}")[0] == 200          # a deleted one is found, while its field is there
    assert http("DELETE", f"/fields/{field_id}")[0] == 204
    assert [http("GET", f"/mappings/{one}")[0] for one in (of_field, of_service)] == [404, 200]
    assert http("DELETE", f"/services/{service_id}")[0] == 204
    for one in (of_field, of_service):
        status, answer = http("GET", f"/mappings/{one}")
        assert (status, answer["faultstring"]) == (404, f"No such mapping: {one}")
        assert http("GET", f"/mappings/{one}/group")[0] == 404
    # A service of the same name is another one; who asks for deleted ones still sees what there was.
    http.ok("POST", "/services", {"name": "instance"})
    assert http("GET", f"/mappings/{of_service}")[0] == 404
    assert {one["mapping_id"] for one in http.ok("GET", "/mappings?deleted=true")["mappings"]} == {of_field, of_service}


def test_i8_m16_an_ended_mapping_whose_value_is_removed_is_refused_in_cloudkittys_words(http, field_id):
    made = http.ok("POST", "/mappings?force=true", {
        "field_id": field_id, "type": "flat", "start": "2014-01-01", "end": "2014-01-02", "name": "teste4",
        "cost": "0.2", "value": "fail"})
    status, answer = http("PUT", f"/mappings/{made['mapping_id']}", {"type": "rate", "cost": "0.2", "value": ""})
    assert (status, answer["faultstring"]) == (
        400, "Cannot update a rule that was already processed and has a defined end date.")
    later = http.ok("POST", "/mappings", {"field_id": field_id, "value": "m1", "cost": 1, "start": "2999-01-01"})
    assert http("PUT", f"/mappings/{later['mapping_id']}", {"cost": "0.2", "value": ""})[0] == 400


def test_i8_m15_an_end_with_a_blank_is_that_time_and_a_date_the_end_of_the_day(http, field_id):
    body = {"field_id": field_id, "value": "m1", "cost": 1}
    assert http.ok("POST", "/mappings", body | {"end": "2999-01-01 10:00:00"})["end"] == "2999-01-01T10:00:00"
    assert http.ok("POST", "/mappings", body | {"value": "m2", "end": "2999-01-01"})["end"] == "2999-01-01T23:59:59"


def test_i8_m15_a_second_threshold_for_every_tenant_is_a_conflict(http, field_id):
    body = {"field_id": field_id, "level": "10", "cost": 1}
    http.ok("POST", "/thresholds", body)
    assert http("POST", "/thresholds", body)[0] == 409
