"""Clients that stay connected: how many there may be, and which have to go because their key was revoked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Container
from types import TracebackType
from typing import Self

from service.problems import Problem


class Visit:
    """One client's connection, from the moment it is let in until it leaves.

    Attributes:
        key: id of the key that it has shown; "": none was needed.
        revoked: the key is valid no longer.
        on_revoked: called then, besides.
    """

    def __init__(self, visits: Visits, key: str) -> None:
        self.key = key
        self.revoked = asyncio.Event()
        self.on_revoked: Callable[[], object] | None = None
        self._visits = visits

    def leave(self) -> None:
        """It has gone."""
        self._visits.leave(self)

    def revoke(self) -> None:
        """Its key is valid no longer: whoever serves it ends the connection."""
        if not self.revoked.is_set():
            self.revoked.set()
            if self.on_revoked is not None:
                self.on_revoked()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()


class Visits:
    """All of them. For one event loop."""

    def __init__(self, *, most: int, most_of_key: int) -> None:
        """Makes it empty.

        Args:
            most: at one time.
            most_of_key: with one key.
        """
        self._most = most
        self._most_of_key = most_of_key
        self._open: set[Visit] = set()
        self._of_key: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def with_keys(self) -> bool:
        """Whether anybody is there who has shown a key."""
        return any(self._of_key)

    def enter(self, key: str = "") -> Visit:
        """A client wants to stay connected.

        Args:
            key: id of the key that it has shown; "": none.

        Raises:
            Problem: 503: there are too many; 429: too many of its key.
        """
        if len(self) >= self._most:
            raise Problem(503, f"{len(self)} connections are as many as are allowed", retry_after=10)
        if key and self._of_key[key] >= self._most_of_key:
            said = f"{self._most_of_key} connections with one key are as many as are allowed"
            raise Problem(429, said, retry_after=10)
        visit = Visit(self, key)
        self._open.add(visit)
        self._of_key[key] += 1
        return visit

    def leave(self, visit: Visit) -> None:
        """For the visit."""
        if visit in self._open:
            self._open.remove(visit)
            self._of_key[visit.key] -= 1
            if not self._of_key[visit.key]:
                del self._of_key[visit.key]

    def keep_only(self, valid: Container[str]) -> None:
        """Ends the visits with keys that are not among those that are valid, by their ids."""
        for visit in list(self._open):
            if visit.key and visit.key not in valid:
                visit.revoke()
