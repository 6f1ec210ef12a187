"""Empty databases for tests and benchmarks."""
from __future__ import annotations

import os
import subprocess
import sys

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.exc import OperationalError

from cloudkitty_like.testing.databases import SERVERS, NoServer, empty_database
from tests.databases import missing
from tests.emptying import disposed


@pytest.mark.parametrize("kind", SERVERS)
def test_a_database_is_empty_and_gone_afterwards(kind):
    try:
        with empty_database(kind) as url, disposed(create_engine(url)) as engine:
            assert inspect(engine).get_table_names() == []
    except NoServer as error:
        missing(str(error))
    with disposed(create_engine(url)) as engine, pytest.raises(OperationalError):
        engine.connect()


def test_a_file_is_gone_afterwards():
    with empty_database("sqlite") as url, disposed(create_engine(url)) as engine:
        engine.connect().close()
    with disposed(create_engine(url)) as engine, pytest.raises(OperationalError):
        engine.connect()


def test_a_server_that_does_not_answer_is_named():
    code = "from cloudkitty_like.testing.databases import *; create_database('postgresql')"
    nobody = {"TEST_POSTGRESQL": "postgresql+psycopg://postgres@127.0.0.1:1"}
    run = subprocess.run([sys.executable, "-c", code], env=os.environ | nobody,
                         capture_output=True, text=True, check=False)
    assert "NoServer: postgresql does not answer at 127.0.0.1:1" in run.stderr
