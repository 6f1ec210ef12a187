"""CloudKitty's service-to-collector mappings and collector states: kept for its clients, read by nothing else."""
from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from cloudkitty_like.db.tables import collector_mapping, collector_state


def mappings(tx: Connection, collector: str | None = None) -> list[tuple[str, str]]:
    """Service and collector of each, by service; those of one collector where it is given."""
    query = select(collector_mapping.c.service, collector_mapping.c.collector).order_by(collector_mapping.c.service)
    if collector is not None:
        query = query.where(collector_mapping.c.collector == collector)
    return [(row.service, row.collector) for row in tx.execute(query)]


def collector_of(tx: Connection, service: str) -> str | None:
    """The collector of a service; None where it has none."""
    query = select(collector_mapping.c.collector).where(collector_mapping.c.service == service)
    return tx.execute(query).scalar()


def put_mapping(tx: Connection, service: str, collector: str) -> None:
    changed = update(collector_mapping).where(collector_mapping.c.service == service).values(collector=collector)
    if not tx.execute(changed).rowcount and collector_of(tx, service) is None:
        tx.execute(insert(collector_mapping).values(service=service, collector=collector))


def remove_mapping(tx: Connection, service: str) -> bool:
    """Whether there was one."""
    return tx.execute(delete(collector_mapping).where(collector_mapping.c.service == service)).rowcount > 0


def state(tx: Connection, name: str) -> bool:
    """Whether somebody has switched a collector on."""
    query = select(collector_state.c.enabled).where(collector_state.c.name == name)
    return bool(tx.execute(query).scalar())


def put_state(tx: Connection, name: str, enabled: bool) -> None:
    there = tx.execute(select(collector_state.c.name).where(collector_state.c.name == name)).first()
    if there is None:
        tx.execute(insert(collector_state).values(name=name, enabled=int(enabled)))
    else:
        tx.execute(update(collector_state).where(collector_state.c.name == name).values(enabled=int(enabled)))
