"""A live stream's frames on their way into a recording, until there is enough of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from model.pictures import PictureError
from service.addresses import redact
from service.learning.recording import Recording, RecordingFull
from service.learning.records import LearningError
from service.learning.tap import Tap
from service.member import Member
from service.records import Health

LEAST: Final = 5.0
"""Seconds of footage below which nothing can be learned."""

SILENT: Final = 5.0
"""Seconds without a frame after which that is said."""

_UNUSABLE: Final = ("covered", "frozen")  # a camera that was moved is learned as it looks now
_ENOUGH: Final = 60.0  # seconds: a stream that ends after so much is learned from even so
_LOOK: Final = 0.5
_DISK: Final = 10.0  # seconds between two looks at the disk


class Note(Protocol):
    """Told how far it is."""

    def __call__(self, *, progress: float, recorded: float, detail: str) -> None: ...


class Filling:
    """Fills one recording. While the camera is covered or frozen it waits."""

    def __init__(
        self,
        member: Member,
        recording: Recording,
        wanted: float,
        *,
        check: Callable[[], object],
        note: Note,
        disk_is_short: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes it.

        Args:
            member: the stream.
            recording: may hold something already.
            wanted: seconds.
            check: called twice a second and for every frame; raises to end it.
            note: told how far it is.
            disk_is_short: whether too little of the disk is free.
            monotonic: seconds.
        """
        self._member = member
        self._recording = recording
        self._wanted = wanted
        self._check = check
        self._note = note
        self._disk_is_short = disk_is_short
        self._monotonic = monotonic
        self._looked = monotonic()

    def run(self) -> str:
        """Records until there is enough; gives what is to be said of it.

        Raises:
            LearningError: there is too little, and there will be no more.
            OSError: it cannot be written.
        """
        tap = Tap()
        self._member.taps.add(tap)
        try:
            return self._run(tap)
        finally:
            self._member.taps.discard(tap)

    def _run(self, tap: Tap) -> str:
        heard = self._monotonic()
        if self._recording.frames:
            self._say("goes on after a restart")
        while self._recording.seconds < self._wanted:
            self._check()
            self._look_at_disk()
            frame = tap.next(_LOOK)
            if frame is None:
                if self._over():
                    return self._cut_short()
                if self._monotonic() - heard > SILENT:
                    self._say(self._silence())
                continue
            heard = self._monotonic()
            stream = self._member.stream
            if stream is not None and stream.sentry.tampering in _UNUSABLE:
                self._say(f"waits, the camera is {stream.sentry.tampering}")
                continue
            try:
                if self._recording.add(frame.pts, frame.data):
                    self._say()
            except PictureError as error:
                self._say(f"a frame cannot be used: {error}")
            except RecordingFull as full:
                if self._recording.seconds < LEAST:
                    raise LearningError(f"{full} are allowed for a recording, which is too little") from full
                return f"{self._done()}: {full} are allowed for a recording"
        return f"recorded {_time(self._recording.seconds)}"

    def _look_at_disk(self) -> None:
        now = self._monotonic()
        if now - self._looked > _DISK:
            self._looked = now
            if self._disk_is_short():
                raise LearningError(
                    f"there is too little free disk space, {self._done()}; make room and begin anew, or learn for a "
                    "shorter time"
                )

    def _over(self) -> bool:
        """Whether there will be no more frames; those of a sender may go on after a pause."""
        member = self._member
        return member.removed or (member.record.source is not None and member.health in (Health.ENDED, Health.FAILED))

    def _cut_short(self) -> str:
        member, seconds = self._member, self._recording.seconds
        if member.removed:
            raise LearningError("the stream was removed, or has another source now")
        how = (
            "has ended"
            if member.health is Health.ENDED
            else f"has failed ({redact(member.reason) or 'no reason given'})"
        )
        said = f"the stream {how} after {_time(seconds)} of {_time(self._wanted)}"
        if seconds < min(_ENOUGH, self._wanted / 2):
            raise LearningError(f"{said}, which is too little to learn from")
        return f"{said}: what was recorded is learned from"

    def _silence(self) -> str:
        health = self._member.health
        return "no frame comes" if health is Health.LIVE else f"no frame comes, the stream is {health.value}"

    def _say(self, more: str = "") -> None:
        seconds = self._recording.seconds
        detail = f"{self._done()}; {more}" if more else self._done()
        self._note(progress=min(1.0, seconds / self._wanted), recorded=seconds, detail=detail)

    def _done(self) -> str:
        return f"recorded {_time(self._recording.seconds)} of {_time(self._wanted)}"


def _time(seconds: float) -> str:
    """Minutes and seconds: `12:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
