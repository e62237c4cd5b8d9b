"""Requests that are sent again because their answer got lost: by `Idempotency-Key`, each makes its thing once."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import orjson

from service.problems import Problem

Place = tuple[str, str, str]
"""Caller's key, route, and the name that the client gave the request."""


class RequestStore(Protocol):
    """Where requests are remembered for a day."""

    def find(self, place: Place) -> tuple[str, str] | None: ...
    def put(self, place: Place, content: str, made: str) -> None: ...
    def forget(self, place: Place) -> None: ...


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that only this caller deals with at present.

    Attributes:
        made: id of what an earlier one made, if that is still there; None: it is to be made now.
        remember: to be told the id before the thing is made, so that a crash in between makes it at most once.
    """

    made: str | None
    remember: Callable[[str], object]


class Repeats:
    """The requests with a name. For one event loop."""

    def __init__(self, store: RequestStore) -> None:
        self._store = store
        self._under_way: set[Place] = set()
        self._lock = threading.Lock()

    @asynccontextmanager
    async def claim(
        self, place: Place | None, content: str, *, exists: Callable[[str], bool]
    ) -> AsyncGenerator[Claim, None]:
        """Deals with a request; where the block fails, the request may be sent again and is dealt with anew.

        Args:
            place: see `Place`; None: it has no name, and nothing is remembered.
            content: what it asks for (`digest`).
            exists: whether a thing is still there, by its id; called in a thread.

        Raises:
            Problem: 409 while the same request is under way, 422 if one of that name asked for something else.
        """
        if place is None:
            yield Claim(None, lambda made: None)
            return
        with self._lock:
            if place in self._under_way:
                raise Problem(409, "a request with this Idempotency-Key is under way", retry_after=1)
            self._under_way.add(place)
        try:
            known = await asyncio.to_thread(self._store.find, place)
            if known is not None and known[0] != content:
                raise Problem(422, "this Idempotency-Key was used for another request: take a new one")
            if known is not None and await asyncio.to_thread(exists, known[1]):
                yield Claim(known[1], lambda made: None)
                return
            try:
                yield Claim(None, lambda made: self._store.put(place, content, made))
            except BaseException:
                await asyncio.shield(asyncio.to_thread(self._store.forget, place))
                raise
        finally:
            with self._lock:
                self._under_way.discard(place)


def digest(content: object) -> str:
    """SHA-256 of what a request asks for, of anything that is JSON."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
