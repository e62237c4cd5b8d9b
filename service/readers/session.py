"""A session with an RTSP camera (RFC 2326): what it offers, and its packets, all over one TCP connection.

FFmpeg's own client follows redirects to any address and looks at no certificate, so it has no place where the
address was given by a client of the service.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from service.addresses import CameraUrl
from service.readers.answers import MAX_HEAD, Answer, parse_answer, refuse
from service.readers.connecting import HEAD_END, Inflow
from service.readers.failures import ErrorClass, ReadError
from service.readers.login import Login
from service.readers.rtp import Packet, parse_packet
from service.readers.sdp import Track, video_track

_MAX_BODY: Final = 1 << 18
_MAX_TARGET: Final = 4096


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its body."""

    answer: Answer
    body: bytes


class Session:
    """What is agreed with a camera."""

    def __init__(self, url: CameraUrl, inflow: Inflow) -> None:
        """Makes it over a connection, on which nothing has been said yet."""
        self._inflow = inflow
        self._login = None if url.user is None else Login(url.user, url.password or "")
        self._base = url.bare
        self._sequence = 0
        self._id = ""
        self._channel = 0
        self._keep_alive = 30.0
        self._alive_method = "OPTIONS"
        self._alive_at = 0.0

    def start(self) -> Track:
        """Ask for the stream and have it played; gives the track whose packets come.

        Raises:
            ReadError: the camera refuses, has no video that is read, or does not speak RTSP.
        """
        offers = self._ask("OPTIONS", self._base).answer
        if "GET_PARAMETER" in offers.get("public").upper():
            self._alive_method = "GET_PARAMETER"
        described = self._ask("DESCRIBE", self._base, "Accept: application/sdp")
        track = video_track(described.body.decode("utf-8", "replace"))
        base = next(filter(_is_address, map(described.answer.get, ("content-base", "content-location"))), self._base)
        setup = self._ask("SETUP", _join(base, track.control), "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        self._note_session(setup.answer)
        self._base = _join(base, "*")
        self._ask("PLAY", self._base, "Range: npt=0.000-")
        self._alive_at = time.monotonic() + self._keep_alive
        return track

    def packets(self, payload_type: int) -> Iterator[Packet]:
        """The packets of the track, without end. Raises ReadError."""
        while True:
            if time.monotonic() >= self._alive_at:
                self._send(self._alive_method, self._base)
                self._alive_at = time.monotonic() + self._keep_alive
            found = self._next()
            if isinstance(found, Reply):
                if found.answer.status == 401 and self._login is not None:
                    self._login.challenge(found.answer.all("www-authenticate"))
                continue
            channel, data = found
            packet = parse_packet(data) if channel == self._channel else None
            if packet is not None and packet.payload_type == payload_type:
                yield packet

    def end(self) -> None:
        """Tell the camera that nothing more is wanted, if it can be told at once."""
        if not self._id:
            return
        try:
            self._inflow.within(0.2)
            self._send("TEARDOWN", self._base)
        except ReadError:
            return

    def _note_session(self, answer: Answer) -> None:
        name, *rest = answer.get("session").split(";")
        self._id = name.strip()
        timeout = re.search(r"timeout=(\d{1,6})", ";".join(rest))
        self._keep_alive = max(5.0, int(timeout[1] if timeout else 60) / 2)
        channels = re.search(r"interleaved=(\d{1,3})", answer.get("transport"))
        self._channel = int(channels[1]) if channels else 0

    def _ask(self, method: str, target: str, *fields: str) -> Reply:
        """The camera's answer to a request, after a login where it wants one. Raises ReadError."""
        while True:
            sequence = self._send(method, target, *fields)
            found = self._next()
            while not isinstance(found, Reply) or found.answer.get("cseq") not in (str(sequence), ""):
                found = self._next()
            status, asked = found.answer.status, found.answer.all("www-authenticate")
            if status != 401 or self._login is None or not self._login.challenge(asked):
                if method != "OPTIONS" or status == 401:
                    refuse(status)
                return found

    def _send(self, method: str, target: str, *fields: str) -> int:
        self._sequence += 1
        lines = [f"{method} {target} RTSP/1.0", f"CSeq: {self._sequence}", "User-Agent: framewatch", *fields]
        if self._id:
            lines.append(f"Session: {self._id}")
        authorization = self._login.answer(method, target) if self._login else None
        if authorization is not None:
            lines.append(f"Authorization: {authorization}")
        self._inflow.send("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
        return self._sequence

    def _next(self) -> Reply | tuple[int, bytes]:
        """The next thing on the connection: an answer, or a channel's packet. Raises ReadError."""
        while True:
            first = self._inflow.exactly(1)
            if first == b"$":
                head = self._inflow.exactly(3)
                return head[0], self._inflow.exactly(int.from_bytes(head[1:], "big"))
            if first in (b"\r", b"\n"):
                continue
            head = first + self._inflow.until(HEAD_END, MAX_HEAD)
            asked = re.match(rb"[A-Z_]+ \S+ RTSP/1.0", head)  # the camera's own request, which needs no answer
            answer = parse_answer(b"RTSP/1.0 200 OK" + head[asked.end() :] if asked else head)
            if answer.length > _MAX_BODY:
                raise ReadError(ErrorClass.CODEC, "the camera's answer is too long")
            body = self._inflow.exactly(answer.length)
            if not asked:
                return Reply(answer, body)


def _is_address(text: str) -> bool:
    return re.match("(?i)rtsps?://", text) is not None


def _join(base: str, control: str) -> str:
    """The address of a track, or for `*` of the whole stream. Raises ReadError where it is none."""
    if _is_address(control):
        target = control
    elif control in ("", "*"):
        target = base
    else:
        target = f"{base.rstrip('/')}/{control.lstrip('/')}"
    if not re.fullmatch(rf"[!-~]{{1,{_MAX_TARGET}}}", target):
        raise ReadError(ErrorClass.CODEC, "the camera describes its stream in a way that is not understood")
    return target
