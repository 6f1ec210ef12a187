import re
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text

from cloudkitty_like.db import schema, tables
from cloudkitty_like.db.engine import Database
from cloudkitty_like.domain.errors import Conflict, Invalid
from cloudkitty_like.domain.period import EPOCH
from cloudkitty_like.domain.schema_version import KNOWN, NEEDED
from cloudkitty_like.service.operation import migration
from cloudkitty_like.testing.databases import KINDS
from tests.databases import new_database

HOUR = timedelta(hours=1)


@pytest.fixture(params=KINDS)
def empty(request):
    with new_database(request.param, create=False) as made:
        yield made


def described(database):
    """Every table with its columns, keys and indexes, as the database itself tells them."""
    look = inspect(database.engine)

    def named(found):
        return {one.get("name") or str(one): {key: str(value) for key, value in one.items()} for one in found}

    return {
        table: (named(look.get_columns(table)), str(look.get_pk_constraint(table)), named(look.get_indexes(table)),
                named(look.get_unique_constraints(table)), named(look.get_foreign_keys(table)))
        for table in look.get_table_names() if table != "alembic_version"}


def wanted(thing, name, kind, reflected, other):
    """Alembic does not know that an index may be for one database alone; what is there is compared as well."""
    return name != "ix_point_revision"


def test_the_history_makes_the_tables_that_the_code_uses_and_takes_them_away_again(empty):
    assert schema.version(empty) is None
    migration.upgrade(empty)
    assert schema.version(empty) == NEEDED
    with empty.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx, opts={"include_object": wanted}), tables.metadata) == []
    made = described(empty)
    migration.downgrade(empty)
    assert set(inspect(empty.engine).get_table_names()) == {"alembic_version"}
    assert schema.version(empty) is None
    migration.upgrade(empty)
    assert described(empty) == made
    migration.downgrade(empty)
    tables.metadata.create_all(empty.engine)
    assert described(empty) == made


def test_c50_a_migration_does_not_use_the_tables_of_today():
    """What it does must stay what it did: nothing of ours may change it but the types, which are part of it."""
    scripts = list(Path(migration.HISTORY, "versions").glob("0*.py"))
    assert scripts
    for script in scripts:
        ours = set(re.findall(r"(?:from|import) +(cloudkitty_like[.\w]*)", script.read_text()))
        assert ours <= {"cloudkitty_like.db.types"}


def test_the_revisions_that_are_known_are_those_that_there_are():
    history = ScriptDirectory(migration.HISTORY)
    assert tuple(reversed([script.revision for script in history.walk_revisions()])) == KNOWN


def test_points_are_kept_in_their_primary_key_on_sqlite():
    with new_database("sqlite", create=False) as database:
        migration.upgrade(database)
        with database.read() as tx:
            assert "WITHOUT ROWID" in tx.execute(text("SELECT sql FROM sqlite_master WHERE name = 'point'")).scalar()


def test_upgrading_again_changes_nothing(empty):
    migration.upgrade(empty)
    with empty.write() as tx:
        tx.execute(tables.ledger_setting.insert(), {"name": "period", "value": "3600"})
    migration.upgrade(empty)
    with empty.read() as tx:
        assert tx.execute(tables.ledger_setting.select()).all() == [("period", "3600")]


def test_a_migration_that_fails_leaves_the_schema_as_it_was():
    with new_database("sqlite", create=False) as database:
        with database.write() as tx:
            tx.execute(text("CREATE TABLE worker (something integer)"))
        with pytest.raises(Exception, match="worker"):
            migration.upgrade(database)
        assert inspect(database.engine).get_table_names() == ["worker"]


def test_upgrading_in_several_places_at_once_is_upgrading_once(empty):
    places = [Database(empty.url.render_as_string(hide_password=False)) for _ in range(3)]
    failures = []

    def run(place):
        try:
            migration.upgrade(place)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(place,)) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place in places:
        place.close()
    assert failures == []
    assert schema.version(empty) == NEEDED


def test_a_database_of_a_newer_release_is_refused(empty):
    migration.upgrade(empty)
    with empty.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert schema.version(empty) == "9999"
    with pytest.raises(Conflict, match="does not know"):
        schema.required(empty)
    for change in (migration.upgrade, migration.downgrade):
        with pytest.raises(Conflict, match="9999"):
            change(empty)


def test_a_revision_that_does_not_exist_is_refused():
    with new_database("sqlite", create=False) as database, pytest.raises(Invalid, match="nowhere"):
        migration.upgrade(database, "nowhere")


def _accepted(database):
    with database.write() as tx:
        tx.execute(text("INSERT INTO ledger_tx (id, at, author, cause, reason) VALUES "
                        "(1, 0, 'kim', 'accept-empty', 'power cut'), (2, 0, 'tester', 'gap', ''), "
                        "(3, 0, 'kim', 'skip', 'moved'), (4, 0, 'kim', 'reset', '')"))
        tx.execute(text("INSERT INTO scope (id, identifier, scope_key, fetcher, collector, shard_hash, active, "
                        "seen_at, failures, first, due) VALUES (1, 'one', 'k', 'f', 'c', 1, 1, 0, 0, 0, 36000), "
                        "(2, 'two', 'k', 'f', 'c', 1, 1, 0, 0, 0, 36000)"))
        end = database.engine.dialect.identifier_preparer.quote("end")
        tx.execute(text(f"INSERT INTO accepted_gap (begin, {end}, scope_id, tx) VALUES (3600, 7200, NULL, 1), "
                        "(7200, 10800, 2, 1)"))


def test_i8_m10_what_was_accepted_as_empty_becomes_a_hole_and_comes_back(empty):
    migration.upgrade(empty, "0004")
    _accepted(empty)
    migration.upgrade(empty)
    columns = (tables.hole.c.scope_id, tables.hole.c.begin, tables.hole.c.end, tables.hole.c.kind, tables.hole.c.tx,
               tables.hole.c.recorded_from, tables.hole.c.recorded_to)
    with empty.read() as tx:
        rows = [tuple(row) for row in tx.execute(select(*columns).order_by(tables.hole.c.id))]
    assert rows == [(None, EPOCH + HOUR, EPOCH + 2 * HOUR, "accepted", 1, 1, None),
                    (2, EPOCH + 2 * HOUR, EPOCH + 3 * HOUR, "accepted", 1, 1, None)]
    with empty.write() as tx:
        tx.execute(tables.hole.insert(), [
            {"scope_id": 2, "begin": EPOCH + 4 * HOUR, "end": EPOCH + 5 * HOUR, "kind": kind, "tx": change,
             "recorded_from": change, "recorded_to": ended}
            for kind, change, ended in (("unknown", 2, 4), ("skipped", 3, None))])
    migration.downgrade(empty, "0004")
    with empty.read() as tx:
        assert [tuple(row) for row in tx.execute(text("SELECT begin, scope_id, tx FROM accepted_gap ORDER BY id"))] == [
            (3600, None, 1), (7200, 2, 1)]
        # What a release before does not know as a hole is due again there, and not taken for rated.
        assert tx.execute(text("SELECT due FROM scope ORDER BY id")).scalars().all() == [36000, 4 * 3600]
