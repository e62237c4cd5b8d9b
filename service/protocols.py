"""The server's protocols, so that no stranger makes them hold much, wait for ever or log errors."""

from __future__ import annotations

from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MOST_HEAD = 1 << 16
"""Bytes of a request's head that are held before it is whole."""

_LENGTHS = {b"content-length", b"transfer-encoding"}
_ANSWERS = {"websocket.accept", "websocket.http.response.start", "websocket.http.response.body"}
_NO_TEXT = 1007  # close code of a text message that is not UTF-8


class Http(H11Protocol):
    """HTTP by the one parser of uvicorn's that bounds all it holds: heads, the heads of chunks, trailers."""

    def __init__(self, config: Config, *arguments: Any, **named: Any) -> None:
        super().__init__(config, *arguments, **named)
        self.conn = _Parser(h11.SERVER, MOST_HEAD)

    def send_400_response(self, msg: str) -> None:
        """What comes is no request, or no body of one; where an answer has begun, nothing can be said any more."""
        if self.cycle is not None:
            self.cycle.disconnected = True  # whoever answers would write to a parser that has given up
        try:
            super().send_400_response(msg)
            self.transport.close()
        except h11.LocalProtocolError:
            self.transport.abort()


class _Parser(h11.Connection):
    def next_event(self) -> Any:
        """The next part of a request, which has one length: a proxy in front may have gone by the other."""
        event = super().next_event()
        if isinstance(event, h11.Request) and {name for name, _ in event.headers} >= _LENGTHS:
            raise h11.RemoteProtocolError("two lengths of one body")
        return event


class Websocket(WebSocketsSansIOProtocol):
    """Websockets; what is no handshake is hung up on, and what a client does wrong is no error of the service."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated:  # the head comes whole: it was refused, and uvicorn leaves it at that
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_text(b"".join(self.frames)):
            self.conn.fail(_NO_TEXT, "not UTF-8")
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """Closes with a code; before the handshake is answered there is no frame to say it in."""
        if self.conn.close_sent is None:
            self.close_sent = True
            self.transport.abort()
        else:
            super().handle_parser_exception()

    async def send(self, message: Any) -> None:
        """Says what the app says; what answers the handshake of a client that has gone goes nowhere."""
        if self.disconnected and message["type"] in _ANSWERS:
            return
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True  # by a refusal, which uvicorn would take for none


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
