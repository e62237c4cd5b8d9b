"""What the service keeps: streams, scores, events, jobs, keys. Safe to call from any thread."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from model.tampering import Reference
from service.records import Event, EventLabel, Score, StreamRecord
from service.store import (
    alerts,
    event_files,
    events,
    files,
    jobs,
    keys,
    learnings,
    requests,
    runs,
    scores,
    sentries,
    sessions,
    streams,
    timeline,
)
from service.store.readers import Readers
from service.store.upkeep import Upkeep
from service.store.writer import Writer

T = TypeVar("T")
Connect = Callable[[Path], sqlite3.Connection]

MOST_WAITING = 100_000
"""Scores and events that wait in memory at most while nothing can be written, some 50 MB."""


class Store:
    """The data folder of a service: one writer thread, and a connection of its own for every query.

    A method that writes returns after the commit, unless it gives a future. While the store is `degraded` those
    methods raise `StoreUnavailable`; scores and events are taken anyway, wait in memory and are written when that is
    possible again.

    Attributes:
        epoch: number of this run of the service, one more than that of the run before.
        upkeep: what `service.retention` works with.
        files: what is known of the files of events.
        outbox: webhooks, and the messages on their way to them.
        jobs: videos to be scored, and their scores.
        requests: those that may be sent again, and what was made for them.
        learnings: of cameras.
        keys: what clients show.
        sessions: of the dashboard.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], float], connect: Connect, busy_s: float, retry_s: float
    ) -> None:
        self._cleanup = ExitStack()
        try:
            self._cleanup.enter_context(files.owned(folder))
            files.prepare(folder)
            self._clock = clock
            self.epoch, first_event = runs.begin(folder, clock())
            self._event_ids = itertools.count(first_event)
            self._readers = Readers(partial(connect, folder))
            self._cleanup.callback(self._readers.close)
            self._writer = Writer(
                partial(connect, folder),
                probe=partial(runs.probe, self.epoch),
                explain=partial(files.trouble, folder),
                busy_s=busy_s,
                retry_s=retry_s,
                most_rows=MOST_WAITING,
            )
            self._cleanup.callback(self._writer.close)
            self.upkeep = Upkeep(self._write, self._readers)
            self.files = event_files.EventFileTable(self._writer.keep, self._readers)
            self.outbox = alerts.Outbox(self._write, self._readers)
            self.jobs = jobs.JobTable(self._write, self._readers)
            self.requests = requests.RequestTable(self._write, self._readers, clock)
            self.learnings = learnings.LearningTable(self._write, self._readers)
            self.keys = keys.KeyTable(self._write, self._readers)
            self.sessions = sessions.SessionTable(self._write, self._readers)
        except BaseException:
            self._cleanup.close()
            raise

    @classmethod
    def open(
        cls,
        folder: Path,
        clock: Callable[[], float] = time.time,
        *,
        connect: Connect = files.connect,
        busy_s: float = files.BUSY_S,
        retry_s: float = 1.0,
    ) -> Store:
        """Opens a data folder, begins a new epoch and closes the events that an earlier run left open.

        Args:
            folder: made if it is not there.
            clock: seconds since 1970.
            connect: opens a connection to the files in the folder.
            busy_s: seconds to wait for another process that locks a file, before the store is degraded.
            retry_s: seconds between attempts to write while degraded.

        Raises:
            StoreError: in use by another service, damaged, of a newer version, or not writable; says what to do.
        """
        return cls(folder, clock, connect, busy_s, retry_s)

    def close(self) -> None:
        """Writes what is queued and gives the folder free. Later calls raise `StoreUnavailable`."""
        self._cleanup.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def degraded(self) -> str:
        """Why nothing can be written at the moment, "" while all is well."""
        return self._writer.degraded

    @property
    def waiting(self) -> int:
        """Scores and events that wait in memory because nothing can be written at the moment."""
        return self._writer.waiting

    @property
    def lost(self) -> int:
        """Scores and events of this run that will never be written, because too many waited."""
        return self._writer.lost

    # scores

    def commit_scores(self, batch: Sequence[Score]) -> Future[bool]:
        """Stores scores, in order; those of many calls become one transaction.

        Returns:
            Gives True when they are on disk, False when they have to wait: announce them as not durable. Its callbacks
            run in the writer's thread and must be short.
        """
        batch = tuple(batch)
        return self._writer.keep(partial(scores.insert, epoch=self.epoch, scores=batch), len(batch))

    def scores(
        self,
        stream: str,
        *,
        epoch: int | None = None,
        after_seq: int = 0,
        since: float | None = None,
        limit: int = 1000,
    ) -> list[Score]:
        """Scores of one run, oldest first. Retention, or a full disk, can leave holes in `seq`.

        Args:
            stream: id of the stream.
            epoch: the run; None: this one.
            after_seq: only those with a higher `seq`.
            since: only from the first that was captured then or later, seconds since 1970.
            limit: how many at most.
        """
        run = self.epoch if epoch is None else epoch
        with self._readers.reading() as connection:
            if since is not None:
                after_seq = max(after_seq, scores.before(connection, stream, run, since)[1])
            found = scores.after(connection, stream, start=(run, after_seq), end=run, limit=limit)
        return [score for _, score in found]

    def history(
        self, stream: str, *, after: tuple[int, int] = (0, 0), since: float | None = None, limit: int = 1000
    ) -> list[tuple[int, Score]]:
        """Scores of all runs with their epochs, oldest first.

        Args:
            stream: id of the stream.
            after: epoch and seq of the last one already known.
            since: as in `scores`.
            limit: how many at most.
        """
        with self._readers.reading() as connection:
            if since is not None:
                after = max(after, scores.before(connection, stream, None, since))
            return scores.after(connection, stream, start=after, end=None, limit=limit)

    def timeline(self, stream: str, start: float, end: float, count: int) -> list[timeline.Point]:
        """See `service.store.timeline.points`."""
        with self._readers.reading() as connection:
            return timeline.points(connection, stream, start, end, count)

    def last_seq(self, stream: str) -> int:
        """Newest stored `seq` of a stream in this run, 0 if there is none."""
        return self.bounds(stream)[1]

    def bounds(self, stream: str) -> tuple[int, int]:
        """Oldest and newest stored `seq` of a stream in this run, (0, 0) if there is none."""
        with self._readers.reading() as connection:
            return scores.bounds(connection, stream, self.epoch)

    # streams

    def put_stream(self, record: StreamRecord) -> None:
        """Stores a stream, in the place of one with the same id."""
        self._write(partial(streams.put, record=record))

    def delete_stream(self, id: str, purge: bool = False) -> bool:
        """Removes a stream, with `purge` also its scores and events; whether there was such a stream."""
        return self._write(partial(streams.delete, id=id, purge=purge))

    def streams(self) -> list[StreamRecord]:
        """All streams, in the order they were made."""
        with self._readers.reading() as connection:
            return streams.every(connection)

    def put_references(self, references: Mapping[str, Reference]) -> None:
        """Keeps what streams' cameras are judged against, by their ids."""
        self._write(partial(sentries.put, references=dict(references)))

    def forget_reference(self, stream: str) -> None:
        """Forgets what a stream's camera was judged against."""
        self._write(partial(sentries.delete, stream=stream))

    def reference(self, stream: str) -> Reference | None:
        """What a stream's camera was judged against last; None: nothing yet."""
        with self._readers.reading() as connection:
            return sentries.one(connection, stream)

    # events

    def next_event_id(self) -> int:
        """An id that no event has or had."""
        return next(self._event_ids)

    def open_event(self, event: Event) -> Event:
        """Stores a new event without waiting; an id of 0 is replaced by a new one.

        Scores committed after it are on disk after it: what is announced when their future is done is stored.
        """
        event = event if event.id else replace(event, id=self.next_event_id())
        self.update_event(event)
        return event

    def update_event(self, event: Event) -> Future[bool]:
        """Stores what changed of an event, all but its label; as durable as scores are.

        What is to be said of its begin and of its end is stored with it.
        """
        return self._writer.keep(partial(_put_event, event=event, now=self._clock()), 1)

    def label_event(self, id: int, label: EventLabel | None) -> Event | None:
        """Sets or clears what a person said of an event; None if there is no such event."""
        return self._write(partial(events.label, id=id, label=label))

    def event(self, id: int) -> Event | None:
        """An event by its id."""
        with self._readers.reading() as connection:
            return events.one(connection, id)

    def events(
        self,
        stream: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        label: events.Labelled | None = None,
    ) -> tuple[list[Event], str | None]:
        """Events, newest first, and the cursor of the next page if there is one; new events do not shift the pages.

        Args:
            stream: only of this stream.
            cursor: what the page before gave.
            limit: how many at most.
            label: only those that a person called so; `none`: those without a label.

        Raises:
            CursorError: the cursor is none of events.
        """
        with self._readers.reading() as connection:
            return events.page(connection, stream=stream, cursor=cursor, limit=limit, label=label)

    def _write(self, apply: Callable[[sqlite3.Connection], T]) -> T:
        return self._writer.submit(apply).result()


def _put_event(connection: sqlite3.Connection, event: Event, now: float) -> None:
    events.put(connection, event)
    alerts.enqueue(connection, event, now)
