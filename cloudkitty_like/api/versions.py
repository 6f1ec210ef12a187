"""``/``: which versions of the API there are."""
from __future__ import annotations

from typing import Any

from cloudkitty_like.api.context import Context
from cloudkitty_like.api.params import TEXT, list_of, object_of, returns

STATUS = {"v1": "CURRENT", "v2": "EXPERIMENTAL"}       # as CloudKitty calls them


VERSION = object_of(id=TEXT, status=TEXT, links=list_of(object_of(href=TEXT, rel=TEXT)))


class VersionRoutes:
    """Public: clients ask it before they have a token."""

    @returns(object_of(versions=list_of(VERSION)))
    def get_all(self, context: Context) -> Any:
        """The versions, each with its URL."""
        return {"versions": [
            {"id": name, "status": status,
             "links": [{"href": f"{context.url}/{name}", "rel": "self"}]}
            for name, status in STATUS.items()]}

    @returns(object_of(version=VERSION))
    def v1(self, context: Context) -> Any:
        """The first version."""
        return self._one(context, "v1")

    @returns(object_of(version=VERSION))
    def v2(self, context: Context) -> Any:
        """The second version."""
        return self._one(context, "v2")

    def _one(self, context: Context, name: str) -> Any:
        return {"version": {"id": name, "status": STATUS[name],
                            "links": [{"href": f"{context.url}/{name}", "rel": "self"}]}}
