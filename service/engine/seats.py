"""Who waits at the engine: streams and clips, each with its frames on their way."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from service.engine.runs import Run
from service.engine.slots import Slot
from service.engine.tickets import ClipTicket, StreamTicket
from service.stream import Stream

Kind = TypeVar("Kind", StreamTicket, ClipTicket)


class Seat(Generic[Kind]):
    """Frames on their way, in order.

    Attributes:
        on_the_way: they leave at the front when they are done.
        listed: it stands in the list of those with a frame to score.
    """

    def __init__(self) -> None:
        self.on_the_way: deque[Kind] = deque()
        self.listed = False

    @property
    def ready(self) -> bool:
        return bool(self.on_the_way) and self.on_the_way[0].done

    def leave(self) -> list[Kind]:
        """Takes the frames that are done, up to and with the first that is to be scored."""
        gone: list[Kind] = []
        while self.ready:
            gone.append(self.on_the_way.popleft())
            if gone[-1].taken:
                break
        return gone


class StreamSeat(Seat[StreamTicket]):
    """A stream at the engine.

    Attributes:
        stream: whose seat it is.
        run: in force for the frames that are yet to be taken from the queue.
        retired: runs before it of which frames may still be on their way.
        queued: it stands in the list of those with a frame to decode.
        ahead: frames on their way that are to be scored.
        served_since: monotonic seconds, since when it has its turns; None: it is kept out.
        let_in: it has just got its turns again, so its next frame begins a window.
    """

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self.stream = stream
        self.run = Run(stream.plan)
        self.retired: list[Run] = []
        self.queued = False
        self.ahead = 0
        self.served_since: float | None = None
        self.let_in = False
        self._overtaken = 0

    def was_overtaken(self) -> bool:
        """Whether frames of the stream were overtaken since the last call."""
        before, self._overtaken = self._overtaken, self.stream.queue.overtaken
        return self._overtaken > before

    def idle_runs(self) -> Sequence[Run]:
        """Takes the retired runs of which no frame is on its way any more."""
        idle = [run for run in self.retired if not any(ticket.run is run for ticket in self.on_the_way)]
        self.retired = [run for run in self.retired if run not in idle]
        return idle


class ClipSeat(Seat[ClipTicket]):
    """A clip at the engine."""

    def __init__(self, slot: Slot) -> None:
        super().__init__()
        self.slot = slot
