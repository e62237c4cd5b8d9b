"""Cameras for tests, on the loopback: they speak HTTP or RTSP, well or badly, as each test wants it."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import Self

import av
from av.video.codeccontext import VideoCodecContext

from service.readers.failures import ReadError
from service.readers.pictures import Bad, Picture, Source
from service.readers.protocol import ReadOptions
from tests.model.drawn import encoded, picture

LOCAL = ("127.0.0.0/8",)
PATIENT = ReadOptions(open_timeout=60.0, read_timeout=60.0, networks=LOCAL, frame_bytes=200_000)
"""For a busy machine: nothing is given up."""

Handler = Callable[["Connection"], None]


class Connection:
    """One connection to a fake camera."""

    def __init__(self, end: socket.socket, server: FakeCamera) -> None:
        self._socket = end
        self._server = server
        self._received = b""

    def request(self) -> str:
        """The head of the next request; "" when the client is gone."""
        while b"\r\n\r\n" not in self._received:
            if not (data := self._socket.recv(65536)):
                return ""
            self._received += data
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        self._server.requests.append(head.decode())
        return head.decode()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def wait(self, seconds: float) -> None:
        """Do nothing for so long, or until the camera is switched off."""
        self._server.off.wait(seconds)

    def wait_for_client(self) -> None:
        """Do nothing until the client is gone."""
        with suppress(OSError):
            while self._socket.recv(65536):
                continue

    def finish(self) -> None:
        """Say nothing more, and read what the client says until it is gone: unread, it would cost it what was sent."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self.wait_for_client()

    @property
    def on(self) -> bool:
        return not self._server.off.is_set()


class FakeCamera:
    """A server on the loopback that has `handler` deal with each connection.

    Attributes:
        port: where it listens.
        requests: the heads of all requests.
        connections: how many there were.
        off: it is switched off.
    """

    def __init__(self, handler: Handler, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[str] = []
        self.connections = 0
        self.off = threading.Event()
        self._handler = handler
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def url(self, target: str = "/live", *, scheme: str = "http", login: str = "") -> str:
        return f"{scheme}://{login}127.0.0.1:{self.port}{target}"

    def _accept(self) -> None:
        while True:
            try:
                end, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._ends.append(end)
            thread = threading.Thread(target=self._serve, args=(end,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, end: socket.socket) -> None:
        with suppress(OSError), end:
            if self._tls is not None:
                end = self._tls.wrap_socket(end, server_side=True)
            with end:
                self._handler(Connection(end, self))

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.off.set()
        for end in [self._socket, *self._ends]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(5)


def part(data: bytes) -> bytes:
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(data), data)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


def mjpeg(pictures: Sequence[bytes] = (), *, interval: float = 0.0, again: bool = False) -> Handler:
    """Sends pictures (default: ten drawn ones), once or again and again, and hangs up."""

    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(HEAD)
        sent = list(pictures) or [encoded(".jpg", at) for at in range(10)]
        while connection.on:
            for one in sent:
                connection.send(part(one))
                connection.wait(interval)
            if not again:
                return

    return handler


def silent(connection: Connection) -> None:
    """Accepts and says nothing."""
    connection.wait_for_client()


def answering(status: str, *fields: str) -> Handler:
    """Gives one answer, HTTP or RTSP as it is asked, to every request of a connection."""

    def handler(connection: Connection) -> None:
        while request := connection.request():
            protocol = "RTSP/1.0" if "RTSP/1.0" in request else "HTTP/1.1"
            sequence = re.search(r"CSeq: (\d+)", request)
            lines = [f"{protocol} {status}", *([f"CSeq: {sequence[1]}"] if sequence else []), *fields]
            connection.send(("\r\n".join(lines) + "\r\nContent-Length: 0\r\n\r\n").encode())

    return handler


def nal_units(count: int, codec: str = "libx264", size: tuple[int, int] = (96, 64)) -> list[list[bytes]]:
    """The NAL units of each picture of a drawn video, parameter sets with every tenth one."""
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(25), Fraction(1, 25)
    quiet = {"x265-params": "keyint=10:bframes=0:repeat-headers=1:log-level=none"}
    encoder.options = quiet if codec == "libx265" else {"x264-params": "keyint=10:bframes=0:repeat-headers=1"}
    packets = []
    for at in range(count):
        frame = av.VideoFrame.from_ndarray(picture(at, *size), format="bgr24")
        frame.pts = at
        packets += encoder.encode(frame.reformat(format="yuv420p"))
    packets += encoder.encode(None)
    return [[unit for unit in re.split(rb"\x00\x00\x00?\x01", bytes(packet)) if unit] for packet in packets]


def rtp_packets(
    units: list[bytes], *, sequence: int, timestamp: int, payload_type: int = 96, most: int = 400, hevc: bool = False
) -> Iterator[bytes]:
    """Packets of one picture: units over `most` bytes in parts."""
    payloads: list[bytes] = []
    for unit in units:
        if len(unit) <= most:
            payloads.append(unit)
            continue
        head = 2 if hevc else 1
        kind = unit[0] >> 1 & 0x3F if hevc else unit[0] & 0x1F
        before = bytes([unit[0] & 0x81 | 49 << 1, unit[1]]) if hevc else bytes([unit[0] & 0xE0 | 28])
        body = unit[head:]
        for at in range(0, len(body), most):
            marks = (0x80 if at == 0 else 0) | (0x40 if at + most >= len(body) else 0)
            payloads.append(before + bytes([marks | kind]) + body[at : at + most])
    for at, payload in enumerate(payloads):
        last = at == len(payloads) - 1
        yield (
            bytes([0x80, payload_type | (0x80 if last else 0)])
            + (sequence + at & 0xFFFF).to_bytes(2, "big")
            + (timestamp & 0xFFFFFFFF).to_bytes(4, "big")
            + b"test"
            + payload
        )


def sdp(codec: str = "H264", parameters: str = "", control: str = "trackID=1") -> str:
    return (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\n"
        "m=audio 0 RTP/AVP 0\r\na=control:trackID=0\r\n"
        f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 {codec}/90000\r\na=fmtp:96 packetization-mode=1{parameters}\r\n"
        f"a=control:{control}\r\n"
    )


class RtspCamera:
    """Deals with connections as an RTSP camera does: gives its units at a pace, once."""

    def __init__(
        self,
        units: list[list[bytes]],
        *,
        hevc: bool = False,
        interval: float = 0.0,
        description: str | None = None,
        answers: dict[str, str] | None = None,
        fields: dict[str, str] | None = None,
        channel: int = 0,
        first_timestamp: int = 4_294_900_000,  # wraps soon
        spoil: Callable[[int, bytes], bytes | None] = lambda at, packet: packet,
        then: Handler = silent,
        line_end: str = "\r\n",
    ) -> None:
        """Makes it.

        Args:
            units: NAL units of each picture.
            hevc: they are H.265.
            interval: seconds between pictures.
            description: SDP.
            answers: status of a method, where it is not 200.
            fields: further fields of the answer to a method.
            channel: of the video packets.
            first_timestamp: of the first picture.
            spoil: makes of the n-th packet what is sent; None: nothing.
            then: what it does after the last picture.
            line_end: of its answers.
        """
        self._units, self._hevc, self._interval = units, hevc, interval
        self._description = description or sdp("H265" if hevc else "H264")
        self._answers, self._fields = answers or {}, fields or {}
        self._channel, self._first = channel, first_timestamp
        self._spoil, self._then, self._line_end = spoil, then, line_end

    def __call__(self, connection: Connection) -> None:
        while request := connection.request():
            method = request.partition(" ")[0]
            sequence = re.search(r"CSeq: (\d+)", request)
            assert sequence is not None
            body = self._description if method == "DESCRIBE" else ""
            lines = [f"RTSP/1.0 {self._answers.get(method, '200 OK')}", f"CSeq: {sequence[1]}"]
            lines += [self._fields[method]] if method in self._fields else []
            if method == "SETUP":
                lines.append(f"Transport: RTP/AVP/TCP;unicast;interleaved={self._channel}-{self._channel + 1}")
                lines.append("Session: 12345678;timeout=60")
            if body:
                lines.append(f"Content-Type: application/sdp\r\nContent-Length: {len(body)}")
            head = "\r\n".join([*lines, "", ""]).replace("\r\n", self._line_end)
            connection.send((head + body).encode())
            if method == "PLAY":
                self._play(connection)
                self._then(connection)
                return

    def _play(self, connection: Connection) -> None:
        sequence, number = 65_530, 0  # wraps soon
        for at, units in enumerate(self._units):
            timestamp = self._first + at * 3600
            for packet in rtp_packets(units, sequence=sequence, timestamp=timestamp, hevc=self._hevc):
                spoiled = self._spoil(number, packet)
                sequence, number = sequence + 1, number + 1
                if spoiled is not None:
                    connection.send(b"$" + bytes([self._channel]) + len(spoiled).to_bytes(2, "big") + spoiled)
            report = b"\x80\xc8\0\6" + bytes(24)  # a sender report, which is not for the decoder
            connection.send(b"$" + bytes([self._channel + 1]) + len(report).to_bytes(2, "big") + report)
            connection.wait(self._interval)


def read_out(source: Source) -> tuple[list[Picture | Bad], ReadError]:
    """What a source gives until it fails, and how it fails."""
    found = []
    try:
        for one in source.pictures():
            found.append(one)
    except ReadError as error:
        return found, error
    raise AssertionError("it ended without a failure")


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def until(true: Callable[[], object], seconds: float = 60.0) -> bool:
    """Wait until something is true; False if it is not within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.01)
    return bool(true())
