"""What a video file lacks: an end that was never copied, or bytes in the middle that no reader finds a frame in."""

from __future__ import annotations

import re
from typing import BinaryIO

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

_SLACK = 2  # frames: containers miscount by one or two
_ROUNDING = 0.25  # seconds: what ASF is off by; AVI counts frames
_LAST = 256  # frames of an index: they lie about as they are shown, so the very last are among them
_SKIPPED = 256  # bytes: between two blocks there are some ten, at a new cluster some fifty
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # the ASF object that holds the file's size
_SEGMENT = 0x18538067  # the Matroska element that holds all others (RFC 9559, section 5.1)
_DURATION = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def cut_before(container: InputContainer, stream: VideoStream, file: BinaryIO) -> str:
    """What says, before anything is decoded, that the file goes on behind its end; empty: nothing does.

    A recording that nobody closed tells no size, and a transport stream never does: those are taken as they are.
    """
    kind, place, end = container.format.name, file.tell(), file.seek(0, 2)
    if "matroska" in kind:
        claimed = _matroska_end(file, end)
    elif kind == "asf":
        claimed = _asf_end(file)
    elif "mp4" in kind:
        entries = stream.index_entries
        last = (entries[at] for at in range(max(0, len(entries) - _LAST), len(entries)))
        claimed = max((entry.pos + entry.size for entry in last if entry is not None), default=0)
    else:
        claimed = 0
    file.seek(place)  # FFmpeg reads on from there
    return f"cut short: {end} bytes are there, by its header there are {claimed}" if claimed > end else ""


def cut_behind(container: InputContainer, stream: VideoStream, file: BinaryIO, *, found: int, ended: float) -> str:
    """What says, after all was decoded, that frames are missing at the end; empty: nothing does.

    Args:
        container: of the file.
        stream: that was decoded.
        file: open, at any place.
        found: frames.
        ended: seconds to the end of the last frame, from the first one or from the file's own zero, the later one.
    """
    kind = container.format.name
    if "mp4" in kind:  # of a file in fragments this is known only now
        return cut_before(container, stream, file)
    if kind == "avi" and found < stream.frames - _SLACK and _riff_end(file) > file.seek(0, 2):
        return f"cut short: {found} of {stream.frames} frames are there"
    claimed, rate = _duration(container, stream), stream.average_rate
    if claimed is None or not rate:
        return ""
    slack = (_SLACK + 0.5) / float(rate) + (0.0 if kind == "avi" else _ROUNDING)
    if ended >= claimed - slack:  # fewer frames alone are legal: dropped ones, and such as are not to be shown
        return ""
    return f"damaged or cut short: its pictures end at {ended:.2f} s of {claimed:.2f} s"


class SkippedBytes:
    """Notices where a reader of Matroska has passed over bytes to the next place that makes sense, without a word."""

    def __init__(self) -> None:
        self._place = -1
        self._end = -1

    def before(self, packet: Packet[VideoStream]) -> bool:
        """Whether bytes were passed over before the file's next packet, of whatever stream."""
        place = packet.pos
        if place is None or place < 0:
            return False
        if place == self._place:  # sound has several packets in a block, all of its place
            self._end += packet.size
            return False
        before, self._place, self._end = self._end, place, place + packet.size
        return 0 <= before < place - _SKIPPED


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds that the stream has by its container; None where it does not tell, or may mean another stream."""
    if container.format.name == "avi" and stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if not ("matroska" in container.format.name or container.format.name == "asf") or container.duration is None:
        return None
    whole = container.duration / 1_000_000
    if len(container.streams) == 1:
        return whole
    said = _DURATION.fullmatch(stream.metadata.get("DURATION", ""))  # tags are copied on, so the file's may be less
    return min(whole, int(said[1]) * 3600 + int(said[2]) * 60 + float(said[3])) if said else None


def _riff_end(file: BinaryIO) -> int:
    """Where an AVI file ends by its RIFF chunks, one for each GB or so."""
    at, end = 0, file.seek(0, 2)
    while at + 8 <= end:
        file.seek(at + 4)
        at += 8 + int.from_bytes(file.read(4), "little")
    return at


def _asf_end(file: BinaryIO) -> int:
    """Where an ASF or WMV file ends by its own properties; 0 where that is not told."""
    file.seek(0)
    head = file.read(1 << 16)
    at = head.find(_FILE_PROPERTIES)
    if at < 0 or len(head) < at + 92 or head[at + 88] & 1:  # a broadcast, as which a file begins until it is closed
        return 0
    return int.from_bytes(head[at + 40 : at + 48], "little")


def _matroska_end(file: BinaryIO, end: int) -> int:
    """Where a Matroska or WebM file ends by its segment's size; 0 where that is not told."""
    at = 0
    while at < end:
        file.seek(at)
        head = file.read(12)  # an ID of at most four bytes, a size of at most eight
        id_length = _leading_zeros(head[:1]) + 1
        size_length = _leading_zeros(head[id_length : id_length + 1]) + 1
        if id_length > 4 or size_length > 8 or len(head) < id_length + size_length:
            return 0
        unknown = (1 << 7 * size_length) - 1
        size = int.from_bytes(head[id_length : id_length + size_length]) & unknown
        if size == unknown:
            return 0
        at += id_length + size_length + size
        if int.from_bytes(head[:id_length]) == _SEGMENT:
            return at
    return 0


def _leading_zeros(byte: bytes) -> int:
    """How many zero bits come first: EBML tells by them how many bytes follow."""
    return 8 - int.from_bytes(byte).bit_length()
