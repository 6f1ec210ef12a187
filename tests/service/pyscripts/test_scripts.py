from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from cloudkitty_like.domain.errors import Conflict, Invalid, NotFound
from cloudkitty_like.domain.rule import Validity
from cloudkitty_like.service.pyscripts.scripts import Scripts
from cloudkitty_like.service.rule_changes.validity import ValidityFilter
from tests.service.hashmaps import selects
from tests.service.scripting import DAY, HOUR, NOW, Workshop

NOBODY = "de23e3fe-0097-11e6-a44d-2b09512e61d9"


# --- one at a time, as over the API ------------------------------------------------------------------

def test_a_script_is_read_as_it_was_made(workshop):
    text = "x = 'größe ☃'\n" + "#" * 70_000
    made = workshop.add("größe'; --", text, "eve", order=-3, description="long\n" * 500, start=NOW + DAY,
                        end=NOW + 2 * DAY)
    assert workshop.get(made.id) == made
    assert workshop.scripts.scripts(NOW) == [made]
    version, audit = made.version, made.audit_info
    assert (version.name, made.text, version.order, version.description, version.valid, version.version) == (
        "größe'; --", text, -3, "long\n" * 500, Validity(NOW + DAY, NOW + 2 * DAY), 1)
    assert (audit.created_at, audit.created_by, audit.updated_by, audit.deleted_at) == (NOW, "eve", None, None)
    assert workshop.held(NOW + DAY) == [text]


def test_c15_times_are_instants_whatever_their_offset(bench):
    made = bench.add(start=(NOW + DAY).astimezone(None))
    assert made.version.valid == Validity(NOW + DAY)
    assert bench.held(NOW + DAY - timedelta(microseconds=1)) == []
    assert bench.held(NOW + DAY) == ["a = 0"]


def test_c16_a_script_starts_now_and_not_when_the_service_did(bench):
    bench.wait(5 * DAY)
    assert bench.add().version.valid == Validity(NOW + 5 * DAY)


def test_c17_a_deleted_script_has_ended_and_still_rates_what_was_before(workshop):
    made = workshop.add()
    first = workshop.changes()
    workshop.wait()
    workshop.remove(made.id)
    assert workshop.held(NOW) == ["a = 0"]
    assert workshop.held(NOW + HOUR) == []
    assert workshop.held(NOW + HOUR, first) == ["a = 0"]
    assert (workshop.names(), workshop.names(deleted=True), workshop.names(deleted=True, deleted_by="eve")) == (
        [], ["one"], ["one"])
    with pytest.raises(NotFound, match=f"No such script: None .UUID: {made.id}"):
        workshop.get(made.id)
    with pytest.raises(NotFound):
        workshop.remove(made.id)


def test_c18_a_name_is_of_one_script_at_a_time(workshop):
    made = workshop.add(end=NOW + HOUR)
    workshop.wait(DAY)
    with pytest.raises(Conflict, match=f"Script one already exists .UUID: {made.id}"):
        workshop.add(data="a = 1")
    assert workshop.add("One").version.name == "One"


def test_c19_every_state_of_a_script_is_kept_with_author_and_time(workshop):
    made = workshop.add(start=NOW + DAY)
    first = workshop.changes()
    workshop.wait()
    workshop.change(made.id, data="a = 1", start=NOW + 2 * DAY)
    second = workshop.changes()
    workshop.wait()
    workshop.change(made.id, "eve", description="d")
    assert [workshop.held(NOW + 3 * DAY, change) for change in (first, second, None)] == [
        ["a = 0"], ["a = 1"], ["a = 1"]]
    (old,), (new,) = workshop.provenance(NOW + 3 * DAY, first), workshop.provenance(NOW + 3 * DAY)
    assert (old.id, old.version, old.author, old.recorded_at, old.valid) == (
        made.id, 1, "ann", NOW, Validity(NOW + DAY))
    assert (new.id, new.version, new.author, new.recorded_at, new.valid, new.description) == (
        made.id, 2, "bob", NOW + HOUR, Validity(NOW + 2 * DAY), "d")
    assert workshop.get(made.id).audit_info.updated_by == "eve"
    assert [(one.version, one.known) for one in workshop.scripts.versions("one")] == [(1, False), (2, True)]


def test_c30_what_was_read_and_is_sent_back_changes_nothing(bench):
    made = bench.add(order=4, description="d")
    bench.wait()
    before, version = bench.changes(), made.version
    whole = {"name": "one", "data": made.text, "checksum": version.checksum, "order": 4, "description": "d",
             "start": version.valid.begin, "end": None}
    assert bench.change(made.id, **whole) == made
    assert bench.change(made.id, **whole | {"order": None, "start": None, "data": None}) == made
    assert bench.changes() == before
    for other in ({"data": "a = 1"}, {"order": 0}, {"name": "two"}, {"description": None}, {"start": NOW + HOUR}):
        with pytest.raises(Invalid, match=r"only the attribute \[end\]"):
            bench.change(made.id, **whole | other | {"checksum": None})
    with pytest.raises(Invalid, match="checksum: "):
        bench.change(made.id, **whole | {"checksum": "0"})


def test_c49_a_deleted_name_can_be_used_again(workshop):
    first = workshop.add()
    workshop.wait()
    workshop.remove(first.id)
    second = workshop.add(data="a = 1")
    assert second.id != first.id
    assert (workshop.held(NOW), workshop.held(NOW + HOUR)) == (["a = 0"], ["a = 1"])


def test_a_deleted_script_gives_way_to_one_that_is_forced_to_start_before_its_end(workshop):
    first = workshop.add()
    workshop.wait(10 * HOUR)
    workshop.remove(first.id)
    second = workshop.add(data="a = 1", start=NOW + HOUR, end=NOW + 2 * HOUR, force=True, author="bob")
    assert [workshop.held(NOW + hours * HOUR) for hours in (0, 1, 2, 10)] == [["a = 0"], ["a = 1"], ["a = 0"], []]
    assert {(one.id, one.version, one.author) for one in workshop.provenance(NOW + 2 * HOUR)} == {
        (first.id, 2, "bob")}
    assert workshop.names(deleted=True) == ["one", "one"]
    assert workshop.get(second.id).version.version == 1


def test_one_that_has_not_begun_is_withdrawn_when_it_is_deleted(bench):
    made = bench.add(start=NOW + DAY)
    bench.wait()
    bench.remove(made.id)
    assert bench.held(NOW + 2 * DAY) == []
    (seen,) = bench.scripts.scripts(bench.now, ValidityFilter(deleted=True), texts=False)
    assert (seen.audit_info.deleted_at, seen.audit_info.deleted_by,
            seen.version.valid) == (NOW + HOUR, "eve", Validity(NOW + DAY))


def test_what_does_not_compile_is_not_kept(bench):
    made = bench.add(start=NOW + DAY)
    before = bench.changes()
    for call in (lambda: bench.add("two", "b = (\n"), lambda: bench.change(made.id, data="\nb = ("),
                 lambda: bench.release("b = (")):
        with pytest.raises(Invalid, match=r"data: line [12]: .* was never closed"):
            call()
    assert bench.changes() == before


def test_what_cannot_be_kept_is_not_even_compiled(sqlite):
    asked = []
    scripts = Scripts(sqlite, lambda name, text: asked.append(text))
    bench = Workshop(sqlite)
    bench.scripts = scripts
    made = bench.add(start=NOW + DAY)
    with pytest.raises(Invalid, match="data: longer than 262144 characters"):
        bench.add("two", "#" * (256 * 1024 + 1))
    with pytest.raises(Invalid, match="data: longer"):
        bench.release("#" * (256 * 1024 + 1))
    bench.change(made.id, description="its text is as it was")
    assert asked == ["a = 0"]


def test_of_two_who_make_a_name_at_once_one_is_refused(workshop):
    def make(number):
        try:
            return workshop.add(data=f"a = {number}").id
        except Conflict:
            return None

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(make, range(4)))
    assert len([one for one in made if one]) == 1
    assert len(workshop.scripts.scripts(NOW)) == 1


# --- by name, as on the command line -------------------------------------------------------------------

def test_a_new_text_is_the_next_version_of_the_same_script(workshop):
    workshop.release("a = 0", author="ann", order=3, description="d")
    workshop.wait()
    done = workshop.release("a = 1")
    (before, after), = done.changed.values()
    assert (before.valid, after.valid) == (Validity(NOW), Validity(NOW, NOW + HOUR))
    assert (workshop.held(NOW), workshop.held(NOW + HOUR)) == (["a = 0"], ["a = 1"])
    (old,), (new,) = workshop.provenance(NOW), workshop.provenance(NOW + HOUR)
    assert old.id == new.id
    assert [(one.version, one.author, one.recorded_at, one.order, one.description) for one in (old, new)] == [
        (1, "ann", NOW, 3, "d"), (2, "bob", NOW + HOUR, 3, "d")]
    seen = workshop.get(new.id)
    assert (seen.text, seen.audit_info.created_by, seen.audit_info.updated_by) == ("a = 1", "ann", "bob")


def test_the_same_text_is_nothing_to_do(workshop):
    workshop.release("a = 0")
    before = workshop.changes()
    workshop.wait()
    assert not workshop.release("a = 0")
    assert workshop.changes() == before


def test_a_text_that_comes_back_is_kept_once_and_is_a_version_of_its_own(workshop):
    for text in ("a = 0", "a = 1", "a = 0"):
        workshop.release(text)
        workshop.wait()
    versions = workshop.scripts.versions("one")
    assert [one.version for one in versions] == [1, 2, 3]
    assert versions[0].checksum == versions[2].checksum
    assert [workshop.held(NOW + hours * HOUR) for hours in range(3)] == [["a = 0"], ["a = 1"], ["a = 0"]]


def test_a_version_can_be_made_for_later_and_until_then_the_old_one_is_shown(bench):
    bench.release("a = 0")
    bench.release("a = 1", begin=NOW + DAY)
    seen = bench.scripts.named("one", NOW)
    assert (seen.text, seen.version.valid, bench.scripts.named("one", NOW + DAY).text) == (
        "a = 0", Validity(NOW, NOW + DAY), "a = 1")
    with pytest.raises(Invalid, match="has a defined end date"):
        bench.change(seen.id, end=NOW + 2 * DAY)
    bench.wait()
    bench.remove(seen.id)
    assert bench.held(NOW + 2 * DAY) == []
    assert [(one.known, one.deleted) for one in bench.scripts.versions("one")] == [(True, True), (False, False)]


def test_the_past_is_changed_only_where_that_is_said(bench):
    bench.release("a = 0", begin=NOW - 9 * DAY)
    assert bench.held(NOW - DAY) == ["a = 0"]
    bench.release("a = 1", retroactive=True)
    assert bench.held(NOW - 9 * DAY) == ["a = 1"]
    bench.release("b = 0", name="two", retroactive=True)
    assert bench.held(NOW - 999 * DAY) == ["b = 0"]


def test_a_dry_run_records_nothing(bench):
    assert bench.release("a = 0", dry_run=True).added is not None
    assert bench.changes() == 0


def test_a_script_is_ended_by_name_or_id(workshop):
    workshop.release("a = 0")
    workshop.release("a = 1", begin=NOW + DAY)
    identity = workshop.scripts.versions("one")[0].id
    workshop.wait()
    workshop.end(identity, NOW + 2 * DAY)
    assert (workshop.held(NOW + DAY), workshop.held(NOW + 2 * DAY)) == (["a = 1"], [])
    workshop.end()
    assert (workshop.held(NOW), workshop.held(NOW + HOUR), workshop.held(NOW + DAY)) == (["a = 0"], [], [])
    assert workshop.get(identity).audit_info.deleted_at is None
    with pytest.raises(Conflict, match="it has ended"):
        workshop.end()
    workshop.release("a = 2", begin=NOW + 3 * DAY)
    assert workshop.scripts.versions("one")[-1].id == identity


def test_a_script_whose_next_version_is_taken_back_is_not_deleted(bench):
    bench.release("a = 0", end=NOW + HOUR)
    bench.release("a = 1", begin=NOW + DAY)
    bench.wait(2 * HOUR)
    done = bench.end()
    assert (list(done.withdrawn), list(done.changed)) == ([2], [])
    assert bench.names() == ["one"]
    assert bench.scripts.named("one", bench.now).text == "a = 0"


def test_a_script_is_deleted_by_name_and_its_name_is_free(bench):
    bench.release("a = 0")
    bench.wait()
    identity = bench.scripts.delete("one", bench.by())
    for call in (lambda: bench.scripts.delete("one", bench.by()), lambda: bench.end(identity)):
        with pytest.raises(NotFound, match="is deleted"):
            call()
    bench.release("a = 1")
    assert bench.scripts.versions("one")[0].id != identity
    assert bench.scripts.versions(identity)[0].deleted
    for call in (lambda: bench.scripts.versions(NOBODY), lambda: bench.end("nobody"),
                 lambda: bench.scripts.named("", NOW)):
        with pytest.raises(NotFound, match="no script is called"):
            call()


def test_p3_scripts_are_listed_by_two_questions(bench):
    for number in range(40):
        bench.add(f"n{number}", f"a = {number}")
    with selects(bench.database) as asked:
        assert len(bench.scripts.scripts(NOW)) == 40
    assert len(asked) == 2
    with selects(bench.database) as asked:
        assert len(bench.held(NOW)) == 40
    assert len(asked) == 1


def test_who_changes_scripts_when_and_why_is_in_the_history_of_rules(bench):
    bench.release("a = 0")
    with bench.database.read() as tx:
        row = tx.exec_driver_sql("SELECT author, cause, reason FROM rule_change").one()
    assert tuple(row) == ("bob", "tests", "why")
