"""One table of holes: what was accepted as empty, what is unknown and what was skipped."""
from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cloudkitty_like.db.types import InstantColumn, SecondColumn, Serial, text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ACCEPTED = sa.table("accepted_gap", *map(sa.column, ("id", "scope_id", "begin", "end", "tx")))
HOLE = sa.table("hole", *map(sa.column, ("id", "scope_id", "begin", "end", "kind", "tx",
                                         "recorded_from", "recorded_to")))
SCOPE = sa.table("scope", sa.column("id"), sa.column("due"))


def upgrade() -> None:
    """What was accepted as empty stays so, under the change that said it."""
    op.create_table(
        "hole",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("scope_id", Serial, sa.ForeignKey("scope.id")),
        sa.Column("begin", SecondColumn, nullable=False),
        sa.Column("end", SecondColumn, nullable=False),
        sa.Column("kind", text(16), nullable=False),
        sa.Column("tx", Serial, sa.ForeignKey("ledger_tx.id"), nullable=False),
        sa.Column("recorded_from", Serial, sa.ForeignKey("ledger_tx.id"), nullable=False),
        sa.Column("recorded_to", Serial, sa.ForeignKey("ledger_tx.id")),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("retry_at", InstantColumn),
    )
    op.create_index(None, "hole", ["scope_id", "begin"])
    op.create_index(None, "hole", ["recorded_to"])
    op.execute(sa.insert(HOLE).from_select(
        ["scope_id", "begin", "end", "kind", "tx", "recorded_from"],
        sa.select(ACCEPTED.c.scope_id, ACCEPTED.c.begin, ACCEPTED.c.end,
                  sa.literal_column("'accepted'"), ACCEPTED.c.tx, ACCEPTED.c.tx)
        .order_by(ACCEPTED.c.id)))
    op.drop_table("accepted_gap")


def downgrade() -> None:
    """What is accepted stays so; a scope goes back to its first other hole, to be rated there."""
    op.create_table(
        "accepted_gap",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("begin", SecondColumn, nullable=False),
        sa.Column("end", SecondColumn, nullable=False),
        sa.Column("scope_id", Serial, sa.ForeignKey("scope.id")),
        sa.Column("tx", Serial, sa.ForeignKey("ledger_tx.id"), nullable=False),
    )
    there = HOLE.c.recorded_to.is_(None)
    op.execute(sa.insert(ACCEPTED).from_select(
        ["scope_id", "begin", "end", "tx"],
        sa.select(HOLE.c.scope_id, HOLE.c.begin, HOLE.c.end, HOLE.c.tx).where(
            there, HOLE.c.kind == sa.literal_column("'accepted'")).order_by(HOLE.c.id)))
    first = sa.select(sa.func.min(HOLE.c.begin)).where(
        there, HOLE.c.kind != sa.literal_column("'accepted'"),
        HOLE.c.scope_id == SCOPE.c.id).scalar_subquery()
    op.execute(sa.update(SCOPE).where(first < SCOPE.c.due).values(due=first))
    op.drop_table("hole")
