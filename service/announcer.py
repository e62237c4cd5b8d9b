"""From the engine's outcomes to subscribers: events are found, scores stored, and only then announced."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from model.states import State
from service import messages
from service.events import Change, EventOpened, EventTracker
from service.messages import Message
from service.records import Dropped, Event, Score
from service.stream import Outcome

log = logging.getLogger(__name__)


class ScoreStore(Protocol):
    """The part of a store that announcing needs."""

    @property
    def epoch(self) -> int: ...

    def commit_scores(self, batch: Sequence[Score]) -> Future[bool]: ...
    def open_event(self, event: Event) -> Event: ...
    def update_event(self, event: Event) -> Future[bool]: ...


class Watch:
    """What the announcer knows of a stream. For the engine's thread.

    Attributes:
        tracker: finds its events.
        refused: told of frames that came in and could not be used: number, cause, detail; from any thread.
    """

    def __init__(self, tracker: EventTracker) -> None:
        self.tracker = tracker
        self.refused: Callable[[int, Dropped, str], object] | None = None
        self._state = State.WARMING

    def turned(self, score: Score) -> State | None:
        """The state before this score, if it is another one."""
        before, self._state = self._state, score.state
        return before if before is not score.state else None


class Announcer:
    """Takes the outcomes of each batch."""

    def __init__(
        self,
        store: ScoreStore,
        *,
        watch: Callable[[str], Watch | None],
        publish: Callable[[list[Message]], object],
        on_scores: Callable[[Sequence[Score]], object] = lambda scores: None,
    ) -> None:
        """Makes it.

        Args:
            store: of scores and events.
            watch: of a stream by its id; None: it is gone.
            publish: hands messages to the subscribers; called from the store's thread, must not block.
            on_scores: for the metrics.
        """
        self._store = store
        self._watch = watch
        self._publish = publish
        self._on_scores = on_scores

    def __call__(self, outcomes: list[Outcome]) -> None:
        """For the engine, which calls it with what became of a batch's frames."""
        said: list[Score | Message] = []
        scores: list[Score] = []
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
            said += self._noted(watch.tracker.push(score, outcome.heat))
        if scores:
            self._on_scores(scores)
            self._commit(scores, said)

    def end(self, watch: Watch, reason: str) -> None:
        """Closes the open event of a stream that has ended. On the engine's thread."""
        said = self._noted(watch.tracker.end(reason))
        if said:
            self._commit([], list(said))

    def _noted(self, changes: Sequence[Change]) -> list[Message]:
        """Stores changes of events; gives what is announced of them. Scores committed later are on disk after them."""
        said = []
        for change in changes:
            opened = isinstance(change, EventOpened)
            if opened:
                self._store.open_event(change.event)
            else:
                self._store.update_event(change.event)
            if not change.event.muted:
                said.append((messages.event_opened if opened else messages.event_closed)(change.event))
        return said

    def _commit(self, scores: Sequence[Score], said: list[Score | Message]) -> None:
        self._store.commit_scores(scores).add_done_callback(partial(self._committed, said))

    def _committed(self, said: list[Score | Message], done: Future[bool]) -> None:
        """On the store's thread, whose futures are done in the order of their commits."""
        try:
            durable = not done.cancelled() and done.exception() is None and done.result()
            epoch = self._store.epoch
            self._publish(
                [messages.score(one, epoch, durable=durable) if isinstance(one, Score) else one for one in said]
            )
        except Exception:
            log.exception("scores could not be announced")
