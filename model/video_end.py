"""Whether a video file ends before it says itself: a copy that stopped half-way is not a shorter video."""

from __future__ import annotations

from typing import BinaryIO

from av.container import InputContainer
from av.video.stream import VideoStream

_COUNT_SLACK = 2  # containers miscount by a frame or two
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # the ASF object that holds the file's size
_SEGMENT = 0x18538067  # the Matroska element that holds all others (RFC 9559, section 5.1)


def is_cut(container: InputContainer, stream: VideoStream, file: BinaryIO, found: int) -> bool:
    """Whether frames are missing at the end of a file in which `found` were found.

    Fewer frames alone are legal (edit lists, dropped frames), so the file's bytes decide. A recording that nobody
    closed tells no size, and a transport stream never does: those are taken as they are.
    """
    end = file.seek(0, 2)
    if "matroska" in container.format.name:
        return _matroska_end(file, end) > end
    if container.format.name == "asf":
        return _asf_end(file) > end
    if found >= stream.frames - _COUNT_SLACK and stream.frames:
        return False
    if "mp4" in container.format.name:
        return any(entry.pos + entry.size > end for entry in stream.index_entries)
    if container.format.name == "avi":
        return bool(stream.frames) and _riff_end(file, end) > end
    return bool(stream.frames)


def _riff_end(file: BinaryIO, end: int) -> int:
    """Where an AVI file ends by its RIFF chunks, one for each GB or so."""
    at = 0
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
