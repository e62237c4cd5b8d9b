"""Batches on their way through the device: begun, finished in their order, and what became of their frames told."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TypeVar

from service.engine.batching import Ticket
from service.engine.lanes import Begun, Lanes
from service.engine.slots import Result
from service.engine.tickets import ClipTicket, StreamTicket
from service.stream import Outcome, Stream

T = TypeVar("T")
log = logging.getLogger(__name__)

_GOOD_BATCHES = 100  # after so many, a batch size halved for want of memory is doubled


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


class Pipeline:
    """The batches under way, two at most. For the engine's thread, which may crash in any of its methods.

    Attributes:
        lanes: where the frames are scored.
        size: frames of a batch at present, at most: halved for want of memory, doubled again when that has sufficed.
    """

    def __init__(
        self,
        size: int,
        *,
        on_results: Callable[[list[Outcome]], object],
        on_batch: Callable[[BatchReport], object],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes it empty.

        Args:
            size: frames of a batch, at most.
            on_results, on_batch: see `Scorer`; their faults are not the engine's.
            clock: seconds since 1970.
            monotonic: seconds.
        """
        self.lanes = Lanes(self._halve)
        self.size = size
        self._largest = size
        self._on_results = on_results
        self._on_batch = on_batch
        self._clock = clock
        self._monotonic = monotonic
        self._good = 0  # batches since the memory was short
        self._under_way: deque[_Batch] = deque()
        self._at_work: _Batch | None = None  # the one that a crash costs

    @property
    def empty(self) -> bool:
        """Whether no batch is under way."""
        return not self._under_way

    @property
    def full(self) -> bool:
        """Whether one has to be finished before another is begun."""
        return len(self._under_way) > 1

    @property
    def encoding(self) -> bool:
        """Whether threads still work on the batch that is finished next, so that there is time for another one."""
        return bool(self._under_way) and self._under_way[0].encoding

    def begin(self, tickets: list[Ticket]) -> None:
        """Begins a batch: also those frames of it that need no scoring are concluded when it is finished."""
        batch = _Batch(deque(tickets), [ticket for ticket in tickets if ticket.taken], self._monotonic())
        self._under_way.append(batch)
        self._at_work = batch
        batch.device = self.lanes.begin(batch.taken)
        self._at_work = None

    def finish(self) -> set[Stream]:
        """Finishes the batch begun first, and tells what became of its frames; gives the streams they are of."""
        batch = self._at_work = self._under_way[0]
        results = self.lanes.finish(batch.device) if batch.device is not None and batch.taken else []
        streams = {ticket.stream for ticket in batch.left if isinstance(ticket, StreamTicket)}
        published = self._conclude(batch, iter(results))
        self._end(batch)
        self._grow()
        if batch.taken:
            self._report(batch, published)
        return streams

    def lose(self, reason: str, *, all: bool) -> None:
        """After a crash: the frames that were being worked on, or all, are lost, their streams begin new windows."""
        lost = tuple(self._under_way) if all else () if self._at_work is None else (self._at_work,)
        for batch in lost:
            for ticket in batch.left:
                ticket.slot.broken = True
            self._end(batch)
            try:
                self._conclude(batch, repeat(Result(fault=reason)))
            except Exception:
                log.exception("the scorer could not tell what it has lost")

    def _end(self, batch: _Batch) -> None:
        self._at_work = None
        self._under_way.remove(batch)
        if batch.device is not None:
            self.lanes.let_go(batch.device)

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

    def _halve(self, failed: int) -> None:
        """Memory was short for a batch of this size."""
        self.size = max(1, min(self.size, failed) // 2)
        self._good = 0
        log.warning("out of memory with a batch of %d frames: going on with %d", failed, self.size)

    def _grow(self) -> None:
        """Tries larger batches again when the memory has sufficed for a while."""
        self._good += 1
        if self.size < self._largest and self._good >= _GOOD_BATCHES:
            self.size = min(2 * self.size, self._largest)
            self._good = 0

    def _report(self, batch: _Batch, published: float) -> None:
        of_streams = [ticket for ticket in batch.taken if isinstance(ticket, StreamTicket)]
        seconds = self.lanes.seconds
        report = BatchReport(
            frames=len(batch.taken),
            clip_frames=len(batch.taken) - len(of_streams),
            size=self.size,
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


def _tell(listener: Callable[[T], object], news: T) -> None:
    """Calls a listener whose faults are not the engine's."""
    try:
        listener(news)
    except Exception:
        log.exception("a listener of the scorer has failed")
