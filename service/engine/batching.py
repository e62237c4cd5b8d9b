"""Whose frame is next: which one is decoded, and which ones make a batch. All waiting is done here."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from model.frames import Prepared
from service.engine.runs import Run
from service.engine.seats import ClipSeat, StreamSeat
from service.engine.tickets import ClipTicket, StreamTicket
from service.plan import Plan
from service.records import Dropped
from service.stream import Stream

Ticket: TypeAlias = StreamTicket | ClipTicket

MOST_ON_THE_WAY = 64
"""Frames of a stream between its queue and its score, thinned ones among them."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much is done at once.

    Attributes:
        size: frames of a batch, at most; as many may be decoded ahead of it.
        latest_ahead: of these, frames of a stream with the policy `latest`: what is decoded cannot be overtaken.
        rotation: seconds that a stream keeps its turns while others are kept out for want of capacity.
    """

    size: int = 16
    latest_ahead: int = 2
    rotation: float = 10.0


class Batcher:
    """Streams in, batches out; thread-safe.

    The stream that has waited longest is next, and after its frame it waits again behind all others: so every stream
    gets its turn whatever the others send, and a batch holds one frame of each, or more where few have any. Streams
    come before clips, of which one frame a batch goes on even so.

    Where turns come so late that windows break, sharing on would leave every stream without a score. So a stream whose
    window has broken because its frames were overtaken is kept out until there is capacity, or until it is its time:
    those that are served change places with those that are not.
    """

    def __init__(self, limits: BatchLimits | None = None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits or BatchLimits()
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._to_decode = threading.Condition(self._lock)
        self._to_score = threading.Condition(self._lock)
        self._seats: dict[Stream, StreamSeat] = {}
        self._queued: deque[StreamSeat] = deque()  # with a frame to decode
        self._kept_out: deque[StreamSeat] = deque()  # the same, of those without a turn
        self._again: deque[StreamTicket] = deque()  # to be decoded after all, because one before them was refused
        self._streams: deque[StreamSeat] = deque()  # with a frame to score
        self._clips: deque[ClipSeat] = deque()
        self._ahead = 0
        self._decoding = 0
        self._nudged = False
        self._closed = False

    def __len__(self) -> int:
        """How many streams are seated."""
        return len(self._seats)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is on its way."""
        with self._lock:
            return not self._clips and not any(len(s.queue) or seat.on_the_way for s, seat in self._seats.items())

    def seat(self, stream: Stream) -> None:
        """Lets a stream in.

        Raises:
            ValueError: it is in already.
        """
        with self._lock:
            if stream in self._seats:
                raise ValueError(f"stream {stream.id} is attached already")
            seat = self._seats[stream] = StreamSeat(stream)
            seat.served_since = self._monotonic()
            self._queue(seat)

    def unseat(self, stream: Stream) -> Sequence[Run]:
        """Lets a stream go; gives its runs, whose slots are to be released when no batch holds them."""
        with self._lock:
            seat = self._seats.pop(stream, None)
            if seat is None:
                return []
            seat.on_the_way.clear()
            self._recount(seat)
            return [seat.run, *seat.retired]

    def change(self, stream: Stream, plan: Plan) -> Run | None:
        """Puts a plan in force for the frames that are not decided about yet; gives the run that goes on under it."""
        with self._lock:
            seat = self._seats.get(stream)
            if seat is None:
                return None
            if not seat.run.fits(plan):
                seat.retired.append(seat.run)
                seat.run = Run(plan)
                return None
            seat.run.adjust(plan)
            return seat.run

    def idle_runs(self, streams: Iterable[Stream]) -> list[Run]:
        """Takes the ended runs of which no frame is on its way any more."""
        with self._lock:
            seats = [self._seats[stream] for stream in {*streams} if stream in self._seats]
            return [run for seat in seats if seat.retired for run in seat.idle_runs()]

    def wake(self, stream: Stream) -> None:
        """A frame of the stream has come."""
        with self._lock:
            seat = self._seats.get(stream)
            if seat is not None:
                self._queue(seat)

    def put(self, seat: ClipSeat, tickets: Sequence[ClipTicket]) -> bool:
        """Takes prepared frames of a clip; False: closed."""
        with self._lock:
            if not self._closed:
                seat.on_the_way.extend(tickets)
                self._list(seat)
            return not self._closed

    def remove(self, seat: ClipSeat) -> None:
        """Forgets the frames of a clip."""
        with self._lock:
            seat.on_the_way.clear()

    def nudge(self) -> None:
        """Makes `take` return at once, or the next time."""
        with self._lock:
            self._nudged = True
            self._to_score.notify()

    def close(self) -> list[ClipTicket]:
        """Ends all waiting; gives the clips' frames that will not be scored."""
        with self._lock:
            self._closed = True
            self._to_decode.notify_all()
            self._to_score.notify_all()
            left = [ticket for seat in self._clips for ticket in seat.on_the_way]
            self._clips.clear()
            return left

    def pull(self, *, wait: bool = True) -> StreamTicket | None:
        """The next frame to decode. None: closed, or not to `wait` for it."""
        while True:
            roomy: set[Stream] = set()
            with self._lock:
                ticket = self._next(roomy)
                while ticket is None and not roomy and wait and not self._closed:
                    self._to_decode.wait()
                    ticket = self._next(roomy)
                if self._closed:
                    return None
            for stream in roomy:
                stream.tell_room()
            if ticket is not None or not (roomy or wait):
                return ticket

    def decoded(self, ticket: StreamTicket, prepared: Prepared) -> None:
        """A pulled frame is ready to be scored."""
        with self._lock:
            ticket.accept(prepared)
            self._arrived(ticket)

    def refused(self, ticket: StreamTicket, cause: Dropped, detail: str) -> None:
        """A pulled frame cannot be scored: what was decided about those behind it is decided again without it."""
        with self._lock:
            ticket.refuse(cause, detail)
            seat = self._seats.get(ticket.stream)
            behind = False
            for other in seat.on_the_way if seat is not None else ():
                if behind and other.run is ticket.run:
                    other.decide_again()
                    if other.undecoded:
                        other.decoding = True
                        self._again.append(other)
                        self._to_decode.notify()
                behind = behind or other is ticket
            self._arrived(ticket)

    def take(self, *, size: int, timeout: float, patience: float) -> list[Ticket]:
        """The next batch. Each stream's frames are in order, and also those among them that need no scoring.

        Args:
            size: frames to be scored, at most.
            timeout: seconds to wait for the first frame.
            patience: seconds to wait for frames that are being decoded if some, but fewer than `size`, are ready:
                for an engine that has just worked, and has a batch's worth of work more. 0: none.

        Returns:
            Nothing after the timeout, a `nudge` or the end.
        """
        with self._lock:
            if not self._ready():
                self._to_score.wait_for(lambda: self._nudged or self._closed or self._ready() > 0, timeout)
            elif patience > 0:
                self._to_score.wait_for(
                    lambda: self._nudged or self._closed or not self._decoding or self._ready() >= size, patience
                )
            self._nudged = False
            batch: list[Ticket] = []
            places = size - self._fill(self._streams, batch, max(1, size - bool(self._clips)))
            self._fill(self._clips, batch, places)
            if batch:
                self._to_decode.notify_all()
            return batch

    def _ready(self) -> int:
        return len(self._streams) + len(self._clips)

    def _fill(self, seats: deque[StreamSeat] | deque[ClipSeat], batch: list[Ticket], places: int) -> int:
        """Moves frames into a batch, one of each seat in turn; gives how many of them are to be scored."""
        used = 0
        while seats and used < places:
            seat = seats.popleft()
            seat.listed = False
            leaving = seat.leave()
            batch.extend(leaving)
            used += bool(leaving) and leaving[-1].taken
            if isinstance(seat, StreamSeat):
                self._recount(seat)
                self._queue(seat)
            self._list(seat)
        return used

    def _next(self, roomy: set[Stream]) -> StreamTicket | None:
        """The next frame to decode. Frames before it that need no decoding go on their way."""
        while self._again:
            ticket = self._again.popleft()
            if ticket.stream in self._seats:
                self._decoding += 1
                return ticket
        while (self._queued or self._kept_out) and self._ahead < self.limits.size:
            if not self._queued:
                self._let_in()
            seat = self._queued.popleft()
            seat.queued = False
            waited = seat.stream.queue.take() if self._seats.get(seat.stream) is seat else None
            if waited is None:
                continue
            if seat.stream.queue.policy == "every":
                roomy.add(seat.stream)
            ticket = StreamTicket(seat.stream, seat.run, *waited)
            seat.on_the_way.append(ticket)
            if seat.was_overtaken() and ticket.restart and not seat.let_in:
                seat.served_since = None
            seat.let_in = False
            self._recount(seat)
            self._queue(seat)
            if ticket.taken:
                ticket.decoding = True
                self._decoding += 1
                return ticket
            self._list(seat)
        return None

    def _arrived(self, ticket: StreamTicket) -> None:
        """A pulled frame is back."""
        ticket.decoding = False
        self._decoding -= 1
        if not self._decoding:
            self._to_score.notify()  # for one that waits for the frames being decoded
        seat = self._seats.get(ticket.stream)
        if seat is not None:
            self._recount(seat)
            self._queue(seat)
            self._list(seat)

    def _queue(self, seat: StreamSeat) -> None:
        """Lets a seat wait for its turn to decode, if it has something to and may."""
        if seat.queued or not len(seat.stream.queue) or len(seat.on_the_way) >= MOST_ON_THE_WAY:
            return
        latest = seat.stream.queue.policy == "latest"
        if seat.ahead < (min(self.limits.latest_ahead, self.limits.size) if latest else self.limits.size):
            seat.queued = True
            since = seat.served_since
            if since is not None and self._kept_out and self._monotonic() - since > self.limits.rotation:
                self._let_in()
                seat.served_since = None
            (self._kept_out if seat.served_since is None else self._queued).append(seat)
            self._to_decode.notify()

    def _let_in(self) -> None:
        """Gives the stream that was kept out longest a turn."""
        seat = self._kept_out.popleft()
        seat.served_since = self._monotonic()
        seat.let_in = True
        self._queued.append(seat)

    def _list(self, seat: StreamSeat | ClipSeat) -> None:
        """Lets a seat wait for its turn to be scored, if its first frame is done."""
        if seat.listed or not seat.ready:
            return
        seat.listed = True
        if isinstance(seat, StreamSeat):
            self._streams.append(seat)
        else:
            self._clips.append(seat)
        self._to_score.notify()

    def _recount(self, seat: StreamSeat) -> None:
        """After any change of what is on its way."""
        ahead = sum(ticket.taken for ticket in seat.on_the_way)
        self._ahead += ahead - seat.ahead
        seat.ahead = ahead
