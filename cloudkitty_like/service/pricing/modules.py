"""Rating modules: which are on, in which order they run, and the ones that rate."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import Connection

from cloudkitty_like import plugin
from cloudkitty_like.db.engine import Database
from cloudkitty_like.db.rules import modules
from cloudkitty_like.db.rules.modules import ModuleSetting
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import Invalid, NotFound, Unloadable
from cloudkitty_like.ports import RatingModule
from cloudkitty_like.service.rule_changes.change_log import NothingToRecord, recorded

KIND = "rating"
DEFAULT_PRIORITY = 1
MAX_PRIORITY = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ModuleInfo:
    """A rating module as it is now; ``problem`` says why it cannot be loaded."""

    name: str
    enabled: bool
    priority: int
    description: str = ""
    problem: str = ""
    configurable: bool = False         # whether it has something to configure over HTTP


@dataclass(frozen=True)
class Modules:
    """The rating modules of one installation."""

    database: Database

    def known(self) -> list[ModuleInfo]:
        """As :func:`known`, by name."""
        return sorted(known(self.database), key=lambda module: module.name)

    def named(self, name: str) -> ModuleInfo:
        """One of them; NotFound where there is none of that name."""
        by_name = {module.name: module for module in self.known()}
        if name not in by_name:
            raise NotFound(f"Module '{name[:80]}' not found")
        return by_name[name]

    def decide(self, name: str, change: Change, *, enabled: bool | None, priority: int | None) -> None:
        """As :func:`decide`."""
        self.named(name)
        decide(self.database, change, name, enabled=enabled, priority=priority)


def known(database: Database) -> list[ModuleInfo]:
    """Every module that is installed or that somebody has decided about, in the order in which they run."""
    with database.read() as tx:
        states = modules.stored(tx)
    infos = [_known(name, states.get(name)) for name in {*states, *plugin.names(KIND)}]
    return sorted(infos, key=lambda module: _order(module.name, module.priority))


def decide(database: Database, change: Change, name: str, *,
           enabled: bool | None = None, priority: int | None = None) -> bool:
    """Switch a module or give it another priority; None leaves that as it is.  Whether anything has changed.

    NotFound where no module is called so; Unloadable where it is to be enabled and cannot be loaded.
    """
    if priority is not None and abs(priority) > MAX_PRIORITY:
        raise Invalid(f"priority: {priority} is out of range")
    there = {module.name: module for module in known(database)}
    if name not in there:
        raise NotFound(f"no rating module is called {name!r}", hint=f"there are: {', '.join(sorted(there))}")
    if enabled and there[name].problem:
        raise Unloadable(there[name].problem)

    def work(tx: Connection, number: int) -> None:
        before = modules.stored(tx).get(name)
        now = before or ModuleSetting(there[name].enabled, there[name].priority)
        after = ModuleSetting(now.enabled if enabled is None else enabled,
                              now.priority if priority is None else priority)
        # Of a module that cannot be loaded nobody knows what it is by default: record what was decided.
        if after == before or (after == now and not there[name].problem):
            raise NothingToRecord
        modules.record(tx, number, name, after)

    with suppress(NothingToRecord):
        recorded(database, change, work)
        return True
    return False


def active(database: Database, change: int, load: Callable[[str], RatingModule],
           also: Collection[str] = ()) -> list[tuple[str, RatingModule]]:
    """The modules enabled at a change, in the order in which they run; ``load`` makes one of them.

    ``also`` are taken for enabled, those of them that there are.

    A module that is off is not made, nor imported where somebody switched it
    off.  One that is on and cannot be loaded raises: rating stops rather than
    let anything pass unpriced.
    """
    with database.read() as tx:
        states = modules.stored(tx, change)
    for name in plugin.names(KIND):
        if name not in states:
            with _hint(name):
                on = bool(plugin.load_class(KIND, name).enabled_by_default)
            states[name] = ModuleSetting(on, DEFAULT_PRIORITY)
    rating_modules = []
    for name in sorted(states, key=lambda name: _order(name, states[name].priority)):
        if states[name].enabled or name in also:
            with _hint(name):
                rating_modules.append((name, load(name)))
    return rating_modules


@contextmanager
def _hint(name: str) -> Iterator[None]:
    """Adds to what is wrong with a module how to rate without it."""
    try:
        yield
    except Invalid as error:
        raise Unloadable(*error.problems, hint=f"correct it, or rate without it: modules disable {name}") from error


def _order(name: str, priority: int) -> tuple[int, str]:
    return -priority, name


def _known(name: str, state: ModuleSetting | None) -> ModuleInfo:
    try:
        kind = plugin.load_class(KIND, name)
    except Invalid as error:
        state = state or ModuleSetting(False, DEFAULT_PRIORITY)
        return ModuleInfo(name, state.enabled, state.priority, problem=" ".join(error.problems))
    state = state or ModuleSetting(bool(kind.enabled_by_default), DEFAULT_PRIORITY)
    return ModuleInfo(name, state.enabled, state.priority, str(kind.description),
                      configurable=bool(getattr(kind, "hot_config", False)))
