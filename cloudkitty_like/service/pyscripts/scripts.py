"""Rating scripts: looking at them, and changing them, for the API and the command line.

They are kept as rules are, in the same history: every call that changes
something is one recorded change.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.rules import scripts
from cloudkitty_like.db.rules.scripts import ScriptHistory
from cloudkitty_like.domain.change import AuditInfo, Change
from cloudkitty_like.domain.errors import NotFound
from cloudkitty_like.domain.rule import Validity
from cloudkitty_like.domain.script import Script, ScriptVersion
from cloudkitty_like.domain.script_diff import ScriptDiff, ScriptVersions, ended, succeeded
from cloudkitty_like.service.pyscripts.editor import NO_SUCH, ScriptEditor
from cloudkitty_like.service.pyscripts.request import (
    ScriptRelease,
    ScriptRequest,
    changed_script,
    new_script,
    released,
)
from cloudkitty_like.service.rule_changes.change_log import NothingToRecord, recorded
from cloudkitty_like.service.rule_changes.validity import ValidityFilter

T = TypeVar("T")
ScriptCheck = Callable[[str, str], None]
"""Takes the name and the text of a script; Invalid (``data: line 3: ...``) where that does not compile."""

EVERYTHING = ValidityFilter()


@dataclass(frozen=True, slots=True)
class StoredScript:
    """A script as it is to be seen: one of its versions, and what became of all.

    It is the version that holds now; else the next that will, else the last
    that did.
    """

    version: ScriptVersion
    audit_info: AuditInfo
    text: str | None = None            # None: not asked for

    @property
    def id(self) -> str:
        return self.version.id


@dataclass(frozen=True)
class Scripts:
    """All that is done with rating scripts.  Errors: Invalid, NotFound, Conflict, as CloudKitty's clients expect."""

    database: Database
    check: ScriptCheck

    # --- looking -----------------------------------------------------------------------------------

    def scripts(self, now: datetime, which: ValidityFilter = EVERYTHING, *, texts: bool = True) -> list[StoredScript]:
        """In the order in which they were made; without ``texts`` those are not read."""
        with self.database.read() as tx:
            stored = [_seen(history, now) for history in scripts.histories(tx)]
            stored = [script for script in stored
                      if (which.deleted or script.audit_info.deleted_at is None)
                      and which.has(script.version.valid, script.version.description,
                                    script.audit_info, now)]
            checksums = [script.version.checksum for script in stored]
            kept = scripts.texts(tx, checksums) if texts else {}
        return [StoredScript(script.version, script.audit_info, kept.get(script.version.checksum))
                for script in stored]

    def script(self, identity: str, now: datetime) -> StoredScript:
        """NotFound, in CloudKitty's words, where there is none of this id, or it is deleted."""
        with self.database.read() as tx:
            stored = [_seen(history, now) for history in scripts.histories(tx, identity)
                      if history.audit_info.deleted_at is None]
            if not stored:
                raise NotFound(NO_SUCH % identity)
            return _with_text(tx, stored[0])

    def named(self, name: str, now: datetime) -> StoredScript:
        """The script of this name or id, with its text, a deleted one where there is no other; NotFound without one."""
        with self.database.read() as tx:
            return _with_text(tx, _seen(_named(scripts.histories(tx), name), now))

    def versions(self, name: str) -> Sequence[ScriptVersion]:
        """Of the script that :meth:`named` answers, oldest first, those that were withdrawn too."""
        with self.database.read() as tx:
            return _named(scripts.histories(tx), name).versions

    # --- one at a time, as over the API --------------------------------------------------------------

    def add(self, draft: ScriptRequest, by: Change, force: bool = False) -> StoredScript:
        """From now on, unless the draft says otherwise; ``force`` lets it start in the past.

        Invalid where the draft makes no script, or one that does not compile;
        Conflict where a script has that name.
        """
        script = new_script(draft, by.at, force)
        self.check(script.name, script.text)
        return self.script(self._change(by, lambda book: book.add(script)), by.at)

    def update(self, identity: str, draft: ScriptRequest, by: Change) -> StoredScript:
        """Make of it what :mod:`cloudkitty_like.service.pyscripts.request` says; where that is the same, nothing."""
        seen = self.script(identity, by.at)
        after = changed_script(_value(seen), draft, by.at)
        if after.checksum != seen.version.checksum:
            self.check(after.name, after.text)

        def work(book: ScriptEditor) -> None:
            versions = book.versions(identity)
            number = _shown({number: script.valid for number, script in versions.items()}, by.at)
            book.replace(identity, number, changed_script(versions[number], draft, by.at))

        with suppress(NothingToRecord):
            self._change(by, work)
        return self.script(identity, by.at)

    def remove(self, identity: str, by: Change) -> None:
        """It ends now, and what it has rated stays so; NotFound where it is deleted already."""
        self._change(by, lambda book: book.remove(identity))

    # --- by name, as on the command line ---------------------------------------------------------------

    def release(self, release: ScriptRelease, by: Change, *, dry_run: bool = False) -> ScriptDiff:
        """Make a text the script of a name, a new one or the next version of the one that there is; what was done.

        Where nothing has to be done, or on a dry run, nothing is recorded.
        Invalid where it makes no script, or one that does not compile.
        """
        def difference(book: ScriptEditor) -> tuple[str, ScriptDiff]:
            identity = book.called(release.name)
            versions: ScriptVersions = book.versions(identity) if identity else {}
            return identity or "", succeeded(versions, released(release, versions, by.at))

        released(release, {}, by.at)           # what cannot be a script is not even compiled
        self.check(release.name, release.text)
        return self._succession(difference, by, dry_run)

    def end(self, name: str, at: datetime, by: Change) -> ScriptDiff:
        """The script of this name or id holds until ``at``; what was done.  Conflict where it has ended before that."""
        def difference(book: ScriptEditor) -> tuple[str, ScriptDiff]:
            identity = book.called(name) or name
            return identity, ended(book.versions(identity), at, by.at)

        self._identified(name)
        return self._succession(difference, by, dry_run=False)

    def delete(self, name: str, by: Change) -> str:
        """As :meth:`remove`, by name or id; the id."""
        identity = self._identified(name)
        self.remove(identity, by)
        return identity

    # -----------------------------------------------------------------------------------------------

    def _identified(self, name: str) -> str:
        with self.database.read() as tx:
            history = _named(scripts.histories(tx), name)
        if history.audit_info.deleted_at is not None:
            raise NotFound(f"the script {name!r} is deleted")
        return history.id

    def _succession(self, difference: Callable[[ScriptEditor], tuple[str, ScriptDiff]], by: Change,
                    dry_run: bool) -> ScriptDiff:
        def work(book: ScriptEditor) -> ScriptDiff:
            identity, succession = difference(book)
            book.succeed(identity, succession)
            return succession

        with self.database.read() as tx:
            _, expected = difference(ScriptEditor(tx, by.at))
        if dry_run or not expected:
            return expected
        try:
            return self._change(by, work)
        except NothingToRecord:                       # somebody else has just done the same
            return ScriptDiff()

    def _change(self, by: Change, work: Callable[[ScriptEditor], T]) -> T:
        def recording(tx: Connection, number: int) -> T:
            book = ScriptEditor(tx, by.at, number)
            result = work(book)
            book.close()
            return result

        return recorded(self.database, by, recording)


def _with_text(tx: Connection, seen: StoredScript) -> StoredScript:
    checksum = seen.version.checksum
    return replace(seen, text=scripts.texts(tx, [checksum])[checksum])


def _value(seen: StoredScript) -> Script:
    version = seen.version
    return Script(name=version.name, text=seen.text or "", order=version.order, description=version.description,
                  valid=version.valid)


def _seen(history: ScriptHistory, now: datetime) -> StoredScript:
    versions = _known(history)
    number = _shown({version.version: version.valid for version in versions}, now)
    return StoredScript(next(version for version in versions if version.version == number),
                        history.audit_info)


def _shown(versions: Mapping[int, Validity], now: datetime) -> int:
    """Which of them stands for the script: see StoredScript."""
    def rank(number: int) -> tuple[int, float]:
        valid = versions[number]
        if now in valid:
            return 0, 0
        if valid.begin is not None and valid.begin > now:
            return 1, (valid.begin - now).total_seconds()
        return 2, -number if valid.end is None else (now - valid.end).total_seconds()

    return min(versions, key=rank)


def _known(history: ScriptHistory) -> Sequence[ScriptVersion]:
    """Its versions but for withdrawn ones; these where there are no others."""
    return [version for version in history.versions if version.known] or history.versions


def _named(histories: Sequence[ScriptHistory], name: str) -> ScriptHistory:
    alive = [history for history in histories if history.audit_info.deleted_at is None]
    for candidates in (alive, histories):
        fitting = [history for history in candidates if history.id == name
                   or any(version.name == name for version in _known(history))]
        if fitting:
            return fitting[-1]
    raise NotFound(f"no script is called {name!r}")
