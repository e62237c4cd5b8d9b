"""A small reverse proxy that shows a service at a path of its own, as Caddy's `handle_path` does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

_HEAD = 64 * 1024
_AT_ONCE = 64 * 1024


class Proxy:
    """Strips a path from requests and hands all else on, websockets too; other paths are not there.

    Attributes:
        port: of this machine, on which it listens.
        target: port of the service; to be set, at any time.
    """

    def __init__(self, path: str) -> None:
        self.port = 0
        self.target = 0
        self._path = path.encode()

    @property
    def url(self) -> str:
        """Where the service is shown, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}{self._path.decode()}"

    async def serve(self, ready: threading.Event, ended: asyncio.Event) -> None:
        """Serves until it is ended."""
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, limit=_HEAD)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await ended.wait()
        server.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            request, *fields = head.split(b"\r\n")
            method, place, version = request.split(b" ")
            if not place.startswith(self._path + b"/"):
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            if b"upgrade: websocket" not in head.lower():  # one request a connection: the next one has a head too
                fields = [field for field in fields if not field.lower().startswith(b"connection:")]
                fields.insert(0, b"Connection: close")
            request = b" ".join((method, place.removeprefix(self._path), version))
            inner, outer = await asyncio.open_connection("127.0.0.1", self.target)
            with closing(outer):
                outer.write(b"\r\n".join((request, *fields)))
                back = asyncio.create_task(_copy(inner, writer))
                there = asyncio.create_task(_copy(reader, outer))
                await asyncio.wait({back, there}, return_when=asyncio.FIRST_COMPLETED)
                if there.done():  # the browser has said all that it has to say; the answer may still be on its way
                    await asyncio.wait({back}, timeout=1)
                there.cancel()
                back.cancel()
                await asyncio.gather(back, there, return_exceptions=True)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(_AT_ONCE):
        target.write(data)
        await target.drain()


@contextmanager
def proxied(path: str) -> Iterator[Proxy]:
    """Shows a service at a path, until the block ends."""
    proxy = Proxy(path)
    ready = threading.Event()
    ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        ended = asyncio.Event()
        ends.append((asyncio.get_running_loop(), ended))
        await proxy.serve(ready, ended)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="proxy")
    thread.start()
    ready.wait(60)
    try:
        yield proxy
    finally:
        loop, ended = ends[0]
        loop.call_soon_threadsafe(ended.set)
        thread.join(60)
