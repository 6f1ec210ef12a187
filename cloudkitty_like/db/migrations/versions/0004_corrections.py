"""Tasks that rate the past again, their totals, scopes that were taken back, and points that are forgotten."""
from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from cloudkitty_like.db.types import InstantColumn, SecondColumn, Serial, text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LIMIT = 9 * 10**18


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("kind", text(16), nullable=False, server_default="source"),
        sa.Column("undoes", sa.BigInteger),
        sa.Column("cancelled_by", text(255)),
        sa.Column("changed", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("left_alone", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.Text),
        sa.Column("error_kind", text(16)),
        sa.Column("error_at", InstantColumn),
        sa.Column("retry_at", InstantColumn),
        sa.Column("parked_ruleset", sa.BigInteger),
    ]


def upgrade() -> None:
    op.add_column("frame", sa.Column("task", sa.BigInteger))
    op.add_column("frame", sa.Column("forgotten", sa.SmallInteger))
    for column in _columns():
        op.add_column("reprocess_task", column)
    op.create_index("ix_reprocess_task_ended_at", "reprocess_task", ["ended_at"])
    op.create_table(
        "reprocess_total",
        sa.Column("task", Serial, sa.ForeignKey("reprocess_task.id"), primary_key=True),
        sa.Column("after", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("metric", text(255), primary_key=True),
        sa.Column("unit", text(64), primary_key=True),
        *(sa.Column(f"{name}_{piece}", sa.BigInteger, nullable=False)
          for name in ("qty", "price") for piece in ("whole", "part")),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("unpriced", sa.BigInteger, nullable=False),
        *(sa.CheckConstraint(f"{name}_whole BETWEEN -{LIMIT} AND {LIMIT}", name=f"{name}_in_range")
          for name in ("qty", "price")),
    )
    op.create_table(
        "scope_reset",
        sa.Column("tx", Serial, sa.ForeignKey("ledger_tx.id"), primary_key=True),
        sa.Column("scope_id", Serial, sa.ForeignKey("scope.id"), primary_key=True),
        sa.Column("was_due", SecondColumn),
        sa.Column("due", SecondColumn, nullable=False),
    )


def downgrade() -> None:
    """As it was before; what is forgotten stays so."""
    op.drop_table("scope_reset")
    op.drop_table("reprocess_total")
    op.drop_index("ix_reprocess_task_ended_at", "reprocess_task")
    added = [column.name for column in _columns()]
    for table, columns in (("reprocess_task", added), ("frame", ["task", "forgotten"])):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column)
