"""The scripts as one change finds them, and what it makes of them.

What has been rated stays: a version that has begun is never taken back over
the API, it ends.  See ``doc/source/adr/0014-scripts-are-rules.rst``.
"""
from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection

from cloudkitty_like.db.rules import scripts
from cloudkitty_like.db.rules.scripts import ScriptState
from cloudkitty_like.domain.errors import Conflict, NotFound
from cloudkitty_like.domain.script import Script
from cloudkitty_like.domain.script_diff import ScriptDiff, ScriptVersions
from cloudkitty_like.service.rule_changes.change_log import NothingToRecord

NO_SUCH = "No such script: None (UUID: %s)"


class ScriptEditor:
    """To be opened in a transaction; to write, under an open change, and closed when all has been said."""

    def __init__(self, tx: Connection, now: datetime, change: int = 0) -> None:
        self._tx, self._change, self._now = tx, change, now
        self._states = scripts.states(tx)
        self._newest: dict[str, int] = {}
        self._ended: list[tuple[str, int]] = []
        self._written: list[ScriptState] = []

    def close(self) -> None:
        """Record it; Unneeded where nothing has changed."""
        if not (self._ended or self._written):
            raise NothingToRecord
        scripts.write(self._tx, self._change, self._ended, self._written)

    def called(self, name: str) -> str | None:
        """The id of the script of this name that is not deleted; None where there is none."""
        return next((state.id for state in self._states if state.deleted_at is None and state.script.name == name),
                    None)

    def versions(self, identity: str) -> ScriptVersions:
        """Of a script, oldest first; NotFound, in CloudKitty's words, where there is none, or it is deleted."""
        versions = {state.version: state.script
                    for state in sorted(self._states, key=lambda state: state.version)
                    if state.id == identity and state.deleted_at is None}
        if not versions:
            raise NotFound(NO_SUCH % identity)
        return versions

    def add(self, script: Script, identity: str = "") -> str:
        """A new version, of a new script where no id is given; the id.

        Conflict where another script has the name or another version holds at
        the same time; a deleted script of that name gives way.
        """
        identity = identity or str(uuid4())
        self._put(ScriptState(identity, self._next(identity), script))
        return identity

    def replace(self, identity: str, version: int, script: Script) -> None:
        """A version is what is given, as if it had always been; with another text or order it is another one."""
        before = self.versions(identity)[version]
        if script == before:
            return
        self._ended.append((identity, version))
        number = version if script.works_like == before.works_like else self._next(identity)
        self._put(ScriptState(identity, number, script))

    def succeed(self, identity: str, succession: ScriptDiff) -> str:
        """Record a succession of a script, a new one where its id is ''; the id."""
        self._ended += [(identity, number) for number in (*succession.changed, *succession.withdrawn)]
        for number, (_, after) in succession.changed.items():
            self._put(ScriptState(identity, number, after))
        return identity if succession.added is None else self.add(succession.added, identity)

    def remove(self, identity: str) -> None:
        """It ends now and is deleted; versions that have not begun are withdrawn."""
        for number, script in self.versions(identity).items():
            self._ended.append((identity, number))
            valid = script.valid.until(self._now)
            if valid is not None:
                self._written.append(ScriptState(identity, number, replace(script, valid=valid), self._now))

    def _next(self, identity: str) -> int:
        if identity not in self._newest:
            self._newest[identity] = scripts.newest(self._tx, identity)
        self._newest[identity] += 1
        return self._newest[identity]

    def _put(self, state: ScriptState) -> None:
        script = state.script
        for other in self._states:
            if (other.id, other.version) in self._ended:
                continue
            if other.deleted_at is not None:
                if other.script.name == script.name and other.script.valid.overlaps(script.valid):
                    self._give_way(other, script)
            elif other.id != state.id and other.script.name == script.name:
                raise Conflict(f"Script {script.name} already exists (UUID: {other.id})")
            elif other.id == state.id and other.script.valid.overlaps(script.valid):
                raise Conflict(f"Script {script.name} has version {other.version}, which holds {other.script.valid}")
        self._written.append(state)

    def _give_way(self, other: ScriptState, script: Script) -> None:
        """A deleted script holds no more where another of its name does; what is left after that is a version more."""
        self._ended.append((other.id, other.version))
        for piece, valid in enumerate(other.script.valid.without(script.valid)):
            number = self._next(other.id) if piece else other.version
            self._written.append(ScriptState(other.id, number, replace(other.script, valid=valid), other.deleted_at))
