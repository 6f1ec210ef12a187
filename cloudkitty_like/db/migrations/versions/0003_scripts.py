"""Rating scripts."""
from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cloudkitty_like.db.types import Document, InstantColumn, Serial, text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "script_text",
        sa.Column("checksum", text(128), primary_key=True),
        sa.Column("data", Document, nullable=False),
    )
    op.create_table(
        "script",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("script_id", text(36), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("name", text(255), nullable=False),
        sa.Column("checksum", text(128), sa.ForeignKey("script_text.checksum"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("valid_from", InstantColumn),
        sa.Column("valid_to", InstantColumn),
        sa.Column("recorded_from", Serial, sa.ForeignKey("rule_change.id"), nullable=False),
        sa.Column("recorded_to", Serial, sa.ForeignKey("rule_change.id")),
        sa.Column("deleted_at", InstantColumn),
    )
    op.create_index(None, "script", ["script_id"])
    op.create_index(None, "script", ["recorded_to"])


def downgrade() -> None:
    op.drop_table("script")
    op.drop_table("script_text")
