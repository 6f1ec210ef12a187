from types import SimpleNamespace

from cloudkitty_like.cli import dbsync
from cloudkitty_like.cli.main import Parser
from cloudkitty_like.service import migration
from tests.databases import new_database


def called(database, *argv):
    parser = Parser()
    dbsync.arguments(parser)
    return dbsync.run(parser.parse_args(argv), SimpleNamespace(database=database))


def test_a_new_database_is_brought_to_this_release_and_stays_there(capsys):
    with new_database("sqlite", create=False) as database:
        assert called(database, "version") == 1
        assert f"schema none, this release needs {migration.head()}" in capsys.readouterr().out
        assert called(database, "upgrade") == 0
        assert f"schema {migration.head()}, was empty" in capsys.readouterr().out
        assert called(database, "upgrade") == 0
        assert f"schema {migration.head()}, as before" in capsys.readouterr().out
        assert called(database, "version") == 0


def test_an_upgrade_may_stop_at_a_revision():
    with new_database("sqlite", create=False) as database:
        assert called(database, "upgrade", "--revision", "0001") == 0
        assert migration.version(database) == "0001"
