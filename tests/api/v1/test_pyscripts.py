from hashlib import sha512

import pytest

ROOT = "http://localhost/v1/rating/module_config/pyscripts"
NOBODY = "42cbbc67-4b9a-4bd8-8ab9-8d17c2fd8a3e"
NO_SUCH = f"No such script: None (UUID: {NOBODY})"
CHECKSUM = ("4c612e33c0e40b7bf53cf95fad47dbfbeab9dd62f9bc181a9d1c6f40a0877822"
            "23c23f793e747b0466b9e6998c6ea54f4edbd20febd13edb13b55074b5ee1a5a")
BODY = {"name": "one", "data": "a = 0"}


def url(made):
    return f"/scripts/{made['script_id']}"


def names(scripts, query=""):
    return [one["name"] for one in scripts.ok("GET", f"/scripts{query}")["scripts"]]


def test_c49_a_script_is_answered_with_all_its_attributes_and_its_location_has_the_id_once(scripts):
    status, made = scripts("POST", "/scripts/", BODY | {"end": "3000-01-01", "description": "d", "order": 7})
    assert (status, scripts.headers["Location"]) == (201, ROOT + url(made))
    assert list(made.items()) == [
        ("script_id", made["script_id"]), ("name", "one"), ("data", "a = 0"), ("checksum", CHECKSUM),
        ("created_at", "2026-11-10T12:30:15.123456"), ("start", "2026-11-10T12:30:15.123456"),
        ("end", "3000-01-01T23:59:59"), ("description", "d"), ("deleted", None), ("created_by", made["created_by"]),
        ("updated_by", None), ("deleted_by", None), ("order", 7)]
    assert scripts("GET", url(made)) == scripts("GET", f"{url(made)}/") == (200, made)
    assert scripts("GET", "/scripts") == (200, {"scripts": [made]})


def test_without_their_texts_they_have_no_data(scripts):
    made = scripts.ok("POST", "/scripts", BODY)
    for asked in ("true", "1", "True"):
        (listed,) = scripts.ok("GET", f"/scripts/?no_data={asked}")["scripts"]
        assert listed == {name: value for name, value in made.items() if name != "data"}
    assert scripts.ok("GET", "/scripts?no_data=false")["scripts"] == [made]


@pytest.mark.parametrize(("body", "text"), [
    ({"name": "n"}, "data: "), ({"data": "a = 0"}, "name: "), ({"name": "", "data": "a = 0"}, "name: is empty"),
    ({"name": "n", "data": ""}, "data: is empty"), ({"name": "n", "data": 3}, "data: 3 is not a text"),
    ({"name": "n" * 256, "data": "a = 0"}, "name: longer than 255"), ({**BODY, "checksum": "0"}, "checksum: is not"),
    ({**BODY, "order": "first"}, "order: "), ({**BODY, "order": 2**31}, "order: "), ({**BODY, "colour": 1}, "colour: "),
    ({**BODY, "end": "2026-11-10T12:00:00Z"}, "end: "), ({**BODY, "start": "soon"}, "start: "),
    ({**BODY, "data": "a = 0\nb = (\n"}, "data: line 2: '(' was never closed"), ({**BODY, "data": "a\0"}, "data: "),
])
def test_c29_a_bad_script_is_refused_with_what_is_wrong(scripts, body, text):
    status, found = scripts.refused("POST", "/scripts", body)
    assert status == 400
    assert text in found
    assert scripts.ok("GET", "/scripts?deleted=true") == {"scripts": []}


def test_s19_a_script_has_a_size(scripts):
    most = "#" * (256 * 1024)
    assert scripts("POST", "/scripts", {"name": "most", "data": most})[0] == 201
    status, text = scripts.refused("POST", "/scripts", {"name": "more", "data": most + "#"})
    assert (status, text) == (400, "data: is longer than 262144 characters")


def test_c29_times_with_an_offset_are_accepted_and_utc_is_answered(scripts):
    made = scripts.ok("POST", "/scripts", BODY | {"start": "2027-01-01T02:00:00+02:00"})
    assert made["start"] == "2027-01-01T00:00:00"


def test_c28_a_start_in_the_past_is_refused_unless_forced(scripts):
    body = BODY | {"start": "2026-11-01T00:00:00"}
    assert scripts.refused("POST", "/scripts?force=false", body)[0] == 400
    assert scripts.ok("POST", "/scripts?force=true", body)["start"] == "2026-11-01T00:00:00"


def test_a_name_is_taken_until_its_script_is_deleted(scripts):
    made = scripts.ok("POST", "/scripts", BODY)
    assert scripts.refused("POST", "/scripts", BODY | {"data": "a = 1"}) == (
        409, f"Script one already exists (UUID: {made['script_id']})")
    scripts.wait(hours=1)
    assert scripts("DELETE", url(made)) == (204, None)
    again = scripts.ok("POST", "/scripts", BODY)
    assert again["script_id"] != made["script_id"]
    assert names(scripts, "?deleted=true") == ["one", "one"]


def test_what_is_not_there_is_a_404_in_the_words_that_clients_know(scripts):
    for method, body in (("GET", None), ("PUT", BODY), ("DELETE", None)):
        assert scripts.refused(method, f"/scripts/{NOBODY}", body) == (404, NO_SUCH)
    made = scripts.ok("POST", "/scripts", BODY)
    scripts.wait(hours=1)
    assert scripts("DELETE", "/scripts/", {"script_id": made["script_id"]}) == (204, None)
    for method in ("GET", "DELETE"):
        assert scripts.refused(method, url(made)) == (404, NO_SUCH.replace(NOBODY, made["script_id"]))
    (listed,) = scripts.ok("GET", "/scripts?deleted=1")["scripts"]
    assert (listed["deleted"], listed["deleted_by"], listed["end"]) == (
        "2026-11-10T13:30:15.123456", made["created_by"], "2026-11-10T13:30:15.123456")


def test_c30_a_running_script_is_ended_by_the_object_that_was_read(scripts):
    made = scripts.ok("POST", "/scripts", BODY)
    scripts.wait(hours=1)
    status, text = scripts.refused("PUT", url(made), made | {"data": "a = 1", "checksum": None})
    assert status == 400
    assert text.startswith("You are allowed to update only the attribute [end] as this rule is already running as it "
                           "started on [2026-11-10 12:30:15.123456]")
    for other in ({"name": "two"}, {"order": 1}, {"description": "d"}, {"start": "2027-01-01"}):
        assert scripts.refused("PUT", url(made), made | other)[0] == 400, other
    assert scripts("PUT", "/scripts/", made)[0] == 201
    status, ended = scripts("PUT", "/scripts/", made | {"end": "3000-01-01T23:59:59"})
    assert (status, scripts.headers["Location"]) == (201, ROOT + url(made))
    assert ended == scripts.ok("GET", url(made)) == made | {
        "end": "3000-01-01T23:59:59", "updated_by": made["created_by"]}
    status, text = scripts.refused("PUT", url(made), ended | {"end": "3000-01-02"})
    assert (status, text) == (400, "Cannot update a rule that was already processed and has a defined end date.")
    assert scripts("PUT", url(made), {"name": "one", "end": "3000-01-01"})[0] == 201


def test_a_script_that_has_not_begun_can_be_anything_else(scripts):
    made = scripts.ok("POST", "/scripts", BODY | {"start": "2027-01-01", "description": "d", "end": "2028-01-01"})
    changed = scripts.ok("PUT", url(made), {"name": "two", "data": "a = 1", "order": 2, "start": "2027-02-01"})
    assert {name: changed[name] for name in ("name", "data", "order", "start", "end", "description")} == {
        "name": "two", "data": "a = 1", "order": 2, "start": "2027-02-01T00:00:00", "end": None, "description": None}
    assert changed["checksum"] == sha512(b"a = 1").hexdigest()
    assert scripts.ok("PUT", url(made), {"name": "two"}) == changed
    assert scripts.refused("PUT", url(made), {"start": "2026-01-01"})[0] == 400
    assert scripts.refused("PUT", url(made), {"data": "a = ("}) == (400, "data: line 1: '(' was never closed")
    scripts.ok("POST", "/scripts", {"name": "one", "data": "a = 2"})
    assert scripts.refused("PUT", url(made), {"name": "one"})[0] == 409


def test_filters_of_a_list(scripts):
    scripts.ok("POST", "/scripts", {"name": "now", "data": "a = 0", "description": "100% So"})
    scripts.ok("POST", "/scripts", {"name": "later", "data": "a = 0", "start": "2027-01-01", "end": "2027-02-01"})
    author = scripts.ok("GET", "/scripts")["scripts"][0]["created_by"]
    for query, expected in (
            ("", ["now", "later"]), ("?is_active=true", ["now"]), ("?is_active=false", ["now", "later"]),
            ("?start=2026-12-01", ["later"]), ("?end=2027-03-01", ["later"]), ("?description=0%25+so", ["now"]),
            (f"?created_by={author}", ["now", "later"]), ("?created_by=x", []), ("?updated_by=x", []),
            ("?deleted_by=x", [])):
        assert names(scripts, query) == expected, query
    assert scripts.refused("GET", "/scripts?colour=blue")[0] == 400
    assert scripts("GET", "/scripts/", {"no_data": True})[0] == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["", "/", "/script", "/script/"])
def test_a_url_that_is_none_answers_no_method(scripts, method, path):
    assert scripts.refused(method, path) == (405, "this URL answers no method")
