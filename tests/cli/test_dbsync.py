from types import SimpleNamespace

from cloudkitty_like.cli import dbsync
from cloudkitty_like.cli.main import Parser
from cloudkitty_like.db import schema
from tests.commands import Here
from tests.databases import new_database


def called(database, *argv):
    parser = Parser()
    dbsync.arguments(parser)
    return dbsync.run(parser.parse_args(argv), SimpleNamespace(database=database))


def test_a_new_database_is_brought_to_this_release_and_stays_there(capsys):
    with new_database("sqlite", create=False) as database:
        assert called(database, "version") == 1
        assert f"schema none, this release needs {schema.NEEDED}" in capsys.readouterr().out
        assert called(database, "upgrade") == 0
        assert f"schema {schema.NEEDED}, was empty" in capsys.readouterr().out
        assert called(database, "upgrade") == 0
        assert f"schema {schema.NEEDED}, as before" in capsys.readouterr().out
        assert called(database, "version") == 0


def test_an_upgrade_may_stop_at_a_revision():
    with new_database("sqlite", create=False) as database:
        assert called(database, "upgrade", "--revision", "0001") == 0
        assert schema.version(database) == "0001"


def test_to_ask_for_the_version_makes_no_database(tmp_path, capsys):
    here = Here(capsys)
    (tmp_path / "rating.conf").write_text(f"[database]\nconnection = sqlite:///{tmp_path}/state/rating.sqlite\n")
    ran = here("--config-file", tmp_path / "rating.conf", "dbsync", "version")
    assert (ran.code, ran.err) == (1, "")
    assert "schema none, this release needs" in ran.out
    assert not (tmp_path / "state").exists()
