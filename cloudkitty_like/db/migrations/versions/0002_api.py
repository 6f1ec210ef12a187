"""What the API needs: ids of hashmap's names, deleted rules, requests to rate again, and CloudKitty's inert tables."""
from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from cloudkitty_like.db.types import InstantColumn, SecondColumn, Serial, text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("hashmap_name", "collector_mapping", "collector_state", "reprocess_task")


def upgrade() -> None:
    """The tables and columns, and an id for every name that rules have used so far."""
    op.add_column("scope", sa.Column("toggled_at", InstantColumn))
    op.add_column("worker", sa.Column("failures", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("hashmap_rule", sa.Column("deleted_at", InstantColumn))
    op.create_table(
        "hashmap_name",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("name_id", text(36), nullable=False),
        sa.Column("kind", text(8), nullable=False),
        sa.Column("name", text(255), nullable=False),
        sa.Column("service_id", text(36)),
        sa.Column("recorded_from", Serial, sa.ForeignKey("rule_change.id"), nullable=False),
        sa.Column("recorded_to", Serial, sa.ForeignKey("rule_change.id")),
        sa.UniqueConstraint("name_id"),
    )
    op.create_index(None, "hashmap_name", ["recorded_to"])
    op.create_table(
        "collector_mapping",
        sa.Column("service", text(255), primary_key=True),
        sa.Column("collector", text(255), nullable=False),
    )
    op.create_table(
        "collector_state",
        sa.Column("name", text(255), primary_key=True),
        sa.Column("enabled", sa.SmallInteger, nullable=False),
    )
    op.create_table(
        "reprocess_task",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("scope_id", Serial, sa.ForeignKey("scope.id"), nullable=False),
        sa.Column("begin", SecondColumn, nullable=False),
        sa.Column("end", SecondColumn, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("author", text(255), nullable=False),
        sa.Column("created_at", InstantColumn, nullable=False),
        sa.Column("due", SecondColumn),
        sa.Column("ended_at", InstantColumn),
    )
    op.create_index(None, "reprocess_task", ["scope_id"])
    _name_what_there_is()


def downgrade() -> None:
    """As it was before; names that no rule uses are gone, and deleted rules are ended ones."""
    for name in reversed(TABLES):
        op.drop_table(name)
    for table, column in (("hashmap_rule", "deleted_at"), ("worker", "failures"), ("scope", "toggled_at")):
        with op.batch_alter_table(table) as batch:
            batch.drop_column(column)


def _name_what_there_is() -> None:
    rule = sa.table("hashmap_rule", *map(sa.column, ("service", "field", "group_name", "recorded_from")))
    columns = ("name_id", "kind", "name", "service_id", "recorded_from")
    name = sa.table("hashmap_name", *map(sa.column, columns))
    found = op.get_bind().execute(
        sa.select(rule.c.service, rule.c.field, rule.c.group_name, sa.func.min(rule.c.recorded_from))
        .group_by(rule.c.service, rule.c.field, rule.c.group_name)).all()
    rows: dict[tuple[str, str, str | None], dict[str, object]] = {}

    def add(kind: str, text: str, service_id: str | None, since: int) -> str:
        row = rows.setdefault((kind, text, service_id), dict(zip(columns, (str(uuid4()), kind, text, service_id, since),
                                                                 strict=True)))
        row["recorded_from"] = min(since, int(str(row["recorded_from"])))
        return str(row["name_id"])

    for service, field, group, since in found:
        service_id = add("service", service, None, since)
        if field is not None:
            add("field", field, service_id, since)
        if group:
            add("group", group, None, since)
    if rows:
        op.get_bind().execute(sa.insert(name), list(rows.values()))
