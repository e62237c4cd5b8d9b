"""What every path has beside the methods of its routes: HEAD where there is GET, and an answer to all others."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Heads:
    """Answers HEAD as GET, and ends with the headers: what follows may have no end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})

        await self._app({**scope, "method": "GET"}, receive, answer)


def allowed(connection: HTTPConnection) -> str:
    """The methods of a path, as `Allow` has them."""
    routes = [route for route in connection.app.routes if not isinstance(route, Mount)]
    found = [
        method
        for method in _METHODS
        if any(route.matches({**connection.scope, "method": method})[0] is Match.FULL for route in routes)
    ] or ["GET"]  # a folder of files
    return ", ".join(["GET", "HEAD", *found[1:]] if found[0] == "GET" else found)
