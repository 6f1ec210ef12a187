"""A rating module that prices nothing: frames pass as they are."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.ports import PluginContext


class NoopTariff:
    """No rules."""

    def rate(self, scope: str, period: Period, frames: Sequence[Frame]) -> Sequence[Frame]:
        return frames


class NoopModule:
    """For trying out the rest without prices; every point stays unpriced."""

    OPTS: ClassVar[Sequence[Any]] = ()
    description: ClassVar[str] = "Dummy test module."
    enabled_by_default: ClassVar[bool] = False

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        return cls()

    def tariff(self, change: int) -> NoopTariff:
        return NoopTariff()
