"""One thread owns the device: it gathers frames of all streams into batches, scores them and hands the results back."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import TypeVar

from service.engine.batching import Batcher, BatchLimits
from service.engine.decoders import Decoders
from service.engine.lanes import warm
from service.engine.mailbox import Mailbox
from service.engine.pipeline import BatchReport, Pipeline
from service.engine.runs import Run
from service.engine.seats import ClipSeat
from service.engine.tickets import ClipTicket
from service.models import Model
from service.stream import Outcome, Stream

T = TypeVar("T")
log = logging.getLogger(__name__)

HEARTBEAT = 0.5
"""Seconds between two beats of an engine that has nothing to do."""


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
        self._monotonic = monotonic
        self._batcher = Batcher(self._limits.batch, monotonic=monotonic)
        self._pipeline = Pipeline(
            self._limits.batch.size, on_results=on_results, on_batch=on_batch, clock=clock, monotonic=monotonic
        )
        self._mail = Mailbox(self._batcher.nudge)
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
        return self._pipeline.lanes.slots

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
        self._mail.post(lambda: self._pipeline.lanes.release(seat.slot))

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
            self.run(lambda: warm(model, self._pipeline.size)).result()
        except CancelledError:
            raise ScorerError(self.failed or "the scorer has stopped") from None

    def _idle(self) -> bool:
        return self._pipeline.empty and self._batcher.idle

    def _change(self, stream: Stream) -> None:
        run = self._batcher.change(stream, stream.plan)
        if run is not None:
            self._pipeline.lanes.limit(run.slot, stream.plan.region)
        self._release(self._batcher.idle_runs([stream]))

    def _release(self, runs: Iterable[Run]) -> None:
        for run in runs:
            self._pipeline.lanes.release(run.slot)

    def _work(self) -> None:
        while not self._stopping and not self.failed:
            try:
                self._loop()
            except Exception as error:
                log.exception("the scorer has crashed")
                self._recover(error)
        self._pipeline.lose(self.failed or "the scorer has stopped", all=True)
        self._mail.read()

    def _loop(self) -> None:
        busy = False
        while not self._stopping:
            self._beat = self._monotonic()
            self._mail.read()
            busy = self._work_once(busy)
        while not self._pipeline.empty:
            self._finish()

    def _work_once(self, busy: bool) -> bool:
        """Begins a batch, once there is one, and finishes the one before; gives whether there was anything to do.

        While threads encode a batch, the one before it is finished. While this waits for frames nothing holds the last
        one.
        """
        pipeline = self._pipeline
        patience = self._limits.batch_wait if busy else 0.0
        timeout = HEARTBEAT if pipeline.empty else 0.0
        batch = self._batcher.take(size=pipeline.size, timeout=timeout, patience=patience)
        if batch:
            pipeline.begin(batch)
        if pipeline.full or not (pipeline.empty or (batch and pipeline.encoding)):
            self._finish()
        return bool(batch)

    def _finish(self) -> None:
        streams = self._pipeline.finish()
        self._release(self._batcher.idle_runs(streams))

    def _recover(self, error: Exception) -> None:
        """After a crash: the frames that were being scored are lost, their streams begin new windows."""
        self._pipeline.lose(f"the scorer has crashed: {error}", all=False)
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

    def _close(self, reason: str) -> None:
        for ticket in self._batcher.close():
            ticket.fail(ScorerError(reason))
