import pytest

ROOT = "http://localhost/v1/rating/module_config/hashmap"
NOBODY = "d28490b2-fb3c-11e5-988b-eb9539c935dc"


@pytest.fixture
def service(http):
    return http.ok("POST", "/services", {"name": "instance"})


def test_types(http):
    assert http("GET", "/types/") == (200, ["flat", "rate"])


def test_a_service_is_made_listed_read_and_removed(http):
    status, made = http("POST", "/services/", {"name": "instance"})
    assert (status, http.headers["Location"]) == (201, f"{ROOT}/services/{made['service_id']}")
    assert list(made) == ["service_id", "name"]
    assert http("GET", "/services") == (200, {"services": [made]})
    assert http("GET", f"/services/{made['service_id']}") == (200, made)
    assert http("DELETE", f"/services/{made['service_id']}") == (204, None)
    assert http.refused("GET", f"/services/{made['service_id']}") == (
        404, f"No such service: None (UUID: {made['service_id']})")


def test_a_field_is_listed_with_its_service_only(http, service):
    status, made = http("POST", "/fields", {"name": "flavor", "service_id": service["service_id"]})
    assert (status, http.headers["Location"]) == (201, f"{ROOT}/fields/{made['field_id']}")
    assert made == {"field_id": made["field_id"], "name": "flavor", "service_id": service["service_id"]}
    for url, body in ((f"/fields?service_id={service['service_id']}", None), ("/fields/", service | {}),
                      (f"/services/{service['service_id']}/fields", None)):
        wanted = None if body is None else {"service_id": body["service_id"]}
        assert http("GET", url, wanted) == (200, {"fields": [made]})
    assert http("GET", f"/fields?service_id={NOBODY}") == (200, {"fields": []})
    assert http.refused("GET", "/fields")[0] == 400
    assert http.refused("POST", "/fields", {"name": "f", "service_id": NOBODY}) == (
        400, f"No such service: None (UUID: {NOBODY})")
    assert http.refused("POST", "/fields", {"name": "f", "service_id": "42"})[0] == 400
    assert http("DELETE", f"/fields/{made['field_id']}") == (204, None)
    assert http.refused("GET", f"/fields/{made['field_id']}") == (404, f"No such field: {made['field_id']}")


def test_a_name_twice_is_a_conflict_that_tells_the_id(http, service):
    assert http.refused("POST", "/services", {"name": "instance"}) == (
        409, f"Service instance already exists (UUID: {service['service_id']})")
    assert http.refused("POST", "/services", {"name": ""}) == (400, "name: is empty")
    assert http.refused("POST", "/services", {})[0] == 400
    assert http.refused("POST", "/services", {"name": "n", "more": 1})[0] == 400


def test_an_id_may_be_in_the_body_as_clients_have_it(http, service):
    assert http("DELETE", "/services/", {"service_id": service["service_id"]}) == (204, None)
    assert http.refused("DELETE", "/services/")[0] == 400


def test_there_is_no_renaming(http, service):
    assert http("PUT", f"/services/{service['service_id']}", {"name": "other"})[0] == 405


def test_c27_a_group_is_not_removed_recursively_where_that_is_false(http, service):
    group = http.ok("POST", "/groups", {"name": "g"})
    assert http.headers["Location"] == f"{ROOT}/groups/{group['group_id']}"
    rule = http.ok("POST", "/mappings", {"service_id": service["service_id"], "cost": 1,
                                         "group_id": group["group_id"]})
    assert http("GET", f"/mappings/{rule['mapping_id']}/group") == (200, group)
    assert http("GET", f"/mappings/group?mapping_id={rule['mapping_id']}") == (200, group)
    http.wait(hours=1)
    assert http("DELETE", f"/groups/{group['group_id']}?recursive=false") == (204, None)
    assert http.ok("GET", f"/mappings/{rule['mapping_id']}")["group_id"] is None
    assert http.refused("GET", f"/mappings/{rule['mapping_id']}/group") == (
        404, f"Mapping has no group (UUID: {rule['mapping_id']})")
    assert http("GET", "/groups") == (200, {"groups": []})
