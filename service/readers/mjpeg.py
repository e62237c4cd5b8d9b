"""Cameras that send JPEGs over HTTP, one after the other (`multipart/x-mixed-replace`)."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import closing
from typing import Final

from model.pictures import PictureError, image_size
from service.addresses import CameraUrl
from service.networks import Networks
from service.readers.answers import Answer, read_answer, refuse
from service.readers.connecting import LINE_END, Inflow, connect
from service.readers.failures import ErrorClass, ReadError
from service.readers.jpegs import Bytes, read_jpeg
from service.readers.login import Login
from service.readers.pictures import Bad, Picture
from service.readers.protocol import ReadOptions

_MOTION_JPEG: Final = ("", "multipart/", "video/x-motion-jpeg", "video/mjpeg", "application/octet-stream")
_ROOM: Final = 1 << 17  # beyond the largest picture


class MjpegSource:
    """One connection to such a camera. Redirects are not followed."""

    live = True

    def __init__(self, url: CameraUrl, options: ReadOptions) -> None:
        """Makes it; nothing is connected yet."""
        self._url = url
        self._options = options
        self._networks = Networks(options.networks)
        self._inflow: Inflow | None = None
        self._ended = False

    def pictures(self) -> Generator[Picture | Bad, None, None]:
        options = self._options
        inflow, answer = self._ask()
        with closing(inflow):
            _refuse_type(answer.get("content-type"))
            chunked = "chunked" in answer.get("transfer-encoding").lower()
            stream: Bytes = Chunks(inflow, options.frame_bytes + _ROOM) if chunked else inflow
            inflow.within(options.read_timeout)
            while True:
                data = read_jpeg(stream, options.frame_bytes)
                wrong = "cut short, or too large" if data is None else _wrong_size(data, options.pixels)
                if data is None or wrong:
                    yield Bad(wrong)
                else:
                    yield Picture(None, data)
                    inflow.within(options.read_timeout)  # after the yield, which may have waited for the service

    def interrupt(self) -> None:
        self._ended = True
        if self._inflow is not None:
            self._inflow.interrupt()

    def _ask(self) -> tuple[Inflow, Answer]:
        """The connection that the stream comes on, and the head of the answer before it."""
        login = None if self._url.user is None else Login(self._url.user, self._url.password or "")
        while True:
            inflow = connect(self._url, self._networks, self._options.open_timeout, self._options.frame_bytes + _ROOM)
            self._inflow = inflow
            try:
                if self._ended:
                    raise ReadError(ErrorClass.CONNECTION, "reading was ended")
                inflow.send(_request(self._url, login))
                answer = read_answer(inflow)
                if answer.status != 401 or not login or not login.challenge(answer.all("www-authenticate")):
                    refuse(answer.status)
                    return inflow, answer
            except BaseException:
                inflow.close()
                raise
            inflow.close()


def _request(url: CameraUrl, login: Login | None) -> bytes:
    lines = [
        f"GET {url.target} HTTP/1.1",
        f"Host: {url.authority}",
        "User-Agent: framewatch",
        "Accept: multipart/x-mixed-replace, */*;q=0.1",
        "Connection: close",
    ]
    authorization = login.answer("GET", url.target) if login else None
    if authorization is not None:
        lines.append(f"Authorization: {authorization}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def _refuse_type(content_type: str) -> None:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "image/jpeg":
        raise ReadError(
            ErrorClass.CODEC, "the camera sends a single picture here; give the address of its MJPEG stream"
        )
    if not any(kind == known or (known.endswith("/") and kind.startswith(known)) for known in _MOTION_JPEG):
        raise ReadError(ErrorClass.CODEC, "the camera sends no MJPEG here; over HTTP nothing else is read")


def _wrong_size(data: bytes, pixels: int) -> str:
    """What is wrong with the size in a picture's header, or ""."""
    try:
        width, height = image_size(data)
    except PictureError as error:
        return str(error)
    return f"{width}×{height} pixels are over the limit of {pixels}" if width * height > pixels else ""


class Chunks:
    """The body of an answer that comes in chunks (RFC 9112), as a buffer."""

    def __init__(self, inflow: Inflow, limit: int) -> None:
        """Reads it from `inflow`; holds `limit` bytes at most."""
        self.buffer = bytearray()
        self._inflow = inflow
        self._limit = limit
        self._left = 0
        self._first = True

    def more(self) -> None:
        """Wait for more bytes in the buffer. Raises ReadError."""
        if len(self.buffer) >= self._limit:
            raise ReadError(ErrorClass.CODEC, f"the camera sends over {self._limit} bytes without an end in them")
        if self._left == 0:
            self._left = self._next_size()
        if not self._inflow.buffer:
            self._inflow.more()
        taken = min(self._left, len(self._inflow.buffer), self._limit - len(self.buffer))
        self.buffer += self._inflow.exactly(taken)
        self._left -= taken

    def _next_size(self) -> int:
        if not self._first:
            self._inflow.until(LINE_END, 2)  # after the data of the chunk before
        self._first = False
        size = self._inflow.until(LINE_END, 1024).partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
            raise ReadError(ErrorClass.CONNECTION, "the camera's answer is damaged")
        if int(size, 16) == 0:
            raise ReadError(ErrorClass.CONNECTION, "the camera ended the stream")
        return int(size, 16)
