"""The state database: every table, on one page.  The Alembic history makes the same; a test compares them.

Amounts are kept as two integers, ``*_whole`` and ``*_part``
(:mod:`cloudkitty_like.domain.money`), instants as integers
(:mod:`cloudkitty_like.db.types`).
"""
from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from cloudkitty_like.db.types import Digest, Document, InstantColumn, SecondColumn, Serial, text
from cloudkitty_like.domain.money import TOTAL_LIMIT

metadata = MetaData(naming_convention={
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
})


def _amounts(*names: str) -> list[Column[int]]:
    return [Column(f"{name}_{piece}", BigInteger, nullable=False, default=0)
            for name in names for piece in ("whole", "part")]


# --- the ledger's index -----------------------------------------------------------------------

# What every frame here has in common, fixed at the first start: period, scope_key.  And the last revision given out,
# and how far points were forgotten (:mod:`cloudkitty_like.db.ledger.visibility`).
ledger_setting = Table(
    "ledger_setting", metadata,
    Column("name", text(64), primary_key=True),
    Column("value", text(255), nullable=False),
)

ledger_tx = Table(
    "ledger_tx", metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", InstantColumn, nullable=False),
    Column("author", text(255), nullable=False),
    Column("cause", text(64), nullable=False),         # rating, accept-empty, reset ...
    Column("reason", Text, nullable=False, default=""),
)

scope = Table(
    "scope", metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("identifier", text(255), nullable=False, unique=True),
    Column("scope_key", text(255), nullable=False),
    Column("fetcher", text(64), nullable=False),
    Column("collector", text(64), nullable=False),
    Column("shard_hash", Integer, nullable=False),     # of the identifier; modulo the number of shards
    Column("active", SmallInteger, nullable=False, default=1),
    Column("seen_at", InstantColumn, nullable=False),        # when the fetcher first found it
    Column("starts_at", SecondColumn),                       # where rating starts, where that was given
    Column("first", SecondColumn),                           # begin of the first period; null: not started
    Column("due", SecondColumn),                             # begin of the next period to rate; null: not started
    # What is wrong with it.
    Column("failures", Integer, nullable=False, default=0),    # in a row
    Column("error", Text),
    Column("error_kind", text(16)),                    # source, rating
    Column("error_at", InstantColumn),
    Column("retry_at", InstantColumn),                       # not before
    Column("parked_ruleset", BigInteger),              # rating failed under this version; wait for another
    Column("toggled_at", InstantColumn),                     # when it was last switched on or off; null: never
)
Index(None, scope.c.due)

# Numbers for revisions.  A row stands from allocation until its revisions are published or purged.
revision_block = Table(
    "revision_block", metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("at", InstantColumn, nullable=False),
    # 1: given up; its points are being purged and it can no longer be published.
    Column("given_up", SmallInteger, nullable=False, default=0),
)

frame = Table(
    "frame", metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("scope_id", ForeignKey("scope.id"), nullable=False),
    Column("begin", SecondColumn, nullable=False),
    Column("end", SecondColumn, nullable=False),
    Column("origin", text(16), nullable=False),        # collected, posted, timeline
    Column("published", ForeignKey("ledger_tx.id"), nullable=False),
    Column("superseded", ForeignKey("ledger_tx.id")),
    # 1 or null, and nulls are distinct in a unique key on all three databases: one current frame.
    Column("current", SmallInteger),
    Column("ruleset", BigInteger, nullable=False),
    Column("digest", Digest, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("task", BigInteger),                        # the reprocess_task that made it; null: none did
    # 1: its points are being purged, and count on no more; 2: they are gone.  Its totals stay.
    Column("forgotten", SmallInteger),
    UniqueConstraint("scope_id", "begin", "origin", "current"),
)
Index(None, frame.c.begin)
Index(None, frame.c.superseded)
Index(None, frame.c.published)

total = Table(
    "total", metadata,
    Column("revision", ForeignKey("frame.revision"), primary_key=True),
    Column("metric", text(255), primary_key=True),
    Column("unit", text(64), primary_key=True),
    *_amounts("qty", "price"),
    Column("points", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
)


def _rollup(name: str) -> Table:
    return Table(
        name, metadata,
        Column("begin", SecondColumn, primary_key=True),     # of the day or the month
        Column("scope_id", ForeignKey("scope.id"), primary_key=True),
        Column("metric", text(255), primary_key=True),
        Column("unit", text(64), primary_key=True),
        *_amounts("qty", "price"),
        Column("points", BigInteger, nullable=False),
        Column("unpriced", BigInteger, nullable=False),
        # SQLite would go on in floating point where a sum leaves 64 bits.
        *(CheckConstraint(f"{name}_whole BETWEEN -{TOTAL_LIMIT} AND {TOTAL_LIMIT}", name=f"{name}_in_range")
          for name in ("qty", "price")),
        # Every period updates these rows: with room in its page a row's new state replaces the old one there.
        postgresql_with={"fillfactor": 50},
    )


# Current frames only, kept in the transaction that publishes.
day_total = _rollup("day_total")
month_total = _rollup("month_total")

# Stretches of which the ledger does not know the usage: unknown (the source was not alive) and skipped (somebody
# decided so).  And accepted ones, of which an operator has said that an empty answer of the source is true.
# A row is never changed, but ends: where a part of it is rated the rest stands on as another row.
hole = Table(
    "hole", metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("scope_id", ForeignKey("scope.id")),        # null: every scope; of accepted ones alone
    Column("begin", SecondColumn, nullable=False),
    Column("end", SecondColumn, nullable=False),
    Column("kind", text(16), nullable=False),          # accepted, unknown, skipped
    Column("tx", ForeignKey("ledger_tx.id"), nullable=False),              # who left it, when and why
    Column("recorded_from", ForeignKey("ledger_tx.id"), nullable=False),
    Column("recorded_to", ForeignKey("ledger_tx.id")),     # null: it is there now
    # Of an unknown one: how often the source was asked again, and when it is asked next.
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("retry_at", InstantColumn),                       # null: at once
)
Index(None, hole.c.scope_id, hole.c.begin)
Index(None, hole.c.recorded_to)

# Which scopes a change has taken back, or forward over a hole, and from where.
scope_reset = Table(
    "scope_reset", metadata,
    Column("tx", ForeignKey("ledger_tx.id"), primary_key=True),
    Column("scope_id", ForeignKey("scope.id"), primary_key=True),
    Column("was_due", SecondColumn),                         # null: it had not started
    Column("due", SecondColumn, nullable=False),
)

# --- points: the sqlalchemy storage, by default in the same database ----------------------------

series = Table(
    "series", metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("scope", text(255), nullable=False),
    Column("metric", text(255), nullable=False),
    Column("unit", text(64), nullable=False),
    Column("groupby", Text, nullable=False),           # a JSON object
    Column("metadata", Text, nullable=False),          # a JSON object
    Column("digest", Digest, nullable=False, unique=True),
)

# Which scope and period a revision's points are of.
appended = Table(
    "appended", metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("scope", text(255), nullable=False),
    Column("begin", SecondColumn, nullable=False),
    Column("end", SecondColumn, nullable=False),
    Column("collected", SmallInteger, nullable=False, default=0),  # 1: kept beside the rated rows, though it be nothing
)
Index(None, appended.c.begin)
Index(None, appended.c.scope, appended.c.begin)


def _clusters(*_: Any, dialect: Dialect, **__: Any) -> bool:
    """Whether this database keeps a table in its primary key; those that do not get a smaller index instead."""
    return dialect.name != "postgresql"


# Points kept beside revision r as they were collected stand under -r.  PostgreSQL keeps a table and its
# primary key apart, 31 bytes a point; an index on the revision alone, which repeats, takes it 7.
# Of the amounts null is zero, which takes no room then, but of price_part: there it is "unpriced".
point = Table(
    "point", metadata,
    Column("revision", BigInteger, nullable=False, autoincrement=False),
    Column("series", BigInteger, nullable=False, autoincrement=False),
    Column("qty_whole", BigInteger),
    Column("qty_part", BigInteger),
    Column("price_whole", BigInteger),
    Column("price_part", BigInteger),
    PrimaryKeyConstraint("revision", "series").ddl_if(callable_=_clusters),
    sqlite_with_rowid=False,
)
Index(None, point.c.revision).ddl_if(dialect="postgresql")

# --- rules: everything here has two times, and nothing is overwritten ---------------------------

rule_change = Table(
    "rule_change", metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    # The change before it (0: none).  Unique, so of two writers at once one has to look again:
    # changes form a chain, and who sees one sees all before it.
    Column("previous", BigInteger, nullable=False, unique=True),
    Column("at", InstantColumn, nullable=False),
    Column("author", text(255), nullable=False),
    Column("cause", text(64), nullable=False),         # apply, modules, api ...
    Column("reason", Text, nullable=False, default=""),
)

# A row is one recorded state of a rule; ``rule_id`` stays the same through its changes.
hashmap_rule = Table(
    "hashmap_rule", metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("rule_id", text(36), nullable=False),
    Column("service", text(255), nullable=False),      # a metric's alt_name
    Column("field", text(255)),                        # a label; null: the service itself
    Column("value", text(255)),                        # a mapping of a field
    Column("level", text(64)),                         # a threshold, as decimal text
    Column("type", text(8), nullable=False),           # flat, rate
    Column("cost", text(64), nullable=False),          # decimal text
    Column("group_name", text(255), nullable=False, default=""),
    Column("scope", text(255)),                        # null: every scope
    Column("name", text(255), nullable=False, default=""),
    Column("description", Text, nullable=False, default=""),
    Column("valid_from", InstantColumn),                     # null: from always
    Column("valid_to", InstantColumn),                       # null: for ever
    Column("recorded_from", ForeignKey("rule_change.id"), nullable=False),
    Column("recorded_to", ForeignKey("rule_change.id")),
    # When somebody deleted it: it has ended then, and still prices what was before.
    Column("deleted_at", InstantColumn),
)
Index(None, hashmap_rule.c.rule_id)
Index(None, hashmap_rule.c.recorded_to, hashmap_rule.c.service)

# The ids under which the API knows services, fields and groups; rules name them.
hashmap_name = Table(
    "hashmap_name", metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("name_id", text(36), nullable=False, unique=True),
    Column("kind", text(8), nullable=False),           # service, field, group
    Column("name", text(255), nullable=False),
    Column("service_id", text(36)),                    # of a field: the name_id of its service
    Column("recorded_from", ForeignKey("rule_change.id"), nullable=False),
    Column("recorded_to", ForeignKey("rule_change.id")),
)
Index(None, hashmap_name.c.recorded_to)

# A row is one recorded state of a version of a rating script; ``script_id`` stays the same through all of them.
# Another text or position is another version; of those known together no two hold at the same time.
script = Table(
    "script", metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("script_id", text(36), nullable=False),
    Column("version", Integer, nullable=False, default=1),
    Column("name", text(255), nullable=False),
    Column("checksum", ForeignKey("script_text.checksum"), nullable=False),
    Column("position", Integer, nullable=False, default=0),        # the lowest runs first, then by name
    Column("description", Text, nullable=False, default=""),
    Column("valid_from", InstantColumn),                     # null: from always
    Column("valid_to", InstantColumn),                       # null: for ever
    Column("recorded_from", ForeignKey("rule_change.id"), nullable=False),
    Column("recorded_to", ForeignKey("rule_change.id")),
    # When somebody deleted it: it has ended then, and still rates what was before.
    Column("deleted_at", InstantColumn),
)
Index(None, script.c.script_id)
Index(None, script.c.recorded_to)

script_text = Table(
    "script_text", metadata,
    Column("checksum", text(128), primary_key=True),   # SHA-512, in hex
    Column("data", Document, nullable=False),
)

rating_module = Table(
    "rating_module", metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("name", text(64), nullable=False),
    Column("enabled", SmallInteger, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("recorded_from", ForeignKey("rule_change.id"), nullable=False),
    Column("recorded_to", ForeignKey("rule_change.id")),
)
Index(None, rating_module.c.recorded_to)

metrics_document = Table(
    "metrics_document", metadata,
    Column("digest", text(64), primary_key=True),      # SHA-256, in hex
    Column("text", Document, nullable=False),
    Column("at", InstantColumn, nullable=False),
)

# By which definitions the ledger is rated: the last row holds.  Whoever adds one has serialised the ledger's changes.
metrics_acceptance = Table(
    "metrics_acceptance", metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("digest", ForeignKey("metrics_document.digest"), nullable=False),
    Column("skip", Text, nullable=False),              # the skip expression of metrics that have none of their own
    Column("at", InstantColumn, nullable=False),
    Column("author", text(255), nullable=False),
    Column("explicit", SmallInteger, nullable=False),  # 1: by 'metrics accept'; 0: by a worker that was alone
    Column("reason", Text, nullable=False),
)

# All that a price depends on, by one number.
ruleset = Table(
    "ruleset", metadata,
    Column("version", Serial, primary_key=True, autoincrement=True),
    Column("change", BigInteger, nullable=False),      # rule_change.id; 0: before the first
    Column("metrics", ForeignKey("metrics_document.digest"), nullable=False),
    Column("software", text(64), nullable=False),
    Column("at", InstantColumn, nullable=False),
    UniqueConstraint("change", "metrics", "software"),
)

# --- what the API keeps ---------------------------------------------------------------------------

# CloudKitty's clients write and read these two; nothing else does.
collector_mapping = Table(
    "collector_mapping", metadata,
    Column("service", text(255), primary_key=True),
    Column("collector", text(255), nullable=False),
)

collector_state = Table(
    "collector_state", metadata,
    Column("name", text(255), primary_key=True),
    Column("enabled", SmallInteger, nullable=False),
)

# Periods that somebody wants rated again: [begin, end).
reprocess_task = Table(
    "reprocess_task", metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("scope_id", ForeignKey("scope.id"), nullable=False),
    Column("begin", SecondColumn, nullable=False),
    Column("end", SecondColumn, nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", text(255), nullable=False),
    Column("created_at", InstantColumn, nullable=False),
    Column("due", SecondColumn),                             # begin of the next period to rate again; null: not begun
    Column("ended_at", InstantColumn),
    # Where the quantities come from: source, stored; or undo, which brings former revisions back.
    Column("kind", text(16), nullable=False, server_default="source"),
    Column("undoes", BigInteger),                      # the reprocess_task whose revisions these are to replace
    Column("cancelled_by", text(255)),                 # null: it was not
    Column("changed", BigInteger, nullable=False, server_default="0"),     # periods that got a new revision
    Column("left_alone", BigInteger, nullable=False, server_default="0"),  # of an undo: changed by somebody else since
    # What is wrong with it, as with a scope.
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("error_kind", text(16)),
    Column("error_at", InstantColumn),
    Column("retry_at", InstantColumn),
    Column("parked_ruleset", BigInteger),
)
Index(None, reprocess_task.c.scope_id)
Index(None, reprocess_task.c.ended_at)

# What the periods that a task has been through added up to, before it and after.
reprocess_total = Table(
    "reprocess_total", metadata,
    Column("task", ForeignKey("reprocess_task.id"), primary_key=True),
    Column("after", SmallInteger, primary_key=True, autoincrement=False),  # 0: before
    Column("metric", text(255), primary_key=True),
    Column("unit", text(64), primary_key=True),
    *_amounts("qty", "price"),
    Column("points", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
    *(CheckConstraint(f"{name}_whole BETWEEN -{TOTAL_LIMIT} AND {TOTAL_LIMIT}", name=f"{name}_in_range")
      for name in ("qty", "price")),
)

# --- workers ------------------------------------------------------------------------------------

worker = Table(
    "worker", metadata,
    Column("id", text(255), primary_key=True),         # host:pid:start
    Column("host", text(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", InstantColumn, nullable=False),
    Column("seen_at", InstantColumn, nullable=False),
    Column("doing", text(255), nullable=False),
    Column("since", InstantColumn, nullable=False),
    Column("periods", BigInteger, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("stages", Text, nullable=False),            # a JSON object: seconds per stage
    Column("requests", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False, server_default="0"),    # of requests
    Column("metrics", text(64)),                       # digest of its metric definitions; null: it has read none
    Column("blocked", text(16)),                       # what keeps it from rating; null: nothing
)
