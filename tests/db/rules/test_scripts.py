from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from cloudkitty_like.db import tables
from cloudkitty_like.db.rules import rules, scripts
from cloudkitty_like.db.rules.scripts import ScriptState
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.rule import Validity
from cloudkitty_like.domain.script import MAX_TEXT, Script
from cloudkitty_like.service.rule_changes.change_log import recorded

NOW = datetime(2026, 11, 1, 12, 30, 15, 123456, tzinfo=UTC)
ONE = Script(name="größe ☃'; --", text="a = '☃'", order=-(2**31) + 1, description="long\n" * 500,
             valid=Validity(NOW, NOW + timedelta(days=1)))


def put(database, *wanted, ended=(), author="ann", at=NOW):
    """The number of a change that writes these."""
    def work(tx, number):
        scripts.write(tx, number, ended, wanted)
        return number

    return recorded(database, Change(at, author, "tests"), work)


def known(database, change=None):
    with database.read() as tx:
        return scripts.stored(tx, change)


def test_a_script_is_read_as_it_was_written(database):
    long = Script(name="long", text="#" * MAX_TEXT)
    put(database, ScriptState("i", 1, ONE), ScriptState("j", 1, long))
    assert known(database) == {"i/1": ONE, "j/1": long}
    with database.read() as tx:
        assert rules.stored(tx) == {}
        assert [one.deleted_at for one in scripts.states(tx)] == [None, None]


def test_c17_scripts_can_be_read_as_they_were_known_at_every_change(database):
    first = put(database, ScriptState("i", 1, ONE))
    ended, after = replace(ONE, valid=Validity(NOW, NOW + timedelta(1))), replace(ONE, text="b", valid=Validity(NOW))
    second = put(database, ScriptState("i", 1, ended, NOW), ScriptState("j", 1, after), ended=[("i", 1)], author="bob")
    third = put(database, ended=[("i", 1), ("j", 1)])
    assert [known(database, change) for change in (0, first, second, third, None)] == [
        {}, {"i/1": ONE}, {"i/1": ended, "j/1": after}, {}, {}]
    with database.read() as tx:
        assert [(key, one.author, one.deleted) for key, one in scripts.provenance(tx, second).items()] == [
            ("i/1", "ann", True), ("j/1", "bob", False)]
        assert [(key, one.author, one.deleted) for key, one in scripts.provenance(tx, first).items()] == [
            ("i/1", "ann", False)]
        assert scripts.provenance(tx) == scripts.provenance(tx, 0) == {}


def test_a_text_is_kept_once(database):
    put(database, ScriptState("i", 1, ONE), ScriptState("j", 1, replace(ONE, name="two")))
    put(database, ScriptState("k", 1, replace(ONE, name="three")))
    with database.read() as tx:
        assert tx.execute(select(func.count()).select_from(tables.script_text)).scalar() == 1
        assert scripts.texts(tx, [ONE.checksum, "unknown"]) == {ONE.checksum: ONE.text}
        assert (scripts.newest(tx, "i"), scripts.newest(tx, "nobody")) == (1, 0)


def test_names_that_differ_in_case_accents_or_blanks_are_different(database):
    names = ["one", "One", "one ", "oné"]
    put(database, *(ScriptState(name, 1, replace(ONE, name=name)) for name in names))
    assert [one.name for one in known(database).values()] == names
