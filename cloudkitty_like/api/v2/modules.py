"""``/v2/rating/modules``: which rating modules there are, and in which order they run."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudkitty_like.api.context import Context, RouteAnswer
from cloudkitty_like.api.fields import BooleanField, IntegerField, TextField
from cloudkitty_like.api.params import (
    FLAG,
    TEXT,
    WHOLE,
    Param,
    accepts,
    list_of,
    object_of,
    returns,
)
from cloudkitty_like.domain.change import Change
from cloudkitty_like.service.pricing import modules
from cloudkitty_like.service.pricing.modules import ModuleInfo

MODULE = object_of(module_id=TEXT, description=TEXT, enabled=FLAG, hot_config=FLAG, priority=WHOLE)


@dataclass(frozen=True)
class ModuleRoutes:
    """Modules, by name."""

    modules: modules.Modules

    @returns(object_of(modules=list_of(MODULE)))
    def get_all(self, context: Context) -> Any:
        """All of them."""
        return {"modules": [_written(module) for module in self.modules.known()]}

    @returns(MODULE)
    @accepts(module_id=Param(TextField()))
    def get_one(self, context: Context, module_id: str) -> Any:
        """One of them."""
        return _written(self.modules.named(module_id))

    @accepts(module_id=Param(TextField()), enabled=Param(BooleanField(), None), priority=Param(IntegerField(), None))
    def put(self, context: Context, module_id: str, enabled: bool | None, priority: int | None) -> Any:
        """Switches a module, or gives it another priority."""
        self.modules.decide(module_id, Change(context.now, context.author, "api"), enabled=enabled, priority=priority)
        return RouteAnswer(status=204)


def _written(module: ModuleInfo) -> dict[str, Any]:
    return {"module_id": module.name, "description": module.description or module.problem, "enabled": module.enabled,
            "hot_config": module.configurable, "priority": module.priority}
