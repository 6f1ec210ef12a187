import pytest
from sqlalchemy import delete

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.tables import appended, point, series
from cloudkitty_like.storage.sqlalchemy import SqlalchemyStorage
from cloudkitty_like.testing.databases import KINDS
from cloudkitty_like.testing.storage import StorageContract
from tests.databases import new_database


@pytest.fixture(scope="module", params=KINDS)
def database(request):
    with new_database(request.param) as made:
        yield made


class TestInTheStateDatabase(StorageContract):
    @pytest.fixture
    def storage(self, database):
        with database.write() as tx:
            for table in (point, appended, series):
                tx.execute(delete(table))
        self.database = database
        return SqlalchemyStorage(database, shares_transaction=True)

    def append(self, storage, *additions):
        with self.database.write() as transaction:
            storage.append(additions, transaction)


class TestInADatabaseOfItsOwn(StorageContract):
    @pytest.fixture
    def storage(self):
        with new_database("sqlite", create=False) as database:
            yield SqlalchemyStorage(Database(str(database)))
