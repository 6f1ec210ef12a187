"""Who asks, and whose usage they may see."""
from __future__ import annotations

from dataclasses import dataclass

from cloudkitty_like.domain.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever a request comes from.  ``is_admin``: may see every scope.

    ``project_id`` and ``domain_id`` are those of the token; None where it has none.
    """

    user_id: str = ""
    project_id: str | None = None
    domain_id: str | None = None
    roles: frozenset[str] = frozenset()
    is_admin: bool = False

    def own_scope(self, scope_key: str) -> str | None:
        """The only scope that a caller who is no admin may see; None: none at all.

        Whatever ``scope_key`` is called, the scope is the token's project; its domain where scopes are domains.
        """
        return (self.domain_id if scope_key == "domain_id" else self.project_id) or None


def visible(caller: Caller, scope_key: str,
            scopes: frozenset[str] | None = None) -> frozenset[str] | None:
    """Which of the wanted scopes (None: all there are) the caller may see; None: all there are.

    A caller without a scope sees the empty set, which is nothing, and never None.
    """
    if caller.is_admin:
        return scopes
    own = caller.own_scope(scope_key)
    mine = frozenset() if own is None else frozenset({own})
    return mine if scopes is None else mine & scopes


def required(caller: Caller, scope_key: str,
             scopes: frozenset[str] | None) -> frozenset[str] | None:
    """As :func:`visible`, but to ask for what one may not see is Forbidden rather than an empty answer."""
    visible_scopes = visible(caller, scope_key, scopes)
    if scopes is not None and visible_scopes != scopes:
        raise Forbidden("these scopes are not the caller's")
    return visible_scopes
