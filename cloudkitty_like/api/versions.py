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
