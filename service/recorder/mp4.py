"""Pictures to H.264 in MP4 as browsers play it: 4:2:0, even sides, index in front, each picture at its own time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
from av.video.reformatter import ColorRange, Colorspace

from model.pictures import Image, PictureError, decode_image
from service.recorder.ring import RATE, Still

HEIGHT: Final = 720
"""Lines of a clip at most."""

_TICK: Final = Fraction(1, 90_000)
_BT709: Final = 1  # of primaries and transfer, as the standard counts them
_OPTIONS: Final = {"preset": "veryfast", "crf": "25", "g": "20", "bf": "0"}  # no B frames: decoding is showing order


class ClipError(Exception):
    """There is nothing to make a clip of; the message says why."""


@dataclass(frozen=True, slots=True)
class Written:
    """A clip.

    Attributes:
        pictures: in it.
        bad: that could not be decoded and are missing in it.
        began, ended: capture times of the first and last picture, seconds since 1970.
        width, height: in pixels.
    """

    pictures: int
    bad: int
    began: float
    ended: float
    width: int
    height: int


def write_mp4(stills: Iterable[Still], path: Path) -> Written:
    """Writes a clip; picture n is shown `captured[n] - captured[0]` seconds after its begin.

    Args:
        stills: in order of their capture; one that is not later than the one before it is left out.
        path: of the file.

    Raises:
        ClipError: not one picture can be decoded.
        OSError, av.error.FFmpegError: it cannot be encoded or written.
    """
    pictures = _Pictures(stills)
    first = next(pictures, None)
    if first is None:
        raise ClipError("not one picture of it can be decoded" if pictures.bad else "no picture came in its time")
    began, image = first
    height, width = image.shape[:2]
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream: Any = container.add_stream("libx264", rate=int(RATE), options=_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        codec = stream.codec_context
        codec.time_base = stream.time_base = _TICK
        codec.thread_count = 1
        codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
        codec.color_primaries = codec.color_trc = _BT709
        count, last, ended = 0, -1, began
        for captured, picture in _chain(first, pictures):
            ticks = round((captured - began) / _TICK)
            if ticks <= last:
                continue
            frame = av.VideoFrame.from_ndarray(_fitted(picture, width, height), format="bgr24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            frame.pts, frame.time_base = ticks, _TICK
            container.mux(stream.encode(frame))
            count, last, ended = count + 1, ticks, captured
        container.mux(stream.encode(None))
    return Written(count, pictures.bad, began, ended, width, height)


class _Pictures:
    """Decoded pictures of a clip's size at most, with their capture times; counts those that cannot be decoded."""

    def __init__(self, stills: Iterable[Still]) -> None:
        self.bad = 0
        self._stills = iter(stills)

    def __iter__(self) -> _Pictures:
        return self

    def __next__(self) -> tuple[float, Image]:
        for still in self._stills:
            try:
                return still.captured, small(decode_image(still.data, colour=True))
            except PictureError:
                self.bad += 1
        raise StopIteration


def small(image: Image, height: int = HEIGHT) -> Image:
    """A picture of so many lines at most, with even sides."""
    scale = min(1.0, height / image.shape[0])
    width, height = (max(2, round(side * scale / 2) * 2) for side in (image.shape[1], image.shape[0]))
    return _fitted(image, width, height)


def _fitted(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    fitted: Any = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return fitted  # type: ignore[no-any-return]


def _chain(first: tuple[float, Image], rest: Iterator[tuple[float, Image]]) -> Iterator[tuple[float, Image]]:
    yield first
    yield from rest
