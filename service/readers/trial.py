"""A source tried out: whether pictures come, how large and how many, or what is wrong. Nothing is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model.pictures import PictureError
from service.addresses import AddressError
from service.engine.intake import picture_size
from service.readers.failures import ErrorClass
from service.readers.supervisor import Readers, ReaderSettings, SourceError
from service.records import Health, IncomingFrame

_STREAM: Final = "trial"
_ENOUGH: Final = 30  # pictures
_LOOK: Final = 2.0  # seconds of pictures, for their rate
_TO_START: Final = 60.0  # that a child may take, as `readers.crew` has it


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it.

    Attributes:
        width, height: of its pictures; 0: none came.
        frame_rate: pictures a second; None: too few came to say.
        error_class: what went wrong, one word; "": nothing.
        reason: the same in a sentence.
    """

    width: int = 0
    height: int = 0
    frame_rate: float | None = None
    error_class: str = ""
    reason: str = ""


async def try_source(settings: ReaderSettings, source: str, *, loops: Mapping[str, Path] | None = None) -> Trial:
    """Reads a source for a moment, in a child process of its own.

    Args:
        settings: of the service.
        source: as of a stream.
        loops: see `Readers`.
    """
    loop = asyncio.get_running_loop()
    seen = _Seen(settings.max_pixels)

    def on_frame(stream: str, frame: IncomingFrame) -> bool:
        loop.call_soon_threadsafe(seen.picture, frame)
        return True

    def on_health(stream: str, health: Health, reason: str, error_class: str) -> None:
        loop.call_soon_threadsafe(seen.health, health, reason, error_class)

    with Readers(settings, on_frame, on_health, loops=loops, sources_per_child=1) as readers:
        try:
            readers.add(_STREAM, source)
        except AddressError as error:
            return Trial(error_class=error.problem, reason=str(error))
        except SourceError as error:
            return Trial(error_class="unknown_source", reason=str(error))
        try:
            return await seen.outcome(settings.open_timeout_s + settings.read_timeout_s + _TO_START)
        finally:
            await asyncio.to_thread(readers.close)


class _Seen:
    """What has come of a source so far."""

    def __init__(self, most_pixels: int) -> None:
        self._most_pixels = most_pixels
        self._size = (0, 0)
        self._first: tuple[int, float] | None = None
        self._last = (0, 0.0)
        self._count = 0
        self._failure: Trial | None = None
        self._begun = asyncio.Event()
        self._over = asyncio.Event()

    async def outcome(self, seconds: float) -> Trial:
        """Waits for pictures so long, and looks at them for a moment."""
        try:
            await asyncio.wait_for(self._begun.wait(), seconds)
        except TimeoutError:
            return Trial(error_class=ErrorClass.TIMEOUT, reason=f"no picture has come in {seconds:.0f} seconds")
        if self._first is None:
            return self._failure or Trial(error_class=ErrorClass.FILE, reason="it ended without a picture")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), _LOOK)
        height, width = self._size
        frames, span = self._last[0] - self._first[0], self._last[1] - self._first[1]
        rate = round(frames / span, 2) if frames > 0 and span > 0 else None
        return Trial(width, height, rate)

    def picture(self, frame: IncomingFrame) -> None:
        try:
            self._size = picture_size(frame, self._most_pixels)
        except PictureError as error:
            self._end(Trial(error_class=ErrorClass.CODEC, reason=f"its pictures cannot be used: {error}"))
            return
        self._last = frame.number, frame.pts
        self._first = self._first or self._last
        self._count += 1
        self._begun.set()
        if self._count >= _ENOUGH:
            self._over.set()

    def health(self, health: Health, reason: str, error_class: str) -> None:
        if health in (Health.RECONNECTING, Health.FAILED):
            self._end(Trial(error_class=error_class or ErrorClass.READER, reason=reason))
        elif health is Health.ENDED:
            self._end(None)

    def _end(self, failure: Trial | None) -> None:
        self._failure = self._failure or failure
        self._begun.set()
        self._over.set()
