"""Requests that are sent again because their answer got lost: by `Idempotency-Key`, each makes its thing once."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

import orjson

from service.problems import Problem

Place = tuple[str, str, str]
"""Caller's key, route, and the name that the client gave the request."""

_ANYTHING = ""  # what is known of uploads that earlier versions have remembered


class RequestStore(Protocol):
    """Where requests are remembered for a day."""

    def find(self, place: Place) -> tuple[str, str] | None: ...
    def put(self, place: Place, content: str, made: str) -> None: ...
    def forget(self, place: Place) -> None: ...


class Claim:
    """A request that only this caller deals with at present.

    Attributes:
        made: id of what an earlier one made, if that is still there; None: it is to be made now.
        remembered: whether `remember` was called.
    """

    def __init__(
        self, made: str | None = None, known: str = _ANYTHING, put: Callable[[str, str], object] | None = None
    ):
        """For `Repeats`: `known` is what an earlier request of that name asked for, `put` stores a new one."""
        self.made = made
        self.remembered = False
        self._known = known
        self._put = put
        self._content = _ANYTHING

    def asks(self, content: str) -> None:
        """Says what the request asks for (`digest`); to be called before the thing is made or answered.

        Raises:
            Problem: 422 if an earlier one of that name asked for something else.
        """
        if self._known not in (content, _ANYTHING):
            raise Problem(422, "this Idempotency-Key was used for another request: take a new one")
        self._content = content

    def remember(self, made: str) -> None:
        """Says the id before the thing is made, so that a crash in between makes it at most once."""
        if self._put is not None:
            self.remembered = True
            self._put(self._content, made)


class Repeats:
    """The requests with a name. For one event loop."""

    def __init__(self, store: RequestStore) -> None:
        self._store = store
        self._under_way: set[Place] = set()
        self._lock = threading.Lock()

    @asynccontextmanager
    async def claim(self, place: Place | None, *, exists: Callable[[str], bool]) -> AsyncGenerator[Claim, None]:
        """Deals with a request; where the block fails, the request may be sent again and is dealt with anew.

        Args:
            place: see `Place`; None: it has no name, and nothing is remembered.
            exists: whether a thing is still there, by its id; called in a thread.

        Raises:
            Problem: 409 while the same request is under way.
        """
        if place is None:
            yield Claim()
            return
        with self._lock:
            if place in self._under_way:
                raise Problem(409, "a request with this Idempotency-Key is under way", retry_after=1)
            self._under_way.add(place)
        try:
            known, made = await asyncio.to_thread(self._store.find, place) or (_ANYTHING, None)
            if made is not None and await asyncio.to_thread(exists, made):
                yield Claim(made, known)
                return
            claim = Claim(None, known, partial(self._store.put, place))
            try:
                yield claim
            except BaseException:
                if claim.remembered:
                    await asyncio.shield(asyncio.to_thread(self._store.forget, place))
                raise
        finally:
            with self._lock:
                self._under_way.discard(place)


def digest(content: object) -> str:
    """SHA-256 of what a request asks for, of anything that is JSON."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
