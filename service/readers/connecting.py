"""A connection to a camera: to a checked address and no other, with a deadline for everything that is awaited."""

from __future__ import annotations

import re
import socket
import ssl
import time
from typing import Final

from service.addresses import AddressError, AddressProblem, CameraUrl, Endpoint, resolve
from service.networks import Networks
from service.readers.failures import ErrorClass, ReadError

LINE_END: Final = re.compile(rb"\r?\n")
"""Of a line: CRLF; cheap cameras send LF alone."""

HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
"""Of the head of an answer: an empty line."""

_LONGEST_END: Final = 4
_CHUNK: Final = 1 << 16
_BACKLOG: Final = 1 << 19
"""Bytes that wait in the kernel: about a second of video. Where more is let in, a reader that is slow for a while
shows what was long ago."""


class Inflow:
    """What a camera sends, in a bounded buffer. One thread reads; any may interrupt.

    Every read counts against the deadline set last, so a camera that drips one byte a second is as late as one that
    is silent.
    """

    def __init__(self, connection: socket.socket, limit: int) -> None:
        """Takes over a connection.

        Args:
            connection: connected.
            limit: bytes that the buffer holds at most.
        """
        self._socket = connection
        self._limit = limit
        self._deadline = 0.0
        self._interrupted = False
        self.buffer = bytearray()

    def within(self, seconds: float) -> None:
        """Set the deadline for what is read and sent from now on."""
        self._deadline = time.monotonic() + seconds

    def send(self, data: bytes) -> None:
        """Send all of it. Raises ReadError."""
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(data)
        except OSError as error:
            raise self._failure(error) from None

    def more(self) -> None:
        """Wait for more bytes in the buffer.

        Raises:
            ReadError: none came before the deadline, the connection ended, or the buffer is full.
        """
        room = self._limit - len(self.buffer)
        if room <= 0:
            raise ReadError(ErrorClass.CODEC, f"the camera sends over {self._limit} bytes without an end in them")
        try:
            self._socket.settimeout(self._left())
            data = self._socket.recv(min(_CHUNK, room))
        except (OSError, ValueError) as error:  # ValueError: TLS that is interrupted
            raise self._failure(error) from None
        if not data:
            raise ReadError(ErrorClass.CONNECTION, "the camera ended the connection")
        self.buffer += data

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes. Raises ReadError."""
        while len(self.buffer) < size:
            self.more()
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def until(self, end: re.Pattern[bytes], limit: int) -> bytes:
        """What comes before the next `end`, which is read too. Raises ReadError, also where that is over `limit`.

        Args:
            end: `LINE_END` or `HEAD_END`.
            limit: bytes.
        """
        searched = 0
        while (found := end.search(self.buffer, searched)) is None:
            if len(self.buffer) > limit:
                raise ReadError(
                    ErrorClass.CODEC,
                    f"the camera's answer has no end within {limit} bytes: its lines have to end with CRLF or LF, and "
                    "its head with an empty one",
                )
            searched = max(0, len(self.buffer) - _LONGEST_END + 1)
            self.more()
        return self.exactly(found.end())[: found.start()]

    def interrupt(self) -> None:
        """Make every read fail, also the one that waits now."""
        self._interrupted = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is gone already

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _failure(self, error: Exception) -> ReadError:
        if self._interrupted:
            return ReadError(ErrorClass.CONNECTION, "reading was ended")
        return failure(error)


def connect(url: CameraUrl, networks: Networks, seconds: float, limit: int) -> Inflow:
    """Connect to a camera, and agree on encryption where the URL asks for it.

    The name is looked up here, its addresses are checked, and only these are connected to.

    Args:
        url: the camera.
        networks: where it may be.
        seconds: for all of it, beyond looking up the name.
        limit: bytes that the connection may buffer.

    Raises:
        ReadError: forbidden, unresolved, unreachable, too slow, or not to be trusted.
    """
    try:
        endpoints = resolve(url, networks)
    except AddressError as error:
        known = ErrorClass.REFUSED if error.problem is AddressProblem.FORBIDDEN else ErrorClass.CONNECTION
        raise ReadError(known, str(error)) from None
    deadline = time.monotonic() + seconds
    connection = _first_of(endpoints, deadline)
    try:
        if url.encrypted:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            connection = ssl.create_default_context().wrap_socket(connection, server_hostname=url.host)
    except (OSError, ValueError) as error:
        connection.close()
        raise failure(error) from None
    inflow = Inflow(connection, limit)
    inflow.within(max(0.0, deadline - time.monotonic()))
    return inflow


def _first_of(endpoints: list[Endpoint], deadline: float) -> socket.socket:
    """A connection to the first address that takes one; each gets its share of the time that is left."""
    last: Exception = TimeoutError()
    for at, endpoint in enumerate(endpoints):
        left = (deadline - time.monotonic()) / (len(endpoints) - at)
        connection = socket.socket(endpoint.family, socket.SOCK_STREAM)
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BACKLOG)
            connection.settimeout(max(0.01, left))
            connection.connect(endpoint.address)
        except OSError as error:
            connection.close()
            last = error
        else:
            return connection
    raise failure(last) from None


def failure(error: Exception) -> ReadError:
    """What an error of the operating system or of TLS means."""
    if isinstance(error, TimeoutError):
        return ReadError(ErrorClass.TIMEOUT, "the camera does not answer in time")
    if isinstance(error, ssl.SSLCertVerificationError):
        return ReadError(
            ErrorClass.TLS, "the camera's certificate is not trusted, out of date or for another name (SSL_CERT_FILE)"
        )
    if isinstance(error, ssl.SSLError):
        return ReadError(ErrorClass.TLS, "no encrypted connection to the camera comes about")
    if isinstance(error, ConnectionRefusedError):
        return ReadError(ErrorClass.CONNECTION, "the camera refuses the connection; is the port right?")
    return ReadError(ErrorClass.CONNECTION, "the camera cannot be reached, or ended the connection")
