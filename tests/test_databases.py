from sqlalchemy import inspect

from cloudkitty_like.db import tables


def test_a_new_database_has_every_table(database):
    assert set(inspect(database.engine).get_table_names()) == set(tables.metadata.tables)
