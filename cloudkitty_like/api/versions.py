"""``/``: which versions of the API there are."""
from __future__ import annotations

from typing import Any

from cloudkitty_like.api.context import Context

STATUS = {"v1": "CURRENT", "v2": "EXPERIMENTAL"}       # as CloudKitty calls them


class Versions:
    """Public: clients ask it before they have a token."""

    def get_all(self, context: Context) -> Any:
        """The versions, each with its URL."""
        return {"versions": [
            {"id": name, "status": status, "links": [{"href": f"{context.url}/{name}", "rel": "self"}]}
            for name, status in STATUS.items()]}

    def v1(self, context: Context) -> Any:
        """The first version."""
        return self._one(context, "v1")

    def v2(self, context: Context) -> Any:
        """The second version."""
        return self._one(context, "v2")

    def _one(self, context: Context, name: str) -> Any:
        return {"version": {"id": name, "status": STATUS[name],
                            "links": [{"href": f"{context.url}/{name}", "rel": "self"}]}}
