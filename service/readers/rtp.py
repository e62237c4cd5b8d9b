"""Pictures of H.264 and H.265 out of the packets that an RTSP camera sends them in (RFC 3550, 6184, 7798)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from service.readers.sdp import Codec

_START: Final = b"\0\0\0\1"


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet.

    Attributes:
        payload_type: what it carries.
        marker: it is the last one of its picture.
        sequence: counts packets, modulo 65,536.
        timestamp: in ticks of the track's clock, modulo 2^32.
        payload: without the header.
    """

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Unit:
    """A picture as the decoder takes it.

    Attributes:
        timestamp: as in its packets.
        data: NAL units, each after a start code.
    """

    timestamp: int
    data: bytes


def parse_packet(data: bytes) -> Packet | None:
    """Take a packet apart; None where it is none."""
    if len(data) < 12 or data[0] >> 6 != 2:
        return None
    begin = 12 + 4 * (data[0] & 0x0F)
    if data[0] & 0x10:  # a header extension
        begin += 4 + 4 * int.from_bytes(data[begin + 2 : begin + 4], "big")
    end = len(data) - (data[-1] if data[0] & 0x20 else 0)  # padding
    if begin >= end:
        return None
    number = int.from_bytes
    return Packet(data[1] & 0x7F, data[1] >= 0x80, number(data[2:4], "big"), number(data[4:8], "big"), data[begin:end])


class Assembler:
    """Puts the packets of one track together.

    Attributes:
        lost: pictures of which a packet did not come, so far.
    """

    def __init__(self, codec: Codec, limit: int) -> None:
        """Begins with nothing.

        Args:
            codec: of the track.
            limit: bytes of a picture; a larger one is lost.
        """
        self.lost = 0
        self._split = _split_h264 if codec == "h264" else _split_h265
        self._limit = limit
        self._next: int | None = None  # sequence number
        self._timestamp: int | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._whole = True

    def push(self, packet: Packet) -> list[Unit]:
        """Take a packet; gives the pictures that it completes (none, one, or two)."""
        missing = 0 if self._next is None else packet.sequence - self._next & 0xFFFF
        self._next = packet.sequence + 1 & 0xFFFF
        self._whole = self._whole and not missing
        done = []
        if self._timestamp is not None and packet.timestamp != self._timestamp:  # its last packet had no marker
            done += self._finish()
            self._whole = missing < 2  # one alone was the end of the picture before
        self._timestamp = packet.timestamp
        for part in self._split(packet.payload):
            self._size += len(part)
            if self._size <= self._limit:
                self._parts.append(part)
            else:
                self._whole = False
        if packet.marker:
            done += self._finish()
        return done

    def _finish(self) -> list[Unit]:
        timestamp, data, whole = self._timestamp, b"".join(self._parts), self._whole
        self._parts, self._size, self._timestamp, self._whole = [], 0, None, True
        if timestamp is None or not (data or not whole):
            return []
        if not whole:
            self.lost += 1
            return []
        return [Unit(timestamp, data)]


def _split_h264(payload: bytes) -> list[bytes]:
    """What a packet adds to its picture: whole NAL units after their start codes, or a part of one."""
    kind = payload[0] & 0x1F
    if 1 <= kind <= 23:
        return [_START, payload]
    if kind == 24:  # several in one
        return _several(payload[1:])
    if kind == 28 and len(payload) > 2:  # a part of one
        head = bytes([payload[0] & 0xE0 | payload[1] & 0x1F])
        return [_START, head, payload[2:]] if payload[1] & 0x80 else [payload[2:]]
    return []


def _split_h265(payload: bytes) -> list[bytes]:
    """The same for H.265."""
    kind = payload[0] >> 1 & 0x3F
    if kind < 48 and len(payload) > 2:
        return [_START, payload]
    if kind == 48:
        return _several(payload[2:])
    if kind == 49 and len(payload) > 3:
        head = bytes([payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]])
        return [_START, head, payload[3:]] if payload[2] & 0x80 else [payload[3:]]
    return []


def _several(data: bytes) -> list[bytes]:
    """NAL units that each follow their size."""
    parts, at = [], 0
    while at + 2 < len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        parts += [_START, data[at + 2 : at + 2 + size]]
        at += 2 + size
    return parts
