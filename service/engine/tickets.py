"""A frame on its way through the engine, and what became of it."""

from __future__ import annotations

import logging
import math
from concurrent.futures import Future

from model.frames import PictureSizeError, Prepared
from model.pictures import Image, PictureError
from model.sampler import Decision
from model.states import State
from service.engine.intake import UNUSABLE, Intake, decode, picture_size
from service.engine.runs import Run
from service.engine.slots import Result, Slot
from service.records import Dropped, IncomingFrame, Score
from service.stream import Latest, Outcome, Stream, unscored

FILLING = "its first window is not full"
OVERLOADED = "frames before it were dropped: the service cannot keep up"
LATEST = 253_402_300_800.0
"""Seconds since 1970: the year 10000, which no RFC 3339 time has."""

log = logging.getLogger(__name__)


class StreamTicket:
    """One frame of a stream, from its queue to its score.

    Attributes:
        stream: whose it is.
        run: which it is scored in.
        frame: as it came.
        queued: monotonic seconds, when it came.
        decision: the sampler's; None: over the rate cap, or refused.
        refused: why it cannot be scored, or None.
        decoding: a thread works on it.
        decode_seconds: how long that took.
    """

    def __init__(self, stream: Stream, run: Run, frame: IncomingFrame, queued: float) -> None:
        """Looks at the frame's header and time stamp, and decides about it."""
        self.stream = stream
        self.run = run
        self.frame = frame
        self.queued = queued
        self.decision: Decision | None = None
        self.refused: tuple[Dropped, str] | None = None
        self.explained = ""
        self._standstill = ""
        self.decoding = False
        self.decode_seconds = 0.0
        self._unfit = False
        self._before: Intake | None = None
        self._size = (0, 0)
        self._image: Image | None = None
        self._denoised = False
        try:
            if not math.isfinite(frame.pts):
                raise PictureError(f"its time stamp is {frame.pts}")
            if not 0 <= frame.captured < LATEST:
                raise PictureError(f"its capture time is {frame.captured} seconds since 1970")
            self._size = picture_size(frame, stream.frame_limits.pixels)
            self.run.plan.model.detector.config.geometry.check_size(*self._size)
            self._decide()
        except PictureSizeError as error:
            self.refused, self._unfit = (Dropped.BAD, str(error)), True
        except UNUSABLE as error:
            self.refused = (Dropped.BAD, str(error))
        except Exception as error:  # of a header that nobody thought of
            log.exception("stream %s: frame %d could not be looked at", stream.id, frame.number)
            self.refused = (Dropped.FAULT, str(error) or type(error).__name__)

    @property
    def slot(self) -> Slot:
        return self.run.slot

    @property
    def image(self) -> Image:
        if self._image is None:
            raise RuntimeError(f"frame {self.frame.number} of stream {self.stream.id} is not decoded")
        return self._image

    @property
    def restart(self) -> bool:
        return self.taken and self.decision is not None and self.decision.restart

    @property
    def taken(self) -> bool:
        """Whether it is to be scored."""
        return self.refused is None and self.decision is not None and self.decision.take

    @property
    def undecoded(self) -> bool:
        """Whether it has to be decoded, and nobody works on it."""
        return self.taken and self._image is None and not self.decoding

    @property
    def done(self) -> bool:
        """Whether it is ready to be scored, or not to be."""
        return self._image is not None or not self.taken

    def decode(self) -> Prepared:
        """See `intake.decode`; touches nothing but the frame, so any thread may do it."""
        return decode(self.frame, self._size, self.run.plan.model.detector, self.run.plan.repair)

    def accept(self, prepared: Prepared) -> None:
        self._image, self._denoised = prepared.image, prepared.denoised

    def refuse(self, cause: Dropped, detail: str) -> None:
        """It cannot be scored after all: the intake goes back to where it was, as if the frame had never come."""
        self.refused = (cause, detail)
        if self._before is not None:
            self._before.max_rate = self.run.intake.max_rate
            self.run.intake = self._before

    def decide_again(self) -> None:
        """After a frame before it was refused."""
        if self.refused is None:
            self._decide()

    def _decide(self) -> None:
        self._before = self.run.intake.copy()
        self.decision = self.run.intake.offer(self.frame.pts, self._size)
        self.explained = self.run.intake.explain()
        self._standstill = self.run.intake.standstill

    def conclude(self, result: Result, now: float) -> Outcome | None:
        """What became of the frame.

        Args:
            result: of its window, if it was taken.
            now: seconds since 1970.

        Returns:
            None: the stream has ended meanwhile.
        """
        if self.stream.closed:
            return None
        if self.refused is not None:
            if self._unfit:
                stream = self.stream
                stream.unfit = unscored(stream.id, self.frame, stream.frames_in, now, self.refused[1])
            return self._dropped(*self.refused)
        if self.decision is None:
            return self._dropped(Dropped.RATE, self._standstill)
        if not self.decision.take:
            return self._dropped(Dropped.THINNED, self._standstill)
        if result.fault:
            return self._dropped(Dropped.FAULT, result.fault)
        return self._announced(self.decision, result, now)

    def _dropped(self, cause: Dropped, detail: str = "") -> Outcome:
        self.stream.count_drop(cause, detail)
        return Outcome(self.stream, self.frame, None, cause, detail)

    def _announced(self, decision: Decision, result: Result, now: float) -> Outcome:
        run, stream, frame = self.run, self.stream, self.frame
        scored = run.chain.push(frame.pts, result.raw, restart=result.restarted, denoised=self._denoised)
        cause = None
        score, smoothed, state, reason = run.last, None, State.WARMING, decision.reason.value or FILLING
        if scored is not None:
            score, smoothed, state, reason = scored.score, scored.smoothed, scored.state, ""
            run.last = score
        elif self.explained:
            cause, score, reason = Dropped.TOO_SLOW, None, self.explained
        lost, overtaken = stream.count_score(cause)
        if overtaken and scored is None and decision.restart:
            reason = OVERLOADED
        tampering = stream.sentry.judge(run.plan.model, frame.pts, self.image)
        announced = Score(
            stream=stream.id,
            seq=stream.seq,
            frame=frame.number,
            pts=frame.pts,
            captured=frame.captured,
            scored=now,
            raw=result.raw,
            score=score,
            smoothed=smoothed,
            threshold=run.chain.theta,
            state=state,
            dropped=lost,
            reason=reason,
            reliable=not tampering,
        )
        stream.latest = Latest(frame, announced, None if result.heat is None else result.heat.copy())
        return Outcome(stream, frame, announced, cause, heat=result.heat, tampering=tampering)


class ClipTicket:
    """One prepared frame of a clip."""

    taken = True
    done = True

    def __init__(self, slot: Slot, image: Image, restart: bool, call: ClipCall) -> None:
        self.slot = slot
        self.image = image
        self.restart = restart
        self._call = call

    def conclude(self, result: Result) -> None:
        self._call.add(result)

    def fail(self, error: Exception) -> None:
        """It will not be scored."""
        self._call.fail(error)


class ClipCall:
    """Some frames of a clip that are answered together."""

    def __init__(self, count: int) -> None:
        self.answer: Future[list[Result]] = Future()
        self._count = count
        self._results: list[Result] = []

    def add(self, result: Result) -> None:
        """The next frame's result."""
        self._results.append(result)
        if len(self._results) == self._count and self.answer.set_running_or_notify_cancel():
            self.answer.set_result(self._results)

    def fail(self, error: Exception) -> None:
        """There will be no answer."""
        if not self.answer.done() and self.answer.set_running_or_notify_cancel():
            self.answer.set_exception(error)
