"""Clients that fall silent in the middle of a request: each would hold its connection for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Patience:
    """Waits so long for the next part of a request's body; then it is as if the client had gone."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        """Makes it.

        Args:
            app: what answers.
            seconds: without a byte of the body.
        """
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        whole = False

        async def patiently() -> Message:
            nonlocal whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout(self._seconds):
                    message = await receive()
            except TimeoutError:
                whole = True
                return {"type": "http.disconnect"}
            whole = not message.get("more_body", False)
            return message

        await self._app(scope, patiently, send)


class Silence:
    """Closes connections on which no request comes about: nothing is sent, or its head never ends.

    The server's own time limit is for those that have been answered and are silent since; whoever sends a byte now and
    then escapes it.
    """

    def __init__(self, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Makes it.

        Args:
            seconds: that the head of a request may take.
            monotonic: seconds.
        """
        self._seconds = seconds
        self._monotonic = monotonic
        self._since: dict[Any, tuple[Any, float]] = {}

    def look(self, connections: Iterable[Any]) -> None:
        """Closes those that have been without a request for too long; to be called every now and then.

        Args:
            connections: all that the server has open; those of HTTP have a `cycle`, which is their newest request, or
                None before the first one.
        """
        now = self._monotonic()
        before, self._since = self._since, {}
        for one in [one for one in connections if hasattr(one, "cycle")]:
            if one.cycle is None or one.cycle.response_complete:
                cycle, since = before.get(one, (one.cycle, now))
                self._since[one] = one.cycle, (since if cycle is one.cycle else now)
                if now - self._since[one][1] > self._seconds:
                    one.transport.close()
