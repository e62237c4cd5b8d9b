"""One thread owns the device: it gathers frames of all streams into batches, scores them and hands the results back."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from itertools import repeat
from typing import TypeVar

from service.batching import Batcher, BatchLimits, Ticket
from service.decoders import Decoders
from service.lanes import Begun, Lanes, Result, warm
from service.mailbox import Mailbox
from service.models import Model
from service.runs import Run
from service.seats import ClipSeat
from service.stream import Outcome, Stream
from service.tickets import ClipTicket, StreamTicket

T = TypeVar("T")
log = logging.getLogger(__name__)

HEARTBEAT = 0.5
"""Seconds between two beats of an engine that has nothing to do."""

_GOOD_BATCHES = 100  # after so many, a batch size halved for want of memory is doubled


class ScorerError(RuntimeError):
    """The scorer cannot do it: it has stopped, or failed for good."""


@dataclass(frozen=True, slots=True)
class ScorerLimits:
    """How the engine works.

    Attributes:
        batch: frames of a batch, and how far decoding goes ahead.
        batch_wait: seconds that an engine with more work at hand waits for frames being decoded, to fill a batch.
        decoders: threads that decode; None: one for each core.
        restarts: so often within `restarts_within` seconds the engine is started anew after a crash, then no more.
        restarts_within: see there.
    """

    batch: BatchLimits = field(default_factory=BatchLimits)
    batch_wait: float = 0.003
    decoders: int | None = None
    restarts: int = 5
    restarts_within: float = 600.0


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What a batch took, for the metrics.

    Attributes:
        frames: that were scored, those of clips included.
        clip_frames: of these, of clips.
        size: that batches may have at present, at most.
        waited: for each stream's frame, seconds from its coming to the batch, decoding included.
        decoded: for each stream's frame that was scored, seconds of decoding.
        stages: seconds of the batch by stage: copy, encoder, windows, publish.
    """

    frames: int
    clip_frames: int
    size: int
    waited: tuple[float, ...]
    decoded: tuple[float, ...]
    stages: dict[str, float]


@dataclass(slots=True, eq=False)
class _Batch:
    """Frames that are being scored.

    Attributes:
        left: of them, those of which nothing is told yet.
        taken: those that are to be scored.
        begun: monotonic seconds.
        device: `taken` on the device.
    """

    left: deque[Ticket]
    taken: Sequence[Ticket]
    begun: float
    device: Begun | None = None

    @property
    def encoding(self) -> bool:
        """Whether threads work on it, so that the engine has time for another one."""
        return self.device is not None and self.device.encoding


class Scorer:
    """Scores streams and clips, each as if it were alone.

    Attributes:
        restarts: of the engine after a crash, so far.
        failed: why it gave up for good, or "".
    """

    def __init__(
        self,
        *,
        on_results: Callable[[list[Outcome]], object],
        on_batch: Callable[[BatchReport], object] = lambda report: None,
        limits: ScorerLimits | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes a scorer that is not started.

        Args:
            on_results: called with the outcomes of every batch, on the engine's thread, so it must be quick.
            on_batch: called with what the batch took.
            limits: how it works.
            clock: seconds since 1970.
            monotonic: seconds.
        """
        self.restarts = 0
        self.failed = ""
        self._limits = limits or ScorerLimits()
        self._on_results = on_results
        self._on_batch = on_batch
        self._clock = clock
        self._monotonic = monotonic
        self._batcher = Batcher(self._limits.batch, monotonic=monotonic)
        self._lanes = Lanes(self._halve)
        self._size = self._limits.batch.size
        self._good = 0  # batches since the memory was short
        self._mail = Mailbox(self._batcher.nudge)
        self._under_way: deque[_Batch] = deque()
        self._at_work: _Batch | None = None  # the one that a crash costs
        self._crashes: deque[float] = deque()
        self._beat = -math.inf
        self._stopping = False
        self._engine = threading.Thread(target=self._work, name="framewatch-scorer", daemon=True)
        self._decoders = Decoders(self._batcher, self._limits.decoders)

    @property
    def heartbeat_age(self) -> float:
        """Seconds since the engine last said that it is well; infinite before its start and after it gave up."""
        return math.inf if self.failed else self._monotonic() - self._beat

    @property
    def stuck(self) -> float:
        """Seconds since the engine last said that it is well while it should; 0 before its start and after its end."""
        return self.heartbeat_age if self._engine.is_alive() and self._beat > -math.inf and not self.failed else 0.0

    @property
    def streams(self) -> int:
        """How many streams are attached."""
        return len(self._batcher)

    @property
    def slots(self) -> int:
        """How many slots of the banks are in use, by streams and by clips."""
        return self._lanes.slots

    def start(self) -> None:
        """Starts the threads."""
        self._engine.start()
        self._decoders.start()

    def stop(self, drain: float = 0.0) -> bool:
        """Ends the threads.

        Args:
            drain: seconds to wait for what has come in; their sources must have stopped.

        Returns:
            Whether everything that had come in was scored.
        """
        until = self._monotonic() + drain
        while not (drained := self._idle()) and self._monotonic() < until and not self.failed:
            time.sleep(0.01)
        self._stopping = True
        self._close("the scorer has stopped")
        if self._engine.ident is not None:
            self._engine.join()
        self._decoders.join()
        self._mail.read()
        return drained

    def attach(self, stream: Stream) -> None:
        """Scores a stream's frames from now on.

        Raises:
            ValueError: it is attached already.
        """
        stream.engine = self  # first: a frame that comes in between is found by `seat`
        self._batcher.seat(stream)

    def detach(self, stream: Stream) -> None:
        """Scores no more of a stream; nothing of it is kept. One that is not attached may be detached too."""
        stream.engine = None
        runs = self._batcher.unseat(stream)
        if runs:
            self._mail.post(lambda: self._release(runs))

    def wake(self, stream: Stream) -> None:
        self._batcher.wake(stream)

    def change(self, stream: Stream) -> None:
        self._mail.post(lambda: self._change(stream))

    def put(self, seat: ClipSeat, tickets: Sequence[ClipTicket]) -> None:
        """Takes prepared frames of a clip; each is concluded when its turn has come.

        Raises:
            ScorerError: it has stopped or failed.
        """
        if not self._batcher.put(seat, tickets):
            raise ScorerError(self.failed or "the scorer has stopped")

    def leave(self, seat: ClipSeat) -> None:
        """Forgets a clip."""
        self._batcher.remove(seat)
        self._mail.post(lambda: self._lanes.release(seat.slot))

    def run(self, function: Callable[[], T]) -> Future[T]:
        """Runs something on the engine's thread between two batches: what touches the device.

        Its future is cancelled if the engine has stopped. The engine itself must not wait for it.
        """
        answer = self._mail.ask(function)
        if self._stopping or self.failed:
            answer.cancel()
        return answer

    def warm(self, model: Model) -> None:
        """Scores drawn frames with a model, so that its first real ones take no longer than the others.

        Raises:
            ScorerError: the engine is not running.
            Exception: whatever the model raises.
        """
        try:
            self.run(lambda: warm(model, self._size)).result()
        except CancelledError:
            raise ScorerError(self.failed or "the scorer has stopped") from None

    def _idle(self) -> bool:
        return not self._under_way and self._batcher.idle

    def _change(self, stream: Stream) -> None:
        run = self._batcher.change(stream, stream.plan)
        if run is not None:
            self._lanes.limit(run.slot, stream.plan.region)
        self._release(self._batcher.idle_runs([stream]))

    def _release(self, runs: Iterable[Run]) -> None:
        for run in runs:
            self._lanes.release(run.slot)

    def _halve(self, failed: int) -> None:
        """Memory was short for a batch of this size."""
        self._size = max(1, min(self._size, failed) // 2)
        self._good = 0
        log.warning("out of memory with a batch of %d frames: going on with %d", failed, self._size)

    def _work(self) -> None:
        while not self._stopping and not self.failed:
            try:
                self._loop()
            except Exception as error:
                log.exception("the scorer has crashed")
                self._recover(error)
        while self._under_way:
            self._lose(self._under_way[0], self.failed or "the scorer has stopped")
        self._mail.read()

    def _loop(self) -> None:
        busy = False
        while not self._stopping:
            self._beat = self._monotonic()
            self._mail.read()
            busy = self._work_once(busy)
        while self._under_way:
            self._finish()

    def _work_once(self, busy: bool) -> bool:
        """Begins a batch, once there is one, and finishes the one before; gives whether there was anything to do.

        While threads encode a batch, the one before it is finished. While this waits for frames nothing holds the last
        one.
        """
        patience = self._limits.batch_wait if busy else 0.0
        timeout = 0.0 if self._under_way else HEARTBEAT
        batch = self._batcher.take(size=self._size, timeout=timeout, patience=patience)
        if batch:
            self._begin(batch)
        under_way = self._under_way
        if len(under_way) > 1 or (under_way and not (batch and under_way[0].encoding)):
            self._finish()
        return bool(batch)

    def _begin(self, tickets: list[Ticket]) -> None:
        batch = _Batch(deque(tickets), [ticket for ticket in tickets if ticket.taken], self._monotonic())
        self._under_way.append(batch)
        self._at_work = batch
        batch.device = self._lanes.begin(batch.taken)
        self._at_work = None

    def _finish(self) -> None:
        batch = self._at_work = self._under_way[0]
        results = self._lanes.finish(batch.device) if batch.device is not None and batch.taken else []
        streams = {ticket.stream for ticket in batch.left if isinstance(ticket, StreamTicket)}
        published = self._conclude(batch, iter(results))
        self._end(batch)
        self._release(self._batcher.idle_runs(streams))
        self._grow()
        if batch.taken:
            self._report(batch, published)

    def _end(self, batch: _Batch) -> None:
        self._at_work = None
        self._under_way.remove(batch)
        if batch.device is not None:
            self._lanes.let_go(batch.device)

    def _conclude(self, batch: _Batch, results: Iterator[Result]) -> float:
        """Hands out what became of the batch's frames; gives the seconds that took."""
        began = self._monotonic()
        now = self._clock()
        outcomes: list[Outcome] = []
        try:
            while batch.left:
                ticket = batch.left.popleft()
                result = next(results) if ticket.taken else Result()
                if isinstance(ticket, ClipTicket):
                    ticket.conclude(result)
                elif (outcome := ticket.conclude(result, now)) is not None:
                    outcomes.append(outcome)
        finally:
            if outcomes:
                _tell(self._on_results, outcomes)
        return self._monotonic() - began

    def _grow(self) -> None:
        """Tries larger batches again when the memory has sufficed for a while."""
        self._good += 1
        if self._size < self._limits.batch.size and self._good >= _GOOD_BATCHES:
            self._size = min(2 * self._size, self._limits.batch.size)
            self._good = 0

    def _report(self, batch: _Batch, published: float) -> None:
        of_streams = [ticket for ticket in batch.taken if isinstance(ticket, StreamTicket)]
        seconds = self._lanes.seconds
        report = BatchReport(
            frames=len(batch.taken),
            clip_frames=len(batch.taken) - len(of_streams),
            size=self._size,
            waited=tuple(batch.begun - ticket.queued for ticket in of_streams),
            decoded=tuple(ticket.decode_seconds for ticket in of_streams),
            stages={
                "copy": seconds.copy,
                "encoder": seconds.encoder,
                "windows": seconds.windows,
                "publish": published,
            },
        )
        _tell(self._on_batch, report)

    def _recover(self, error: Exception) -> None:
        """After a crash: the frames that were being scored are lost, their streams begin new windows."""
        if self._at_work is not None:
            self._lose(self._at_work, f"the scorer has crashed: {error}")
        now = self._monotonic()
        self._crashes.append(now)
        while now - self._crashes[0] > self._limits.restarts_within:
            self._crashes.popleft()
        if len(self._crashes) <= self._limits.restarts:
            self.restarts += 1
            return
        self.failed = f"the scorer has crashed {len(self._crashes)} times, the last time by: {error}"
        log.critical("%s; it is not started again", self.failed)
        self._close(self.failed)

    def _lose(self, batch: _Batch, reason: str) -> None:
        for ticket in batch.left:
            ticket.slot.broken = True
        self._end(batch)
        try:
            self._conclude(batch, repeat(Result(fault=reason)))
        except Exception:
            log.exception("the scorer could not tell what it has lost")

    def _close(self, reason: str) -> None:
        for ticket in self._batcher.close():
            ticket.fail(ScorerError(reason))


def _tell(listener: Callable[[T], object], news: T) -> None:
    """Calls a listener whose faults are not the engine's."""
    try:
        listener(news)
    except Exception:
        log.exception("a listener of the scorer has failed")
