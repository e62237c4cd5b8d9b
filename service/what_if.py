"""What another threshold would have found, computed from stored scores with the state machine that finds events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from model.chain import Chain
from model.detector import DetectorConfig
from model.states import State
from service.events import EventClosed, EventTracker
from service.records import Event, Score

_PAGE = 5_000


class ScoreHistory(Protocol):
    """Stored scores; see `Store.history`."""

    def history(
        self, stream: str, *, after: tuple[int, int] = (0, 0), since: float | None = None, limit: int = 1000
    ) -> list[tuple[int, Score]]: ...


@dataclass(frozen=True, slots=True)
class Chained:
    """How a stream's raw scores go on to events.

    Attributes:
        config: of its model.
        theta: raw score at which `score` is 0.5.
        smoothing, minimum, cooldown: seconds, as in `StreamOptions`.
    """

    config: DetectorConfig
    theta: float
    smoothing: float
    minimum: float
    cooldown: float


def find_events(scores: Iterable[tuple[int, Score]], chained: Chained) -> list[Event]:
    """The events that these scores would have made, muted times left aside; the last one may be open.

    A window is full again only some frames after it was cleared, and these have no `raw`: there everything begins
    anew, as it did when they came in. Scores that another model has made are taken as if this one had.

    Args:
        scores: of one stream, with their epochs, oldest first.
        chained: how they go on.
    """
    chain = Chain(chained.config, chained.theta, smoothing=chained.smoothing, minimum=chained.minimum)
    tracker = EventTracker("", 0, cooldown=chained.cooldown)
    found: list[Event] = []
    last = 0
    for epoch, score in scores:
        link = chain.push(score.pts, score.raw, restart=score.raw is None or epoch != last)
        last = epoch
        smoothed, state = (None, State.WARMING) if link is None else (link.smoothed, link.state)
        changes = tracker.push(replace(score, smoothed=smoothed, state=state))
        found += [change.event for change in changes if isinstance(change, EventClosed)]
    return found if tracker.open is None else [*found, tracker.open]


def since(store: ScoreHistory, stream: str, moment: float) -> Iterator[tuple[int, Score]]:
    """Stored scores of a stream from a capture time on, read in pages.

    Args:
        store: where they are.
        stream: id of the stream.
        moment: seconds since 1970.
    """
    page = store.history(stream, since=moment, limit=_PAGE)
    while page:
        yield from page
        epoch, score = page[-1]
        page = store.history(stream, after=(epoch, score.seq), limit=_PAGE) if len(page) == _PAGE else []
