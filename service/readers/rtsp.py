"""Cameras that send H.264 or H.265 over RTSP."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial
from typing import Final

import av
import av.error
from av.video.reformatter import VideoReformatter

from model.video import picture_of
from service.addresses import CameraUrl
from service.networks import Networks
from service.readers.connecting import Inflow, connect
from service.readers.failures import ErrorClass, ReadError
from service.readers.pictures import Bad, Picture
from service.readers.protocol import ReadOptions
from service.readers.rtp import Assembler, Unit
from service.readers.sdp import Track
from service.readers.session import Session

_ROOM: Final = 1 << 18
_WRAP: Final = 1 << 32


class RtspSource:
    """One connection to such a camera. The packets come over the connection that was checked, and no other."""

    live = True

    def __init__(self, url: CameraUrl, options: ReadOptions, *, colour: bool = False) -> None:
        """Makes it; nothing is connected yet."""
        self._url = url
        self._options = options
        self._networks = Networks(options.networks)
        self._colour = colour
        self._inflow: Inflow | None = None
        self._ended = False

    def pictures(self) -> Generator[Picture | Bad, None, None]:
        options = self._options
        with closing(connect(self._url, self._networks, options.open_timeout, options.frame_bytes + _ROOM)) as inflow:
            self._inflow = inflow
            if self._ended:
                raise ReadError(ErrorClass.CONNECTION, "reading was ended")
            session = Session(self._url, inflow)
            track = session.start()
            inflow.within(options.read_timeout)
            units = Assembler(track.codec, options.frame_bytes)
            decoder = Decoder(track, options.pixels, colour=self._colour)
            good = False
            try:
                for packet in session.packets(track.payload_type):
                    for unit in units.push(packet):
                        for found in decoder.decode(unit, units.lost):
                            good = good or isinstance(found, Picture)
                            if good:  # before the first one come pieces of a picture that began earlier
                                yield found
                                inflow.within(options.read_timeout)
            finally:
                session.end()

    def interrupt(self) -> None:
        self._ended = True
        if self._inflow is not None:
            self._inflow.interrupt()


class Decoder:
    """Turns a track's units into pictures with time stamps that do not wrap."""

    def __init__(self, track: Track, pixels: int, *, colour: bool) -> None:
        """Makes it.

        Raises:
            ReadError: this FFmpeg has no such decoder.
        """
        try:
            codec = av.CodecContext.create(track.codec, "r")
        except (av.error.FFmpegError, ValueError):
            raise ReadError(ErrorClass.CODEC, "there is no decoder here for what the camera sends") from None
        codec.options = {"max_pixels": str(pixels)}
        codec.thread_count = 1
        self._codec = codec
        self._track = track
        self._convert = VideoReformatter()
        self._colour = colour
        self._lost = 0
        self._first: int | None = None
        self._last = 0
        self._sets = b"".join(b"\0\0\0\1" + one for one in track.parameter_sets)

    def decode(self, unit: Unit, lost: int) -> Iterator[Picture | Bad]:
        """The pictures that a unit completes.

        Args:
            unit: the next one.
            lost: units that were lost so far. After a loss the decoder begins anew, at the next picture that needs
                no other one: better a gap than a smeared picture, which would look like an anomaly.
        """
        while self._lost < lost:
            self._lost += 1
            self._codec.flush_buffers()
            yield Bad("a part of it was lost on the way")
        packet = av.Packet(self._sets + unit.data)
        self._sets = b""
        packet.pts = self._ticks(unit.timestamp)
        try:
            frames = self._codec.decode(packet)
        except MemoryError:
            raise
        except av.error.FFmpegError:
            yield Bad("it cannot be decoded")
            return
        for frame in frames:
            if frame.is_corrupt:
                yield Bad("it is damaged")
            else:
                pts = None if frame.pts is None else frame.pts / self._track.clock
                colour = partial(picture_of, frame, self._convert, colour=True)
                yield Picture(pts, picture_of(frame, self._convert, colour=self._colour), colour=colour)

    def _ticks(self, timestamp: int) -> int:
        """Ticks since the first unit; a step of over half the range is one back."""
        if self._first is None:
            self._first = self._last = timestamp
        step = (timestamp - self._last) % _WRAP
        self._last += step if step < _WRAP // 2 else step - _WRAP
        return self._last - self._first
