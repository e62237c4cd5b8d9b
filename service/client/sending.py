"""The client's end of a websocket: frames sent, messages read, and what a closed connection means."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

import orjson
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from service.ingest import END, HEADER

Message = dict[str, Any]
"""What the service says, see `service.messages`."""

_LAST = {"error": "detail", "bye": "reason"}
"""Messages before the end of a connection, and the field that says why it comes."""


class ServiceError(Exception):
    """The service refused a request.

    Attributes:
        status: of HTTP; of a websocket that was closed, the close code.
        detail: why, in its words.
        retry_after: seconds after which it may work; None: it does not say.
    """

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.retry_after = retry_after


class Sender:
    """Sends the frames of one stream. With the policy `every` it never sends more than the service has room for.

    Attributes:
        credit: how many more frames may be sent at present; None: the service does not say (policy `latest`).
    """

    def __init__(self, socket: ClientConnection, *, header: bool) -> None:
        self.credit: int | None = None
        self._socket = socket
        self._header = header
        self._number = 0
        self._held: list[Message] = []

    def send(self, frame: bytes, *, captured: float | None = None, number: int | None = None) -> None:
        """Sends a JPEG or PNG; waits where there is no credit.

        Args:
            frame: the file.
            captured: seconds, of the source's clock; needed with a header, where now is taken for it.
            number: of the frame; counted where it is not given.

        Raises:
            ServiceError: the service has closed the connection; says why.
        """
        self._poll()
        while self.credit == 0:
            self._take(self._receive())
        if self._header:
            seconds = time.time() if captured is None else captured
            frame = HEADER.pack(round(seconds * 1e6), self._number if number is None else number, 0) + frame
        try:
            self._socket.send(frame)
        except ConnectionClosed as error:
            raise self._closed(error) from None
        self._number += 1
        if self.credit is not None:
            self.credit -= 1

    def received(self, seconds: float = 0.0) -> Iterator[Message]:
        """What has come back so far, waiting for the first so long."""
        yield from self._drained()
        while True:
            try:
                self._take(orjson.loads(self._socket.recv(timeout=seconds)))
            except TimeoutError:
                return
            except ConnectionClosed as error:
                raise self._closed(error) from None
            yield from self._drained()

    def finish(self) -> Iterator[Message]:
        """Says that all frames are sent, and gives what comes back to the end: the scores of all of them.

        Where the service has closed the connection before, what it said until then is given.

        Raises:
            ServiceError: the connection was closed other than in peace; after all messages.
        """
        said = self._said()
        with suppress(ConnectionClosed):  # what came before is still there to be read, and so is why
            self._socket.send(END)
        yield from self._drained()
        for message in messages_of(self._socket, said):
            self._take(message)
            yield from self._drained()

    def _poll(self) -> None:
        """Keeps what has come: a sender that reads nothing would be cut off."""
        try:
            while True:
                self._take(orjson.loads(self._socket.recv(timeout=0)))
        except TimeoutError:
            return
        except ConnectionClosed as error:
            raise self._closed(error) from None

    def _drained(self) -> Iterator[Message]:
        held, self._held = self._held, []
        yield from held

    def _receive(self) -> Message:
        try:
            return cast(Message, orjson.loads(self._socket.recv()))
        except ConnectionClosed as error:
            raise self._closed(error) from None

    def _take(self, message: Message) -> None:
        if message["type"] == "credit":
            self.credit = (self.credit or 0) + message["frames"]
        else:
            self._held.append(message)

    def _closed(self, error: ConnectionClosed) -> ServiceError:
        return closing(error, self._said())

    def _said(self) -> str:
        said = [_reason(message) for message in self._held if message["type"] in _LAST]
        return said[-1] if said else ""


def messages_of(socket: ClientConnection, said: str = "") -> Iterator[Message]:
    """Messages one by one, gathered ones too, until the connection is closed.

    Args:
        socket: read to its end.
        said: why it will be closed, if that was said before.

    Raises:
        ServiceError: the connection was closed other than in peace.
    """
    try:
        for text in socket:
            found = orjson.loads(text)
            for message in found if isinstance(found, list) else [found]:
                said = _reason(message) if message["type"] in _LAST else said
                yield message
    except ConnectionClosed as error:
        raise closing(error, said) from None


def closing(error: ConnectionClosed, said: str) -> ServiceError:
    """What a connection's end means; `said`: what was said of it before."""
    code, reason = (1006, "the connection was lost") if error.rcvd is None else (error.rcvd.code, error.rcvd.reason)
    return ServiceError(code, said or reason)


def _reason(message: Message) -> str:
    return str(message[_LAST[message["type"]]])


def detail_of(body: bytes) -> str:
    """What a problem says."""
    try:
        return str(orjson.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace")
