"""Run by Alembic for every command; :mod:`cloudkitty_like.service.operation.migration` hands it the connection."""
from __future__ import annotations

from alembic import context
from sqlalchemy import MetaData

# How constraints and indexes are named where a migration does not say.  Part of the history: it must not change.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

context.configure(connection=context.config.attributes["connection"], target_metadata=MetaData(naming_convention=NAMES))
with context.begin_transaction():
    context.run_migrations()
