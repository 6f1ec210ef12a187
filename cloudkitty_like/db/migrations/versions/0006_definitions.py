"""The accepted metric definitions, and what each worker measures by and is kept from rating by."""
from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cloudkitty_like.db.types import InstantColumn, Serial, text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "metrics_acceptance",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("digest", text(64), sa.ForeignKey("metrics_document.digest"), nullable=False),
        sa.Column("skip", sa.Text, nullable=False),
        sa.Column("at", InstantColumn, nullable=False),
        sa.Column("author", text(255), nullable=False),
        sa.Column("explicit", sa.SmallInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.add_column("worker", sa.Column("metrics", text(64)))
    op.add_column("worker", sa.Column("blocked", text(16)))


def downgrade() -> None:
    """As it was before; who has accepted which definitions is forgotten."""
    with op.batch_alter_table("worker") as batch:
        for column in ("metrics", "blocked"):
            batch.drop_column(column)
    op.drop_table("metrics_acceptance")
