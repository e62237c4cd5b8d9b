"""The newest picture of each stream for people to look at: encoded once for all viewers, at each one's own pace."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from model.pictures import Image, PictureError, image_size
from service.member import Member
from service.records import Health, Score
from service.stream import Latest

WIDTHS = (32, 3840)
"""Narrowest and widest picture that is made."""

_NEAR = 0.2  # seconds between a scored frame and the picture that is shown for it; the ring has about ten a second
_THREADS = 2
_NICE = 5  # above the service's own: pictures for people must not hold up the scores
_QUALITY = 80
_REDUCED = ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2))
_LOOK = 1.0  # seconds after which a viewer's stream is looked at, also when nothing is heard of it
_LOOK_UNSCORED = 0.1  # the same where there are no scores to be heard of


K = TypeVar("K")
T = TypeVar("T")
Made: TypeAlias = dict[K, tuple[Latest, asyncio.Future[T]]]
"""What was encoded last, and of which frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture as a viewer gets it.

    Attributes:
        score: of its frame.
        health: of the stream at this moment.
        jpeg: the picture.
        size: its width and height.
        heat: a PNG, one grey pixel a cell: 255·error/(error + threshold), so 128 at the threshold; None: not asked for.
    """

    score: Score
    health: Health
    jpeg: bytes
    size: tuple[int, int]
    heat: bytes | None


class StreamRemoved(Exception):
    """A stream that is looked at is not there any more."""


class Pictures:
    """Encodes the newest pictures, each once for every width that is looked at. For one event loop.

    Attributes:
        encoded: pictures and heat maps so far.
    """

    def __init__(self, *, stalled_after: float, clock: Callable[[], float] = time.time) -> None:
        """Makes it; threads are started when somebody looks.

        Args:
            stalled_after: seconds after which a picture counts as old.
            clock: seconds since 1970.
        """
        self.encoded = 0
        self._stalled_after = stalled_after
        self._clock = clock
        self._made: Made[tuple[str, int], tuple[bytes, tuple[int, int]]] = {}
        self._heats: Made[str, bytes] = {}
        self._viewers: Counter[tuple[str, int]] = Counter()
        self._news: dict[str, asyncio.Event] = {}
        self._threads = ThreadPoolExecutor(_THREADS, "framewatch-pictures", initializer=_step_back)

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def viewer(self, stream: str, width: int) -> Iterator[None]:
        """Somebody looks at a stream; nothing of it is kept when the last one has gone."""
        self._viewers[stream, width] += 1
        self._news.setdefault(stream, asyncio.Event())
        try:
            yield
        finally:
            self._viewers[stream, width] -= 1
            if not self._viewers[stream, width]:
                del self._viewers[stream, width]
                self._made.pop((stream, width), None)
            if not any(watched == stream for watched, _ in self._viewers):
                del self._news[stream]
                self._heats.pop(stream, None)

    def stir(self, stream: str) -> None:
        """Something is new of a stream: its viewers look at it."""
        if stream in self._news:
            self._news[stream].set()
            self._news[stream] = asyncio.Event()

    async def after(self, member: Member, shown: Shown | None, width: int, *, heat: bool) -> Shown:
        """The newest picture of a stream as soon as it is another one than a viewer has, or has another health.

        Args:
            member: the stream; it has a `viewer`.
            shown: what the viewer has.
            width: of the picture at most, pixels.
            heat: whether the heat map is wanted too.

        Raises:
            StreamRemoved: there will be none any more.
        """
        seen = None if shown is None else (shown.score.seq, shown.health)
        while not member.removed:
            news = self._news[member.id]
            latest = member.latest
            if latest is not None and (latest.score.seq, self._health(member, latest)) != seen:
                with suppress(PictureError):
                    jpeg, size = await self._encode(member, latest, width)
                    grey = await self._heat(member, latest) if heat else None
                    return Shown(latest.score, self._health(member, latest), jpeg, size, grey)
            unscored = member.stream is None or member.unusable
            with suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), _LOOK_UNSCORED if unscored else _LOOK)
        raise StreamRemoved

    async def until_removed(self, member: Member) -> None:
        """Waits until a stream, which has a `viewer`, is not there any more."""
        while not member.removed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news[member.id].wait(), _LOOK)

    def _health(self, member: Member, latest: Latest | None) -> Health:
        """Of a stream, as its newest picture shows it: an old one is not live, whatever keeps the next one back."""
        if member.health is not Health.LIVE or latest is None:
            return member.health
        rate = member.record.options.max_rate
        patience = max(self._stalled_after, 0.0 if rate is None else 2 / rate)
        return Health.STALLED if self._clock() - latest.score.scored > patience else Health.LIVE

    async def _encode(self, member: Member, latest: Latest, width: int) -> tuple[bytes, tuple[int, int]]:
        """The picture; made only if nobody else has had it made."""
        return await self._share(
            self._made, (member.id, width), latest, lambda: encode(picture_of(member, latest), width)
        )

    async def _heat(self, member: Member, latest: Latest) -> bytes:
        """The heat map; likewise."""
        return await self._share(self._heats, member.id, latest, lambda: _heat(latest))

    async def _share(self, made: Made[K, T], key: K, latest: Latest, make: Callable[[], T]) -> T:
        made_of, making = made.get(key, (None, None))
        if made_of is not latest or making is None or making.cancelled():
            making = asyncio.ensure_future(asyncio.wrap_future(self._threads.submit(make)))
            made[key] = latest, making
            self.encoded += 1
        return await asyncio.shield(making)  # a viewer that goes away must not take it from the others


def picture_of(member: Member, latest: Latest) -> bytes | Image:
    """A frame as people want to see it: a source that is decoded for its luma has its picture in colour in the ring."""
    data = latest.frame.data
    if isinstance(data, bytes) or member.ring is None:
        return data
    return member.ring.near(latest.frame.captured, _NEAR) or data


def encode(data: bytes | Image, width: int) -> tuple[bytes, tuple[int, int]]:
    """A frame as a JPEG that is at most so wide, and its width and height. One that is narrower stays as it came.

    Raises:
        PictureError: it cannot be decoded.
    """
    if isinstance(data, bytes):
        size = image_size(data)
        if size[0] <= width and data.startswith(b"\xff\xd8"):
            return data, size
        picture = _decode(data, size[0] // width)
    else:
        picture = data
    if picture.shape[1] > width:
        height = max(1, round(picture.shape[0] * width / picture.shape[1]))
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    return jpeg, (picture.shape[1], picture.shape[0])


def heat_png(heat: NDArray[np.float32], theta: float) -> bytes:
    """A heat map as grey pixels, one a cell: 255·error/(error + threshold)."""
    return cv2.imencode(".png", np.round(255 * heat / (heat + theta)).astype(np.uint8))[1].tobytes()


def _heat(latest: Latest) -> bytes:
    if latest.heat is None:
        return heat_png(np.zeros((1, 1), np.float32), 1.0)
    return heat_png(latest.heat, latest.score.threshold)


def _decode(data: bytes, factor: int) -> Image:
    """A picture, at a fraction of its size where the decoder can do that and enough is left."""
    mode = next((mode for least, mode in _REDUCED if factor >= least), cv2.IMREAD_COLOR)
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), mode | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        found = None
    if found is None:
        raise PictureError("it cannot be decoded")
    return np.asarray(found, np.uint8)


def _step_back() -> None:
    """On Linux every thread has a niceness of its own."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
