"""CloudKitty's service-to-collector mappings and collector states, which its clients can write and read back."""
from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from cloudkitty_like.db import collectors
from cloudkitty_like.db.engine import Database, conflict
from cloudkitty_like.domain.errors import Invalid, NotFound

LONGEST = 255


@dataclass(frozen=True)
class Collectors:
    """They have no effect on what is collected: every metric is read by the collector of the configuration."""

    database: Database

    def mappings(self, collector: str | None) -> list[tuple[str, str]]:
        """Service and collector of each, by service."""
        with self.database.read() as tx:
            return collectors.mappings(tx, collector)

    def mapping(self, service: str) -> tuple[str, str]:
        """Service and collector; NotFound where the service has none."""
        with self.database.read() as tx:
            collector = collectors.collector_of(tx, service)
        if collector is None:
            raise NotFound(f"No mapping for service: {service}")
        return service, collector

    def put_mapping(self, service: str, collector: str) -> None:
        _check(service=service, collector=collector)
        try:
            self.database.transact(lambda tx: collectors.put_mapping(tx, service, collector))
        except IntegrityError as error:
            raise conflict(error) from error

    def remove_mapping(self, service: str) -> None:
        """NotFound where there is none."""
        if not self.database.transact(lambda tx: collectors.remove_mapping(tx, service)):
            raise NotFound(f"No mapping for service: {service}")

    def state(self, name: str) -> bool:
        with self.database.read() as tx:
            return collectors.state(tx, name)

    def put_state(self, name: str, enabled: bool) -> None:
        _check(name=name)
        try:
            self.database.transact(lambda tx: collectors.put_state(tx, name, enabled))
        except IntegrityError as error:
            raise conflict(error) from error


def _check(**texts: str) -> None:
    problems = [f"{name}: {'is empty' if not text else f'longer than {LONGEST} characters'}"
                for name, text in texts.items() if not 0 < len(text) <= LONGEST]
    if problems:
        raise Invalid(*problems)
