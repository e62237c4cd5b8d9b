"""One stream: what it is, the frames that wait, what became of them, its health."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.frames import Repair
from model.pictures import MAX_PIXELS
from model.states import State
from service.backlog import Backlog
from service.models import Model
from service.plan import Plan, make_plan
from service.queues import FrameQueue, QueueLimits
from service.records import Dropped, Health, IncomingFrame, Score, StreamOptions, StreamRecord
from service.sentry import Sentry

Heat = NDArray[np.float32]
_IN_A_ROW = 5  # frames of no use: fewer may be a transmission's damage, which passes
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """What a frame may be.

    Attributes:
        bytes: of an encoded frame. What came decoded is from the service's own readers, and bounded by its pixels.
        pixels: of its picture.
    """

    bytes: int = 32 * 2**20
    pixels: int = MAX_PIXELS


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of one frame that was taken from its queue. Every such frame has exactly one, in order.

    Attributes:
        stream: the frame's.
        frame: as it came in.
        score: what is announced; None: nothing is.
        dropped: why it has no score of its own; None: it has one, or its stream warms up.
        detail: what to tell whoever sent a frame that could not be used.
        heat: float32 2·rows×2·columns, errors of the frame; None where it has no window.
        tampering: what is wrong with the camera, or "".
    """

    stream: Stream
    frame: IncomingFrame
    score: Score | None
    dropped: Dropped | None = None
    detail: str = ""
    heat: Heat | None = None
    tampering: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Latest:
    """The newest frame of a stream that was decoded, with its score and, where it has a window, its heat map."""

    frame: IncomingFrame
    score: Score
    heat: Heat | None


def unscored(stream: str, frame: IncomingFrame, seq: int, now: float, reason: str) -> Latest:
    """A frame that is shown without being scored.

    Args:
        stream: id of the stream.
        frame: as it came in.
        seq: another one than of the frame that was shown before.
        now: seconds since 1970.
        reason: why it is not scored.
    """
    nothing = Score(
        stream=stream,
        seq=seq,
        frame=frame.number,
        pts=frame.pts,
        captured=frame.captured,
        scored=now,
        raw=None,
        score=None,
        smoothed=None,
        threshold=1.0,
        state=State.WARMING,
        reason=reason,
    )
    return Latest(frame, nothing, None)


class Engine(Protocol):
    """What scores streams, as they see it."""

    def wake(self, stream: Stream) -> None:
        """A frame has come in."""

    def change(self, stream: Stream) -> None:
        """The stream's plan or policy has changed."""


class Stream:
    """A stream of frames of one camera. Every method may be called from any thread.

    Attributes:
        record: as it is stored.
        plan: how it is scored, for frames that are yet to come.
        health: whether frames arrive, as its source says.
        reason: why `health` is what it is, or "".
        error_class: of a source that failed, or "".
        reconnects: of its source, so far.
        seq: of the last announced score of its id in this epoch; 0: none yet.
        scored: frames with a score of their own, or that warmed the stream up, so far.
        unusable: why its last frames, several in a row, could not be scored, or "": how `health` is it does not say.
        latest: the newest decoded frame.
        unfit: the newest frame whose shape is not the model's, while there are none but such.
        sentry: looks for tampering.
        on_room: called with `credit` when there is room for frames again; at once, from any thread, and it must not
            block. For sources that are held back (policy `every`).
    """

    def __init__(
        self,
        record: StreamRecord,
        model: Model,
        *,
        seq: int = 0,
        repair: Repair | None = None,
        frame_limits: FrameLimits | None = None,
        queue_limits: QueueLimits | None = None,
        backlog: Backlog | None = None,
        sentry: Sentry | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes a stream that no engine scores yet.

        Args:
            record: as it is stored.
            model: that the record's options name, or the active one.
            seq: of the last score in this epoch, if there was a stream of that id before.
            repair: what is done to its frames first (default: noise).
            frame_limits: what a frame may be.
            queue_limits: how much may wait.
            backlog: of all streams of the service.
            sentry: looks for tampering (default: one that has seen nothing yet).
            monotonic: seconds.

        Raises:
            OptionError: the record's options do not fit the model.
        """
        self.record = record
        self.plan: Plan = make_plan(model, record.options, repair)
        self.frame_limits = frame_limits or FrameLimits()
        self.queue = FrameQueue(record.options.policy, queue_limits, backlog)
        self.health = Health.CONNECTING
        self.reason = ""
        self.error_class = ""
        self.reconnects = 0
        self.seq = seq
        self.scored = 0
        self.unusable = ""
        self.latest: Latest | None = None
        self.unfit: Latest | None = None
        self.sentry = sentry or Sentry()
        self.on_room: Callable[[int], object] | None = None
        self.engine: Engine | None = None
        self._monotonic = monotonic
        self._dropped = dict.fromkeys(Dropped, 0)
        self._oversized = 0
        self._in_a_row = 0
        self._losses = (0, 0)
        self._closed = False

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def closed(self) -> bool:
        """Whether it has ended: nothing of it is scored or announced any more."""
        return self._closed

    @property
    def credit(self) -> int:
        """How many frames its source may send before one is refused."""
        return self.queue.credit

    @property
    def frames_in(self) -> int:
        """Frames that came in so far: scored, dropped, or still waiting."""
        return self.queue.offered + self._oversized

    @property
    def dropped(self) -> dict[Dropped, int]:
        """Frames that came in and have no score of their own, by cause, so far."""
        dropped = self._dropped.copy()
        dropped[Dropped.OVERLOAD] += self.queue.overtaken
        dropped[Dropped.BAD] += self._oversized
        return dropped

    @property
    def concluded(self) -> bool:
        """Whether it is known of every frame that came in what became of it."""
        return self.scored + sum(self.dropped.values()) >= self.frames_in

    @property
    def unannounced(self) -> int:
        """Frames that were dropped without a word so far: all but those of a source that is too slow."""
        return sum(self._dropped.values()) - self._dropped[Dropped.TOO_SLOW] + self.queue.overtaken + self._oversized

    def offer(self, frame: IncomingFrame) -> bool:
        """Takes a frame in.

        Returns:
            False: it was not taken. There is no room (policy `every`: offer it again after `on_room`), or the stream
            is closed. A frame over the size limit is taken and counted as bad.
        """
        if isinstance(frame.data, bytes) and len(frame.data) > self.frame_limits.bytes:
            self._oversized += not self._closed
            return not self._closed
        if not self.queue.put(frame, self._monotonic()):
            return False
        engine = self.engine
        if engine is not None:
            engine.wake(self)
        return True

    def update(self, options: StreamOptions, model: Model) -> None:
        """Changes options or model while the stream runs.

        A new model begins with an empty window. A new threshold counts from the next frame on; `smoothed` follows
        within its seconds.

        Raises:
            OptionError: they do not fit together; nothing has changed.
        """
        self.follow(make_plan(model, options, self.plan.repair), options)

    def follow(self, plan: Plan, options: StreamOptions | None = None) -> None:
        """Changes to a plan that is already checked."""
        if options is not None:
            self.record = replace(self.record, options=options)
            self.queue.policy = options.policy
        self.plan = plan
        if self.engine is not None:
            self.engine.change(self)

    def set_health(self, health: Health, reason: str = "", error_class: str = "") -> bool:
        """Notes what the source says; gives whether that is news."""
        news = (health, reason, error_class) != (self.health, self.reason, self.error_class)
        if health is Health.RECONNECTING and self.health is not Health.RECONNECTING:
            self.reconnects += 1
        self.health, self.reason, self.error_class = health, reason, error_class
        return news

    def tell_room(self) -> None:
        """Tells a source that is held back how many frames it may send. For the engine."""
        tell = self.on_room
        if tell is not None:
            try:
                tell(self.credit)
            except Exception:  # whatever a source does, the others' frames go on
                log.exception("stream %s: its source could not be told of room", self.id)

    def count_drop(self, cause: Dropped, detail: str = "") -> None:
        """Counts a frame that is not announced, and notes why its like cannot be scored. For the engine."""
        self._dropped[cause] += 1
        if detail:
            self._in_a_row += 1
            if self._in_a_row >= _IN_A_ROW:
                self.unusable = detail

    def count_score(self, cause: Dropped | None) -> tuple[int, int]:
        """Counts a frame that is announced, with a score or, for a cause, without. For the engine.

        Returns:
            Frames that were dropped since the one announced before it, and those of them that were overtaken.
        """
        if cause is None:
            self.scored += 1
        else:
            self._dropped[cause] += 1
        self._in_a_row, self.unusable, self.unfit = 0, "", None
        self.seq += 1
        before, self._losses = self._losses, (self.unannounced, self.queue.overtaken)
        return self._losses[0] - before[0], self._losses[1] - before[1]

    def close(self) -> None:
        """Ends the stream: what waits is dropped, what is being scored is not announced. It cannot be opened again."""
        self._closed = True
        self.queue.close()
        self.on_room = None
        self.latest = self.unfit = None


def switch(streams: Iterable[Stream], model: Model) -> None:
    """Moves streams to a model, all or none.

    Raises:
        OptionError: the model does not fit one of them, which is named; nothing has changed.
    """
    plans = []
    for stream in streams:
        try:
            plans.append((stream, make_plan(model, stream.record.options, stream.plan.repair)))
        except ValueError as error:
            raise type(error)(f"stream {stream.id}: {error}") from error
    for stream, plan in plans:
        stream.follow(plan)
