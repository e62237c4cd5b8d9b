"""What goes over websockets: frames in, scores and pictures out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import cast

from websockets.exceptions import ConnectionClosed

from service.client.connection import LISTENER, Connection, part
from service.client.sending import Message, Sender, closing, messages_of


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of a stream.

    Attributes:
        message: of which frame it is, and whether it is live.
        jpeg: the picture.
        heat: PNG of the heat map, grey, 128 at the threshold; None: not asked for.
    """

    message: Message
    jpeg: bytes
    heat: bytes | None


class Live(Connection):
    """What a client sends and sees while it happens."""

    def follow(
        self, id: str | None = None, *, since: str | None = None, batch_ms: int = 0
    ) -> Generator[Message, None, None]:
        """Everything that is said of one stream, or of all, from `hello` to `bye`.

        Raises:
            ServiceError: refused, or the connection was closed other than in peace.
        """
        path = "/v1/scores" if id is None else f"/v1/streams/{part(id)}/scores"
        with self._websocket(path, LISTENER, batch_ms=batch_ms, since=since) as socket:
            yield from messages_of(socket)

    @contextmanager
    def ingest(self, id: str, *, header: bool = False, scores: bool = True) -> Generator[Sender, None, None]:
        """Sends frames of a stream.

        Args:
            id: of the stream.
            header: frames carry their capture time; otherwise the time of arrival counts.
            scores: whether their scores come back.

        Raises:
            ServiceError: refused.
        """
        with self._websocket(f"/v1/streams/{part(id)}/ingest", header=header, scores=scores) as socket:
            yield Sender(socket, header=header)

    def pictures(self, id: str, *, width: int = 320, heat: bool = False) -> Generator[Shown, None, None]:
        """The newest picture of a stream, and the next one when it is asked for, until the stream is removed.

        Raises:
            ServiceError: refused, or the connection was closed other than in peace.
        """
        with self._websocket(f"/v1/streams/{part(id)}/picture", LISTENER, width=width, heat=heat) as socket:
            for message in messages_of(socket):
                if message["type"] != "picture":
                    continue  # how the connection is closed, which comes next, says the rest
                try:
                    parts = [cast(bytes, socket.recv()) for _ in range(1 + heat)]
                except ConnectionClosed as error:
                    raise closing(error, "") from None
                yield Shown(message, parts[0], parts[1] if heat else None)
                with suppress(ConnectionClosed):  # why is still there to be read
                    socket.send("next")
