"""Events whose stream says nothing more are closed: their clips are made, and who was told of them is told again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import Final

from service.announcer import Announcer
from service.events import GAP, STREAM_ENDED
from service.member import Member
from service.records import Health
from service.scorer import Scorer

SILENT: Final = 60.0
"""Seconds without a score after which an event is over. A sender may pause for a while: its frames have their own
clock."""


class Endings:
    """Looks at all streams every second."""

    def __init__(self, scorer: Scorer, announcer: Announcer) -> None:
        """Makes it, for the engine on whose thread events are closed, and who stores and announces that."""
        self._scorer = scorer
        self._announcer = announcer

    def look(self, members: Iterable[Member]) -> None:
        """Closes what is open of sources that have ended, or have been silent for long. From one thread."""
        now = time.monotonic()
        for member in members:
            if member.health in (Health.ENDED, Health.FAILED):
                if member.stream is not None and member.stream.concluded and member.watch.going_on:
                    self._scorer.run(partial(self._announcer.end, member.watch, STREAM_ENDED))
            elif _silent(member, now):
                self._scorer.run(partial(self._interrupt, member, member.scored))

    def _interrupt(self, member: Member, scored: int) -> None:
        """On the engine's thread, where nothing comes in between: closes an event, unless it goes on after all."""
        if member.scored == scored:
            self._announcer.end(member.watch, GAP)


def _silent(member: Member, now: float) -> bool:
    """Whether an event is open and nothing has been scored for so long that it cannot be said to go on.

    Its clip would wait for a camera that may never come back.
    """
    if not member.watch.going_on or member.scored != member.moved[0]:
        member.moved = (member.scored, now)
        return False
    rate = member.record.options.max_rate
    patience = max(SILENT, 0.0 if rate is None else 2 / rate)
    return now - member.moved[1] > patience and (member.stream is None or not len(member.stream.queue))
