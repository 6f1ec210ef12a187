"""The versions of the state database's schema that this release knows."""
from __future__ import annotations

KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006")
"""The revisions of ``db/migrations/versions``, oldest first."""
NEEDED = KNOWN[-1]
"""The version that this release works with."""
