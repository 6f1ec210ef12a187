"""What a worker may rate by: the metric definitions that hold, and no others."""
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cloudkitty_like.domain.worker_state import ALIVE_WITHIN
from cloudkitty_like.orchestrator.heartbeat import Heartbeat
from cloudkitty_like.service.metrics.acceptance import Acceptances, DefinitionsHeld
from cloudkitty_like.service.metrics.definitions import MetricsFile


class Agreement:
    """Looks, before a worker takes anything up, whether its definitions are those that hold.

    A worker whose definitions do not hold reads its file again at every look,
    so that it goes on as soon as its host has been given the right one.
    """

    def __init__(self, acceptances: Acceptances, heartbeat: Heartbeat, clock: Callable[[], datetime], file: MetricsFile,
                 read_again: Callable[[], MetricsFile]) -> None:
        """``read_again()``: the file as it is now, which is in use from then on; the old one where it is wrong."""
        self._acceptances, self._heartbeat, self._clock = acceptances, heartbeat, clock
        self._file, self._read_again = file, read_again
        self._used = file.digest                   # what measures now was made of it
        self._known: int | None = None             # the last acceptance when this worker began
        self._held: datetime | None = None         # when somebody was last seen at work by others
        heartbeat.metrics = file.digest

    def settle(self) -> bool:
        """Whether the file was read again, so that what measures has to be made anew.

        Raises DefinitionsDiffer where nothing may be rated by it.
        """
        accepted = self._acceptances.current()
        if self._known is None:
            self._known = 0 if accepted is None else accepted.id
        if accepted is None or accepted.digest != self._file.digest:
            if accepted is not None:
                self._look_at_the_file()
            self._decide(self._known)
        self._held = None
        anew = self._used != self._file.digest
        self._used = self._file.digest
        return anew

    def _look_at_the_file(self) -> None:
        self._file = self._read_again()
        self._heartbeat.metrics = self._file.digest

    def _decide(self, acceptance_id: int) -> None:
        # A worker that holds them may only be restarting: its place is not taken at once.
        recently = self._held is not None and self._clock() - self._held <= ALIVE_WITHIN
        self._heartbeat.beat()         # the others have to see what this one measures by before anything is decided
        try:
            self._acceptances.settle(self._file, self._heartbeat.id, acceptance_id,
                                     patient=recently)
        except DefinitionsHeld as error:
            self._held = error.seen_at
            raise
