"""Video files as clips, decoded by PyAV: real time stamps, luma straight from the codec, errors per frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO, cast

import av
import av.error
import cv2
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter
from av.video.stream import VideoStream

from model.clips import FootageError, Frame, OnBad, reason, report_bad
from model.pictures import MAX_PIXELS, Image
from model.video_damage import SkippedBytes, cut_before, cut_behind
from model.video_losses import Loss, Losses

# Only containers that hold their own frames: a playlist (HLS, ffconcat) named .mp4 would open other files.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegts,mpegvideo,asf"
# What cameras, editors and data sets write. FFmpeg has three hundred more, the rare ones with the faults.
_CODECS = (
    "h264,hevc,vvc,av1,libdav1d,vp8,libvpx,vp9,libvpx-vp9,mpeg1video,mpeg2video,mpegvideo,mpeg4,msmpeg4,msmpeg4v2,h263,"
    "flv,wmv1,wmv2,wmv3,vc1,theora,mjpeg,mxpeg,jpeg2000,png,dvvideo,prores,dnxhd,cfhd,ffv1,ffvhuff,huffyuv,utvideo,"
    "rawvideo,v210,cinepak,msvideo1"
)
_OPTIONS = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file", "codec_whitelist": _CODECS}

_LUMA_FIRST = frozenset(
    ["yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv410p", "nv12", "nv21", "nv16", "yuva420p"]
)  # 8 bits a sample, first plane is luma
_LUMA_FIRST_FULL = frozenset(["yuvj420p", "yuvj422p", "yuvj444p", "yuvj440p", "yuvj411p", "gray"])
_TO_FULL_RANGE = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)

_WITH_INDEX = ("mp4", "matroska")  # containers in which a place is found by its time stamp
_WORTH_SEEKING = 10.0  # seconds


@dataclass(frozen=True)
class VideoClip:
    """A video file.

    Attributes:
        name: unique name of the clip.
        where: the file, for messages.
        open_file: opens it, seekable. Raises OSError.
    """

    name: str
    where: str
    open_file: Callable[[], BinaryIO]

    @property
    def frame_count(self) -> int | None:
        return self._header[0]

    @property
    def interval(self) -> float | None:
        return self._header[1]

    @cached_property
    def _header(self) -> tuple[int | None, float | None]:
        try:
            with self.open_file() as file, _open(file) as container:
                stream = _video_stream(container)
                rate = stream.average_rate
                return stream.frames or None, float(1 / rate) if rate else None
        except (OSError, av.error.FFmpegError, _BadVideo):
            return None, None  # frames() and check() say why

    def frames(self, *, colour: bool = False, skip_bad: bool = False, on_bad: OnBad | None = None) -> Iterator[Frame]:
        convert = VideoReformatter()
        for number, pts, picture in self._decode(skip_bad, on_bad):
            yield Frame(number, pts, picture_of(picture, convert, colour=colour))

    def frames_from(
        self, since: float, *, colour: bool = False, skip_bad: bool = False, on_bad: OnBad | None = None
    ) -> Iterator[Frame]:
        """The frames from some place before `since` seconds on, without decoding all that lies before where possible.

        Pictures and time stamps are those of `frames`; frame numbers are counted from the time stamps.
        """
        convert = VideoReformatter()
        for number, pts, picture in self._decode(skip_bad, on_bad, since):
            if pts >= since:
                yield Frame(number, pts, picture_of(picture, convert, colour=colour))

    def check(self) -> list[str]:
        bad: list[str] = []
        for _ in self._decode(True, bad.append):
            pass
        return bad

    def _decode(
        self, skip_bad: bool, on_bad: OnBad | None, since: float = 0.0
    ) -> Iterator[tuple[int, float, VideoFrame]]:
        """(number, pts, picture) of every good frame, at least from `since` on; a bad one keeps its number."""

        def bad(why: str) -> None:
            report_bad(self.where, why, skip_bad, on_bad)

        try:
            with self.open_file() as file, _open(file) as container:
                stream = _video_stream(container)
                cut = "" if since else cut_before(container, stream, file)
                if cut:
                    bad(cut)
                times, losses, number = _Times(container, stream), Losses(), 0
                pictures = _pictures(container, stream)
                if (
                    since >= _WORTH_SEEKING
                    and times.rate
                    and any(kind in container.format.name for kind in _WITH_INDEX)
                ):
                    times.origin, landed = _seek(container, stream, since)
                    pictures, number = _pictures(container, stream), round(landed * times.rate)
                for picture in pictures:
                    if isinstance(picture, Loss):
                        losses.add(picture)
                        continue
                    step = times.step_to(picture)
                    if step is not None and step < 0 and losses.near:
                        continue  # it was held back over a hole, and told as missing
                    pts = times.take(picture)
                    if pts is None:
                        raise FootageError(f"{self.where}: has neither time stamps nor a frame rate; convert it to MP4")
                    if picture.is_corrupt:
                        losses.add(Loss("is missing beside a damaged one"))
                    for why in losses.before(step):
                        bad(f"frame {number}: {why}")
                        number += 1
                    if picture.is_corrupt:
                        bad(f"frame {number} ({pts:.2f} s): damaged")
                    else:
                        yield number, pts, picture
                    number += 1
                if since:
                    return  # whoever reads from the middle has had the whole checked
                for why in losses.rest():
                    bad(f"frame {number}: {why}")
                    number += 1
                if number == 0:
                    bad("holds no frames (cut short?)")
                elif not cut and (cut := cut_behind(container, stream, file, found=number, ended=times.ended)):
                    bad(cut)
        except (OSError, av.error.FFmpegError, _BadVideo) as error:
            bad(reason(error))


class _Times:
    """When pictures are shown, in seconds from the first one on.

    Attributes:
        rate: frames a second, in the mean; None: unknown.
        origin: time stamp of the first picture; None: not known yet.
        ended: seconds to the end of the last picture, from the first one or from the file's own zero, the later one.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.rate = stream.average_rate
        self.origin: int | None = None
        self.ended = 0.0
        self._pts: float | None = None
        # AVI stores only the decoding order, and FFmpeg's guess goes astray.
        self._in_decoding_order = container.format.name == "avi"

    def step_to(self, picture: VideoFrame) -> float | None:
        """Frames from the last picture to this one; None: unknown, or it is the first."""
        pts = self._of(picture)
        return None if pts is None or self._pts is None or not self.rate else (pts - self._pts) * float(self.rate)

    def take(self, picture: VideoFrame) -> float | None:
        """Seconds of the next picture; None: neither it nor the file tells."""
        stamp = self._stamp(picture)
        if self.origin is None:
            self.origin = stamp
        self._pts = self._of(picture)
        if self._pts is not None and picture.time_base is not None:
            unit, interval = picture.time_base, 1 / self.rate if self.rate else 0
            begins = max(self._pts, 0.0 if stamp is None else float(stamp * unit))
            self.ended = begins + float(max(picture.duration * unit, interval))
        return self._pts

    def _of(self, picture: VideoFrame) -> float | None:
        stamp, unit = self._stamp(picture), picture.time_base
        if stamp is not None and unit is not None:
            origin = stamp if self.origin is None else self.origin
            return (stamp - origin) * unit.numerator / unit.denominator  # whole numbers until the division
        if not self.rate:
            return None
        return 0.0 if self._pts is None else self._pts + float(1 / self.rate)

    def _stamp(self, picture: VideoFrame) -> int | None:
        return picture.dts if self._in_decoding_order else picture.pts


class _BadVideo(Exception):
    """The file opened, but there is no video in it to decode."""


def _open(file: BinaryIO) -> InputContainer:
    try:
        return av.open(file, "r", options=_OPTIONS, metadata_errors="ignore")
    except (OSError, av.error.FFmpegError) as error:
        raise _BadVideo(
            f"cannot be opened as a video: cut short, damaged, or not of a kind that is read ({error.strerror})"
        ) from error


def _video_stream(container: InputContainer) -> VideoStream:
    stream = next((s for s in container.streams.video if not s.disposition & Disposition.attached_pic), None)
    if stream is None:
        raise _BadVideo("holds no video")
    codec = stream.codec_context
    if codec is None:
        raise _BadVideo("there is no decoder for its codec")
    if codec.name not in _CODECS.split(","):  # the option holds for finding out what a stream is, not for decoding it
        raise _BadVideo(f"its codec {codec.name} is not read; convert it to H.264")
    if codec.width * codec.height > MAX_PIXELS:
        raise _BadVideo(f"{codec.width}×{codec.height} pixels are over the limit of {MAX_PIXELS}")
    codec.options = {"max_pixels": str(MAX_PIXELS)}  # the size may change on the way
    codec.thread_count = 1  # with more, what is made of a damaged frame changes from run to run
    return stream


def _pictures(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame | Loss]:
    """Decoded pictures, and what is known to be lost before the next one."""
    matroska = "matroska" in container.format.name
    packets: Iterator[Packet[Any]] = container.demux() if matroska else container.demux(stream)
    skipped = SkippedBytes()
    at = 0
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            yield Loss(f"the file cannot be read further ({error.strerror})", 1)
            return
        if packet is None:
            return
        if matroska and skipped.before(packet):
            yield Loss("is missing where the file is damaged")
        if packet.stream_index != stream.index:
            continue
        try:
            pictures = packet.decode()
        except av.error.FFmpegError as error:
            yield Loss(f"cannot be decoded (packet {at}: {error.strerror})", 1)
        else:
            yield from pictures
        at += 1


def _seek(container: InputContainer, stream: VideoStream, since: float) -> tuple[int | None, float]:
    """Goes to the last key frame at or before `since` seconds after the first picture, or else to the start.

    Returns:
        The first picture's time stamp, None where it is not known; seconds from there to the key frame.
    """
    first = next((picture for picture in _pictures(container, stream) if not isinstance(picture, Loss)), None)
    if first is not None and first.pts is not None and first.time_base is not None:
        place = first.pts + int(since / first.time_base)
        container.seek(place, stream=stream)
        landed = next((picture for picture in _pictures(container, stream) if not isinstance(picture, Loss)), None)
        if landed is not None and landed.pts is not None and landed.pts <= place:
            container.seek(place, stream=stream)
            return first.pts, float((landed.pts - first.pts) * first.time_base)
    container.seek(0)
    return None, 0.0


def picture_of(frame: VideoFrame, convert: VideoReformatter, *, colour: bool = False) -> Image:
    """uint8 H×W luma in full range of a decoded frame, or H×W×3 BGR with `colour`."""
    return _bgr(frame, convert) if colour else _luma(frame, convert)


def _luma(frame: VideoFrame, convert: VideoReformatter) -> Image:
    """The codec's own luma in full range: a conversion by FFmpeg costs as much as decoding."""
    name = frame.format.name
    if name not in _LUMA_FIRST and name not in _LUMA_FIRST_FULL:
        return _array(convert.reformat(frame, format="gray"))
    plane = frame.planes[0]
    size = plane.height * plane.line_size
    padded = np.frombuffer(memoryview(plane), np.uint8, size).reshape(plane.height, plane.line_size)
    luma = padded[:, : plane.width]
    if name in _LUMA_FIRST_FULL or frame.color_range == ColorRange.JPEG:
        return luma.copy()  # the codec will reuse its buffer
    return cast(Image, cv2.LUT(luma, _TO_FULL_RANGE))


def _bgr(frame: VideoFrame, convert: VideoReformatter) -> Image:
    return _array(convert.reformat(frame, format="bgr24"))


def _array(frame: VideoFrame) -> Image:
    return cast(Image, frame.to_ndarray())
