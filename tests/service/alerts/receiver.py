"""A real HTTP receiver on this machine, whose answers the tests choose."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

LOOPBACK = ("127.0.0.0/8",)


@dataclass
class Receiver:
    """What came, and what is answered.

    Attributes:
        port: of this machine.
        status: of the answers.
        fields: header fields of the answers.
        body: of the answers.
        silence: seconds before an answer.
        got: headers in lower case and body of each request.
    """

    port: int
    status: int = 200
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    silence: float = 0.0
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def said(self) -> list[Any]:
        return [orjson.loads(body) for _, body in self.got]

    @property
    def keys(self) -> list[str]:
        return [headers["idempotency-key"] for headers, _ in self.got]


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """Receives until the block ends; on a port of before, as if it had been away."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            time.sleep(receiver.silence)
            self.send_response(receiver.status)
            for name, value in receiver.fields.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # nobody listens any more
                self.wfile.write(receiver.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
