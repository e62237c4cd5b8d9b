"""JPEGs in a stream of bytes, found by their own structure: what stands between them is often wrong."""

from __future__ import annotations

import re
from typing import Final, Protocol

_BEGIN: Final = b"\xff\xd8\xff"
_END, _SOI, _SCAN = 0xD9, 0xD8, 0xDA
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_ALONE: Final = frozenset([0x01, *range(0xD0, 0xD8)])  # markers without a length


class Bytes(Protocol):
    """A buffer that can be filled further."""

    buffer: bytearray

    def more(self) -> None:
        """Wait for more bytes in the buffer. Raises ReadError."""


def read_jpeg(stream: Bytes, limit: int) -> bytes | None:
    """The next JPEG of a stream; None where it is cut short, broken, or over `limit` bytes.

    Boundaries, lengths and whatever else stands between the pictures is skipped unread. A picture ends where its own
    structure ends: the end mark of a thumbnail inside it does not count, and one that is cut short is told by the
    next one that begins inside it.

    Raises:
        ReadError: the stream gives no more.
    """
    buffer = stream.buffer
    while (begin := buffer.find(_BEGIN)) < 0:
        del buffer[: max(0, len(buffer) - 2)]
        stream.more()
    del buffer[:begin]
    at = 2
    while _holds(stream, at + 2, limit):
        marker = buffer[at + 1]
        if buffer[at] != 0xFF or marker in (_SOI, 0):
            del buffer[: at if buffer[at] == 0xFF else 2]
            return None
        if marker == _END:
            picture = bytes(buffer[: at + 2])
            del buffer[: at + 2]
            return picture
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        elif not _holds(stream, at + 4, limit):
            break
        else:
            at += 2 + int.from_bytes(buffer[at + 2 : at + 4], "big")
            if marker == _SCAN:
                at = _end_of_scan(stream, at, limit)
    buffer.clear()
    return None


def _holds(stream: Bytes, size: int, limit: int) -> bool:
    """Whether the buffer holds `size` bytes, which are waited for if they are within `limit`."""
    while len(stream.buffer) < size <= limit:
        stream.more()
    return size <= limit


def _end_of_scan(stream: Bytes, at: int, limit: int) -> int:
    """Where the compressed data that begins at `at` ends; beyond `limit` where it does not before."""
    buffer = stream.buffer
    while (found := _MARKER.search(buffer, at)) is None:
        at = max(at, len(buffer) - 1)  # the last byte may be half a marker
        if at > limit:
            return at
        stream.more()
    return found.start()
