"""Writes the files of events, apart from all scoring: one thread takes pictures to disk, one has them encoded."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from model.pictures import PictureError
from service.announcer import Look
from service.events import RESTART
from service.metrics import Metrics
from service.recorder.bench import Bench, Order
from service.recorder.ledger import Ledger
from service.recorder.mp4 import Written
from service.recorder.pictures import heat_map, snapshot
from service.recorder.recording import ClipTimes, Recording
from service.recorder.recordings import Recordings
from service.recorder.records import EventFiles
from service.recorder.ring import Ring, Rings
from service.recorder.shelf import CLIP, HEAT_MAP, SNAPSHOT, SPOOL, Shelf, ShelfLimits, Table
from service.records import Event
from service.rounds import Rounds
from service.store import StoreUnavailable

TIDY_EVERY: Final = 60.0
_REACH: Final = 12.0  # seconds that a ring reaches back beyond those before an event: scores may come so late
_SPOOLED: Final = 0.25  # of the bytes that are kept: what may wait to be encoded
_LEAST_SPOOLED: Final = 64 * 2**20
log = logging.getLogger(__name__)


class FileTable(Table, Protocol):
    """What is known of events' files (`Store.files`)."""

    def waiting(self) -> list[EventFiles]: ...


class Recorder:
    """The files of all events. What it is told of events costs the caller nothing; what fails costs only files.

    Attributes:
        written, failed: clips, so far.
    """

    def __init__(
        self,
        folder: Path,
        table: FileTable,
        *,
        times: ClipTimes,
        limits: ShelfLimits,
        memory: int,
        event: Callable[[int], Event | None],
        on_files: Callable[[EventFiles], object] = lambda files: None,
        bench: Callable[[Callable[[Order, Written | str], object]], Bench] = Bench,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes it; `start` begins.

        Args:
            folder: of all files.
            table: what is known of them.
            times: what a clip shows.
            limits: how much is kept; 0 bytes: nothing is recorded.
            memory: bytes that the last pictures of all streams may use.
            event: an event as it is stored.
            on_files: told of a clip that is ready, or failed, once that is stored; not of a muted event. From the
                store's thread, must not block.
            bench: makes the queue of what is to be encoded.
            clock: seconds since 1970.
            monotonic: seconds.
        """
        self.written = 0
        self.failed = 0
        self._on = limits.bytes > 0
        self._table = table
        self._times = times
        self._limits = limits
        self._event = event
        self._monotonic = monotonic
        self._rings = Rings(times.before + _REACH, memory)
        self.shelf = Shelf(folder, table, limits, clock)
        self._ledger = Ledger(table, size=self.shelf.size, on_files=on_files, clock=clock)
        self._bench = bench(self._encoded)
        self._notes: deque[Callable[[], object]] = deque()
        self._looks: dict[int, Look] = {}
        self._recordings = Recordings()
        self._spooled = 0
        self._tidied = -TIDY_EVERY
        self._rounds = Rounds("framewatch-recorder", self._round)

    def measure(self, metrics: Metrics) -> None:
        """Adds what is measured."""
        metrics.gauge("clips_written", "Clips of events that were written", lambda: self.written)
        metrics.gauge("clips_failed", "Clips of events that could not be written", lambda: self.failed)
        metrics.gauge("clips_waiting", "Clips that wait to be encoded, or are", lambda: len(self._bench))
        metrics.gauge("clip_memory_bytes", "Memory of the last seconds of all streams", lambda: self._rings.size)
        metrics.gauge("clip_bytes", "Size of the files of events", self._table.kept_bytes)

    def start(self) -> None:
        """Takes up what was left unfinished, removes what belongs to nothing, and begins."""
        if self._on:
            self._note(self._resume)
        self._bench.start()
        self._rounds.start()

    def stop(self) -> None:
        """Ends. What is unfinished is finished at the next start."""
        self._rounds.stop()
        self._bench.stop()

    def open(self, stream: str) -> Ring | None:
        """A ring for the pictures of a stream; None: nothing is recorded."""
        if not self._on:
            return None
        ring = self._rings.open(stream)
        ring.on_add = self._rounds.wake
        return ring

    def close(self, stream: str, *, purge: bool = False) -> None:
        """A stream was removed, with `purge` also its events."""
        ring = self._rings.close(stream)
        if ring is not None:
            self._note(partial(self._leave, stream, ring, purge))

    def opened(self, event: Event, look: Look | None) -> None:
        """For the announcer: an event has opened."""
        ring = self._rings.get(event.stream)
        self.peaked(event, look)
        if ring is not None:
            path = self.shelf.path(event.id, SPOOL)
            recording = Recording(event.id, event.stream, event.started, ring, path, self._times, self._monotonic)
            self._recordings.begin(recording)
        self._note(partial(self._begin, event))

    def peaked(self, event: Event, look: Look | None) -> None:
        """For the announcer: this is an event's peak so far."""
        if self._on and look is not None:
            self._looks[event.id] = look

    def closed(self, event: Event) -> None:
        """For the announcer: an event has ended."""
        self._note(partial(self._end, event))

    def _note(self, note: Callable[[], object]) -> None:
        self._notes.append(note)
        self._rounds.wake()

    def _round(self) -> float:
        while self._notes:
            self._shield(self._notes.popleft())
        self._shield(self._pull)
        if self._on and self._monotonic() - self._tidied >= TIDY_EVERY:
            self._tidied = self._monotonic()
            self._shield(self.shelf.tidy)
        return min(TIDY_EVERY, max(0.01, self._recordings.overdue - self._monotonic()))

    def _shield(self, work: Callable[[], object]) -> None:
        """Whatever goes wrong with one event, the others get their files."""
        try:
            work()
        except StoreUnavailable as error:
            log.info("what is kept of events waits: %s", error)
        except Exception:
            log.exception("files of events could not be written")

    def _resume(self) -> None:
        """Removes what an earlier run left undone, and has clips encoded whose pictures it has kept."""
        self.shelf.sweep(())
        for files in self._table.waiting():
            self._ledger.keep(files)
            event = self._event(files.event)
            if event is not None and event.muted:
                self._ledger.mute(event.id)
            spool = self.shelf.path(files.event, SPOOL)
            size = spool.stat().st_size if spool.exists() else 0
            if not size or event is None:
                self._fail(files.event, "the service was stopped before a picture of it was kept")
                continue
            cut = event.reason == RESTART
            until = None if event.ended is None or cut else event.ended + self._times.after
            reason = "it ends early: the service was stopped meanwhile" if cut else ""
            self._spooled += size
            self._order(files.event, files.stream, until, reason, size)

    def _begin(self, event: Event) -> None:
        if not self._on:
            self._ledger.put(EventFiles(event.id, event.stream, "none", "clips are turned off"))
            self._settle(event.id)
            return
        waiting = EventFiles(event.id, event.stream, "waiting")
        self._ledger.keep(waiting)
        if event.muted:
            self._ledger.mute(event.id)
        if self._limits.short_of_space():
            self.shelf.tidy()
        if self._limits.short_of_space():
            self._looks.pop(event.id, None)
            self._fail(event.id, "the disk is short of space")
            return
        self._ledger.put(self._pictured(waiting))
        if self._recordings.get(event.id) is None:
            self._fail(event.id, "the stream is gone")
            return
        try:
            self.shelf.room(event.id)
        except OSError as error:
            self._fail(event.id, f"its folder cannot be made ({error.strerror or error})")

    def _end(self, event: Event) -> None:
        recording = self._recordings.get(event.id)
        if recording is not None and event.ended is not None:
            recording.end(event.ended)
        files = self._ledger.get(event.id)
        if files is not None:
            self._ledger.put(self._pictured(files))
        self._looks.pop(event.id, None)
        self._settle(event.id)

    def _pictured(self, files: EventFiles) -> EventFiles:
        """Writes the picture of an event's peak so far, and its heat map."""
        event = files.event
        look = self._looks.get(event)
        if look is None:
            return files
        try:
            self.shelf.put(event, SNAPSHOT, snapshot(look.frame))
            files = replace(files, snapshot=True)
            if look.heat is not None:
                self.shelf.put(event, HEAT_MAP, heat_map(look.heat, look.threshold))
                files = replace(files, heatmap=True)
        except (OSError, PictureError) as error:
            log.warning("event %d: the picture of its peak is not kept: %s", event, error)
        return files

    def _pull(self) -> None:
        budget = max(_LEAST_SPOOLED, int(self._limits.bytes * _SPOOLED))
        for recording in [one for one in self._recordings if one.event in self._ledger]:
            self._spooled += recording.pull(budget - self._spooled)
            if recording.over:
                self._recordings.drop(recording.event)
                self._conclude(recording)
        self._recordings.hold(self._rings)

    def _conclude(self, recording: Recording) -> None:
        if recording.failed or not recording.bytes:
            self._spooled -= recording.bytes
            self._fail(recording.event, recording.failed or "no picture of it came in")
        else:
            self._order(recording.event, recording.stream, recording.until, recording.reason, recording.bytes)

    def _order(self, event: int, stream: str, until: float | None, reason: str, size: int) -> None:
        spool, clip = self.shelf.path(event, SPOOL), self.shelf.path(event, CLIP)
        if not self._bench.put(Order(event, stream, spool, clip, until, reason, size)):
            self._spooled -= size
            self._fail(event, "too many clips waited to be encoded")

    def _encoded(self, order: Order, outcome: Written | str) -> None:
        """For the bench."""
        self._note(partial(self._finish, order, outcome))

    def _finish(self, order: Order, outcome: Written | str) -> None:
        self._spooled -= order.bytes
        if isinstance(outcome, str):
            self._fail(order.event, outcome)
            return
        files = self._ledger.get(order.event)
        if files is None:  # purged meanwhile
            self.shelf.remove(order.event)
            return
        self.shelf.discard(order.event, SPOOL)
        bad = f"{outcome.bad} pictures of it could not be decoded" if outcome.bad else ""
        reason = "; ".join(part for part in (order.reason, bad) if part)
        self.written += 1
        files = replace(files, state="ready", reason=reason, began=outcome.began, ended=outcome.ended)
        self._ledger.put(files, told=True)
        self._settle(order.event)
        self.shelf.tidy()

    def _fail(self, event: int, reason: str) -> None:
        self.failed += 1
        self._recordings.drop(event)
        log.warning("event %d has no clip: %s", event, reason)
        self.shelf.discard(event, SPOOL)
        files = self._ledger.get(event)
        if files is not None:
            self._ledger.put(replace(files, state="failed", reason=reason), told=True)
            self._settle(event)

    def _settle(self, event: int) -> None:
        """Forgets an event of which nothing more is to be written."""
        if event not in self._looks:
            self._ledger.settle(event)

    def _leave(self, stream: str, ring: Ring, purge: bool) -> None:
        self._pull()
        for recording in [one for one in self._recordings if one.ring is ring]:
            recording.cut("it ends early: the stream was removed")
            if purge:
                self._recordings.drop(recording.event)
                self._spooled -= recording.bytes
        if purge:
            for event in self._ledger.purge(stream):
                self._looks.pop(event, None)
            self.shelf.sweep(list(self._ledger))
