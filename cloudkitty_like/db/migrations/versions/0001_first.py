"""The first schema: the ledger's index, points, rules and workers.

Written out, not made from the tables of today: what a migration does must stay
what it did.
"""
from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cloudkitty_like.db.types import Digest, Document, InstantColumn, SecondColumn, Serial, text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "scope", "ledger_setting", "ledger_tx", "revision_block", "accepted_gap", "frame", "total", "day_total",
    "month_total", "series", "appended", "point", "rule_change", "hashmap_rule", "rating_module",
    "metrics_document", "ruleset", "worker",
)


def upgrade() -> None:
    """All tables."""
    _scopes()
    _changes()
    _frames()
    _rollups()
    _points()
    _rules()
    _rulesets()
    _workers()


def downgrade() -> None:
    """No table is left, nor anything that was in one."""
    for name in reversed(TABLES):
        op.drop_table(name)


def _sums() -> list[sa.Column[int]]:
    names = ("qty_whole", "qty_part", "price_whole", "price_part", "points", "unpriced")
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _scopes() -> None:
    op.create_table(
        "scope",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("identifier", text(255), nullable=False),
        sa.Column("scope_key", text(255), nullable=False),
        sa.Column("fetcher", text(64), nullable=False),
        sa.Column("collector", text(64), nullable=False),
        sa.Column("shard_hash", sa.Integer, nullable=False),
        sa.Column("active", sa.SmallInteger, nullable=False),
        sa.Column("seen_at", InstantColumn, nullable=False),
        sa.Column("starts_at", SecondColumn),
        sa.Column("first", SecondColumn),
        sa.Column("due", SecondColumn),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("error_kind", text(16)),
        sa.Column("error_at", InstantColumn),
        sa.Column("retry_at", InstantColumn),
        sa.Column("parked_ruleset", sa.BigInteger),
        sa.UniqueConstraint("identifier"),
    )
    op.create_index(None, "scope", ["due"])


def _changes() -> None:
    op.create_table(
        "ledger_setting",
        sa.Column("name", text(64), primary_key=True),
        sa.Column("value", text(255), nullable=False),
    )
    op.create_table(
        "ledger_tx",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("at", InstantColumn, nullable=False),
        sa.Column("author", text(255), nullable=False),
        sa.Column("cause", text(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "revision_block",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("at", InstantColumn, nullable=False),
        sa.Column("given_up", sa.SmallInteger, nullable=False),
    )
    op.create_table(
        "accepted_gap",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("begin", SecondColumn, nullable=False),
        sa.Column("end", SecondColumn, nullable=False),
        sa.Column("scope_id", Serial, sa.ForeignKey("scope.id")),
        sa.Column("tx", Serial, sa.ForeignKey("ledger_tx.id"), nullable=False),
    )


def _frames() -> None:
    op.create_table(
        "frame",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("scope_id", Serial, sa.ForeignKey("scope.id"), nullable=False),
        sa.Column("begin", SecondColumn, nullable=False),
        sa.Column("end", SecondColumn, nullable=False),
        sa.Column("origin", text(16), nullable=False),
        sa.Column("published", Serial, sa.ForeignKey("ledger_tx.id"), nullable=False),
        sa.Column("superseded", Serial, sa.ForeignKey("ledger_tx.id")),
        sa.Column("current", sa.SmallInteger),
        sa.Column("ruleset", sa.BigInteger, nullable=False),
        sa.Column("digest", Digest, nullable=False),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("scope_id", "begin", "origin", "current"),
    )
    op.create_index(None, "frame", ["begin"])
    op.create_index(None, "frame", ["published"])
    op.create_index(None, "frame", ["superseded"])
    op.create_table(
        "total",
        sa.Column("revision", sa.BigInteger, sa.ForeignKey("frame.revision"), primary_key=True),
        sa.Column("metric", text(255), primary_key=True),
        sa.Column("unit", text(64), primary_key=True),
        *_sums(),
    )


def _rollups() -> None:
    for name in ("day_total", "month_total"):
        op.create_table(
            name,
            sa.Column("begin", SecondColumn, primary_key=True),
            sa.Column("scope_id", Serial, sa.ForeignKey("scope.id"), primary_key=True),
            sa.Column("metric", text(255), primary_key=True),
            sa.Column("unit", text(64), primary_key=True),
            *_sums(),
            *(sa.CheckConstraint(f"{amount}_whole BETWEEN -9000000000000000000 AND 9000000000000000000",
                                 name=f"{amount}_in_range") for amount in ("qty", "price")),
            postgresql_with={"fillfactor": 50},
        )


def _points() -> None:
    # PostgreSQL keeps a table and its primary key apart; an index on the revision alone is much smaller.
    clustered = op.get_bind().dialect.name != "postgresql"
    op.create_table(
        "series",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("scope", text(255), nullable=False),
        sa.Column("metric", text(255), nullable=False),
        sa.Column("unit", text(64), nullable=False),
        sa.Column("groupby", sa.Text, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("digest", Digest, nullable=False),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "appended",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("scope", text(255), nullable=False),
        sa.Column("begin", SecondColumn, nullable=False),
        sa.Column("end", SecondColumn, nullable=False),
        sa.Column("collected", sa.SmallInteger, nullable=False),
    )
    op.create_index(None, "appended", ["begin"])
    op.create_index(None, "appended", ["scope", "begin"])
    op.create_table(
        "point",
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("series", sa.BigInteger, nullable=False),
        sa.Column("qty_whole", sa.BigInteger),
        sa.Column("qty_part", sa.BigInteger),
        sa.Column("price_whole", sa.BigInteger),
        sa.Column("price_part", sa.BigInteger),
        *([sa.PrimaryKeyConstraint("revision", "series")] if clustered else []),
        sqlite_with_rowid=False,
    )
    if not clustered:
        op.create_index(None, "point", ["revision"])


def _rules() -> None:
    op.create_table(
        "rule_change",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("previous", sa.BigInteger, nullable=False),
        sa.Column("at", InstantColumn, nullable=False),
        sa.Column("author", text(255), nullable=False),
        sa.Column("cause", text(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.UniqueConstraint("previous"),
    )
    op.create_table(
        "hashmap_rule",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("rule_id", text(36), nullable=False),
        sa.Column("service", text(255), nullable=False),
        sa.Column("field", text(255)),
        sa.Column("value", text(255)),
        sa.Column("level", text(64)),
        sa.Column("type", text(8), nullable=False),
        sa.Column("cost", text(64), nullable=False),
        sa.Column("group_name", text(255), nullable=False),
        sa.Column("scope", text(255)),
        sa.Column("name", text(255), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("valid_from", InstantColumn),
        sa.Column("valid_to", InstantColumn),
        sa.Column("recorded_from", Serial, sa.ForeignKey("rule_change.id"), nullable=False),
        sa.Column("recorded_to", Serial, sa.ForeignKey("rule_change.id")),
    )
    op.create_index(None, "hashmap_rule", ["recorded_to", "service"])
    op.create_index(None, "hashmap_rule", ["rule_id"])
    op.create_table(
        "rating_module",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("name", text(64), nullable=False),
        sa.Column("enabled", sa.SmallInteger, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("recorded_from", Serial, sa.ForeignKey("rule_change.id"), nullable=False),
        sa.Column("recorded_to", Serial, sa.ForeignKey("rule_change.id")),
    )
    op.create_index(None, "rating_module", ["recorded_to"])


def _rulesets() -> None:
    op.create_table(
        "metrics_document",
        sa.Column("digest", text(64), primary_key=True),
        sa.Column("text", Document, nullable=False),
        sa.Column("at", InstantColumn, nullable=False),
    )
    op.create_table(
        "ruleset",
        sa.Column("version", Serial, primary_key=True, autoincrement=True),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.Column("metrics", text(64), sa.ForeignKey("metrics_document.digest"), nullable=False),
        sa.Column("software", text(64), nullable=False),
        sa.Column("at", InstantColumn, nullable=False),
        sa.UniqueConstraint("change", "metrics", "software"),
    )


def _workers() -> None:
    op.create_table(
        "worker",
        sa.Column("id", text(255), primary_key=True),
        sa.Column("host", text(255), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", InstantColumn, nullable=False),
        sa.Column("seen_at", InstantColumn, nullable=False),
        sa.Column("doing", text(255), nullable=False),
        sa.Column("since", InstantColumn, nullable=False),
        sa.Column("periods", sa.BigInteger, nullable=False),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("stages", sa.Text, nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
    )
