"""From the engine's outcomes to subscribers: events are found, scores stored, and only then announced."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from model.states import State
from service import messages
from service.events import Change, EventOpened, EventTracker, Heat, TamperingTracker
from service.messages import Message
from service.records import Dropped, Event, IncomingFrame, Score
from service.stream import Outcome

log = logging.getLogger(__name__)


class ScoreStore(Protocol):
    """The part of a store that announcing needs."""

    @property
    def epoch(self) -> int: ...

    def commit_scores(self, batch: Sequence[Score]) -> Future[bool]: ...
    def open_event(self, event: Event) -> Event: ...
    def update_event(self, event: Event) -> Future[bool]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a moment of an event looks like.

    Attributes:
        frame: as it came in.
        heat: float32 rows×columns of its errors; None: it has none.
        threshold: raw error in force.
    """

    frame: IncomingFrame
    heat: Heat | None
    threshold: float


class Listener(Protocol):
    """Somebody who is told of events, on the engine's thread, and must be quick. Muted ones are told too."""

    def opened(self, event: Event, look: Look | None) -> None:
        """An event has opened."""

    def peaked(self, event: Event, look: Look) -> None:
        """This is the event's peak so far."""

    def closed(self, event: Event) -> None:
        """An event has ended."""


class Watch:
    """What the announcer knows of a stream. For the engine's thread.

    Attributes:
        tracker: finds its events.
        tampering: finds the times in which its camera is tampered with.
        refused: told of frames that came in and could not be used: number, cause, detail; from any thread.
    """

    def __init__(self, tracker: EventTracker, tampering: TamperingTracker) -> None:
        self.tracker = tracker
        self.tampering = tampering
        self.refused: Callable[[int, Dropped, str], object] | None = None
        self._state = State.WARMING

    def turned(self, score: Score) -> State | None:
        """The state before this score, if it is another one."""
        before, self._state = self._state, score.state
        return before if before is not score.state else None

    @property
    def going_on(self) -> bool:
        """Whether an event is open."""
        return self.tracker.open is not None or self.tampering.open is not None

    def push(self, score: Score, heat: Heat | None, tampering: str) -> list[Change]:
        """What a score changes in the stream's events."""
        changes = self.tracker.push(score, heat)
        return changes + self.tampering.push(score, tampering, muted_until=self.tracker.muted_until)

    def end(self, reason: str) -> list[Change]:
        """Closes what is open."""
        return self.tracker.end(reason) + self.tampering.end()


class Announcer:
    """Takes the outcomes of each batch."""

    def __init__(
        self,
        store: ScoreStore,
        *,
        watch: Callable[[str], Watch | None],
        publish: Callable[[list[Message]], object],
        on_scores: Callable[[Sequence[Score]], object] = lambda scores: None,
        listeners: Sequence[Listener] = (),
        on_stored: Callable[[], object] = lambda: None,
    ) -> None:
        """Makes it.

        Args:
            store: of scores and events.
            watch: of a stream by its id; None: it is gone.
            publish: hands messages to the subscribers; called from the store's thread, must not block.
            on_scores: for the metrics.
            listeners: told of events.
            on_stored: called when events that opened or closed are stored; from the store's thread, must not block.
        """
        self._store = store
        self._watch = watch
        self._publish = publish
        self._on_scores = on_scores
        self._listeners = listeners
        self._on_stored = on_stored

    def __call__(self, outcomes: list[Outcome]) -> None:
        """For the engine, which calls it with what became of a batch's frames."""
        said: list[Score | Message] = []
        scores: list[Score] = []
        news = False
        for outcome in outcomes:
            watch = self._watch(outcome.stream.id)
            if watch is None:
                continue
            if outcome.score is None:
                if watch.refused is not None and outcome.dropped in (Dropped.BAD, Dropped.FAULT):
                    watch.refused(outcome.frame.number, outcome.dropped, outcome.detail)
                continue
            score = outcome.score
            scores.append(score)
            said.append(score)
            before = watch.turned(score)
            if before is not None:
                said.append(messages.state(score, self._store.epoch, before))
            changes = watch.push(score, outcome.heat, outcome.tampering)
            news = news or bool(changes)
            look = Look(outcome.frame, outcome.heat, score.threshold)
            said += self._noted(changes, look)
            event = watch.tracker.open
            if event is not None and event.peak_seq == score.seq and not changes:
                self._tell(lambda one, event=event, look=look: one.peaked(event, look))  # type: ignore[misc]
        if scores:
            self._on_scores(scores)
            self._commit(scores, said, news)

    def end(self, watch: Watch, reason: str) -> None:
        """Closes the open events of a stream that has ended. On the engine's thread."""
        said = self._noted(watch.end(reason))
        if said:
            self._commit([], list(said), True)

    def _noted(self, changes: Sequence[Change], look: Look | None = None) -> list[Message]:
        """Stores changes of events; gives what is announced of them. Scores committed later are on disk after them."""
        said = []
        for change in changes:
            event, opened = change.event, isinstance(change, EventOpened)
            if opened:
                self._store.open_event(event)
                self._tell(lambda one, event=event: one.opened(event, look))  # type: ignore[misc]
            else:
                self._store.update_event(event)
                self._tell(lambda one, event=event: one.closed(event))  # type: ignore[misc]
            if not event.muted:
                said.append((messages.event_opened if opened else messages.event_closed)(event))
        return said

    def _tell(self, news: Callable[[Listener], object]) -> None:
        """Tells the listeners, whose faults are their own."""
        for listener in self._listeners:
            try:
                news(listener)
            except Exception:
                log.exception("a listener to events has failed")

    def _commit(self, scores: Sequence[Score], said: list[Score | Message], news: bool) -> None:
        self._store.commit_scores(scores).add_done_callback(partial(self._committed, said, news))

    def _committed(self, said: list[Score | Message], news: bool, done: Future[bool]) -> None:
        """On the store's thread, whose futures are done in the order of their commits."""
        try:
            durable = not done.cancelled() and done.exception() is None and done.result()
            epoch = self._store.epoch
            self._publish(
                [messages.score(one, epoch, durable=durable) if isinstance(one, Score) else one for one in said]
            )
            if news:
                self._on_stored()
        except Exception:
            log.exception("scores could not be announced")
