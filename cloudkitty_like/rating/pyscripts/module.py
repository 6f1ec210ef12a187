"""The pyscripts rating module: operators' programs, run in a sandbox."""
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

from oslo_config import cfg

from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.rules import scripts
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.explanation import Provenance
from cloudkitty_like.domain.script import Script
from cloudkitty_like.ports import PluginContext
from cloudkitty_like.rating.pyscripts.forkserver import LANDLOCK, LIMITS, NAMESPACES
from cloudkitty_like.rating.pyscripts.sandbox import Confinement, Sandbox
from cloudkitty_like.rating.pyscripts.tariff import MODULE, PrintHandler, PyscriptsTariff, compiled

MEBIBYTE = 1 << 20


def _unheard(name: str, text: str) -> None:
    """What scripts print is of no use where nobody tries them out."""


class PyscriptsModule:
    """Rates by scripts that are kept in the state database.

    Nothing of it is loaded, nor any process started, before something has to be
    compiled or run; where the isolation that is configured cannot be had then,
    Invalid says what is missing.
    """

    OPTS: ClassVar[Sequence[Any]] = (
        cfg.StrOpt("isolation", default=NAMESPACES, choices=[
            (NAMESPACES, ("Scripts run in empty namespaces of the kernel: no network, no processes but their own, no "
                          "files but the standard library's, and only the system calls that computing needs. Where "
                          "we are not root this takes unprivileged user namespaces.")),
            (LANDLOCK, ("The same without namespaces: files are kept from them by Landlock, the rest by the filter "
                        "of system calls.")),
            (LIMITS, ("Only the limits below. Scripts can read what their user can, and reach the network: for "
                      "scripts that you trust as much as this service.")),
        ], help="What scripts are kept away by. The module does not rate where this cannot be had."),
        cfg.StrOpt("user", default="nobody",
                   help="Whose rights scripts have where the service runs as root; else they have its own."),
        cfg.IntOpt("cpu_seconds", default=10, min=1, max=3600,
                   help="Seconds of CPU that one run of a script may take."),
        cfg.FloatOpt("wall_seconds", default=30.0, min=0.1, max=3600,
                     help="Seconds that one run of a script may take."),
        cfg.IntOpt("memory_mib", default=512, min=64, max=1 << 16,
                   help="MiB of memory that one run of a script may take."),
        cfg.IntOpt("answer_mib", default=64, min=1, max=1 << 12,
                   help="MiB that the answer of one run may have."),
        cfg.IntOpt("side_by_side", default=0, min=0, max=256,
                   help="Scripts that one worker process runs at a time, for several scopes; 0: as many as there are "
                        "cores that it may use."),
        cfg.IntOpt("together_mib", default=2048, min=64, max=1 << 20,
                   help="MiB of memory that all scripts run at a time may take: there are no more of them than "
                        "memory_mib goes into this, but one there always is."),
        cfg.IntOpt("recheck", default=100, min=0,
                   help="Of so many runs of a script the first is done twice, and must come to the same; 1: every "
                        "run, 0: none."),
    )
    description: ClassVar[str] = "PyScripts rating module."
    enabled_by_default: ClassVar[bool] = False
    hot_config: ClassVar[bool] = True

    def __init__(self, database: Database, sandbox: Sandbox, scope_key: str, recheck: int) -> None:
        self._database, self._sandbox = database, sandbox
        self._scope_key, self._recheck = scope_key, recheck
        self._printed: PrintHandler = _unheard

    @classmethod
    def from_conf(cls, group: Any, context: PluginContext) -> Self:
        sandbox = Sandbox(Confinement(
            isolation=group.isolation, user=group.user, cpu_seconds=group.cpu_seconds, wall_seconds=group.wall_seconds,
            memory_bytes=group.memory_mib * MEBIBYTE, answer_bytes=group.answer_mib * MEBIBYTE,
            side_by_side=group.side_by_side, together_bytes=group.together_mib * MEBIBYTE))
        return cls(context.database, sandbox, context.scope_key, group.recheck)

    def prepare(self) -> None:
        """Invalid where the isolation that is configured cannot be had, saying what is missing."""
        self._sandbox.check()

    def tariff(self, change: int) -> PyscriptsTariff:
        """All scripts as recorded at this change, of every time, by one query."""
        self.prepare()
        with self._database.read() as tx:
            return self._of(scripts.stored(tx, change))

    def candidate(self, document: Iterable[Script]) -> PyscriptsTariff:
        """These scripts, which are recorded nowhere; each is known by its name, so Invalid where two have one."""
        self.prepare()
        named: dict[str, Script] = {}
        for script in document:
            if named.setdefault(script.name, script) is not script:
                raise Invalid(f"two scripts are called {script.name!r}")
        return self._of(named)

    def provenance(self, change: int, ids: Collection[str]) -> Mapping[str, Provenance]:
        """Where these versions of scripts come from, as they were known at a change."""
        with self._database.read() as tx:
            versions = scripts.provenance(tx, change)
        return {
            version.key: Provenance(
                module=MODULE, id=version.key, kind="script", version=version.version,
                change=version.change, author=version.author, recorded=version.recorded_at,
                name=version.name, reason=version.reason, valid=version.valid)
            for version in map(versions.get, ids) if version is not None}

    def listen(self, printed: PrintHandler) -> None:
        """For trying scripts out: tell what they print from now on, and do every run twice."""
        self._printed, self._recheck = printed, 1

    def check(self, name: str, text: str) -> None:
        """Invalid, with line and reason, where a script's text does not compile."""
        script = Script(name=name, text=text)
        try:
            compiled(self._sandbox, "", script)
        except Invalid as error:
            raise Invalid(f"data: {error}") from None

    def close(self) -> None:
        """End the worker; another one is started where one is needed again."""
        self._sandbox.close()

    def _of(self, by_key: Mapping[str, Script]) -> PyscriptsTariff:
        return PyscriptsTariff(by_key, self._sandbox, self._scope_key, self._recheck, self._printed)
