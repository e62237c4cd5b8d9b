"""Logins of the dashboard: a key is shown once, then a cookie stands for it, as pages should not keep keys."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from starlette.requests import HTTPConnection

from service.records import SessionRecord
from service.store import StoreUnavailable

MOST_SESSIONS = 10_000
_MOST_ADDRESSES = 10_000
_COOKIE = "framewatch_"
log = logging.getLogger(__name__)


class SessionStore(Protocol):
    """Where sessions are kept."""

    def all(self) -> list[SessionRecord]: ...
    def put(self, session: SessionRecord) -> None: ...
    def delete(self, hash: str) -> bool: ...


class Sessions:
    """The open sessions: in memory, and stored, so that a restart logs nobody out. Thread-safe.

    Attributes:
        seconds: that a session lasts.
    """

    def __init__(self, store: SessionStore, *, seconds: float, clock: Callable[[], float] = time.time) -> None:
        """Makes it without sessions; `load` reads those that are stored.

        Args:
            store: keeps them.
            seconds: see the attribute.
            clock: seconds since 1970.
        """
        self.seconds = seconds
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, SessionRecord] = {}  # by hash, in the order in which they run out

    def load(self) -> None:
        """Reads what is stored."""
        self._open = {session.hash: session for session in self._store.all()}

    def start(self, key: str) -> str:
        """Begins a session of a key, given by its id; gives the token that the cookie holds.

        While nothing can be stored it is kept in memory only: who looks after a full disk has to get in.
        """
        now = self._clock()
        token = secrets.token_urlsafe(32)
        session = SessionRecord(_hash(token), key, now, now + self.seconds)
        with self._lock:
            while self._open and (len(self._open) >= MOST_SESSIONS or next(iter(self._open.values())).ends <= now):
                del self._open[next(iter(self._open))]
            self._open[session.hash] = session
        try:
            self._store.put(session)
        except StoreUnavailable as error:
            log.warning("a login will not survive a restart: %s", error)
        return token

    def find(self, token: str) -> SessionRecord | None:
        """The session of a token; None: there is none, or it has run out."""
        session = self._open.get(_hash(token))
        return None if session is None or session.ends <= self._clock() else session

    def end(self, hash: str) -> None:
        """Ends a session, by its hash."""
        with self._lock:
            self._open.pop(hash, None)
        try:
            self._store.delete(hash)
        except StoreUnavailable as error:
            log.warning("a session that was ended will be back after a restart: %s", error)


class Attempts:
    """Failed logins by address: after some within a minute, that address has to wait."""

    def __init__(
        self, *, most: int = 10, seconds: float = 60.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Makes it empty.

        Args:
            most: failures of an address that are allowed.
            seconds: within so long.
            monotonic: seconds.
        """
        self._most = most
        self._seconds = seconds
        self._monotonic = monotonic
        self._failed: dict[str, deque[float]] = {}

    def wait(self, address: str) -> float:
        """Seconds until an address may try again; 0: now."""
        times = self._failed.get(_network(address))
        if times is None or len(times) < self._most:
            return 0.0
        return max(0.0, times[0] + self._seconds - self._monotonic())

    def note(self, address: str) -> None:
        """A login from an address has failed."""
        name = _network(address)
        times = self._failed.pop(name, None) or deque(maxlen=self._most)
        times.append(self._monotonic())
        self._failed[name] = times  # at the end: the front has waited longest
        while len(self._failed) > _MOST_ADDRESSES:
            del self._failed[next(iter(self._failed))]


def cookie_name(connection: HTTPConnection) -> str:
    """Cookies do not know ports: of two services on one machine, each needs a name of its own."""
    host = connection.headers.get("host", "")
    return _COOKIE + hashlib.sha256(host.encode(errors="surrogateescape")).hexdigest()[:8]


def csrf_of(token: str) -> str:
    """What a page has to send with a change: it follows from the cookie, which other sites' pages cannot read."""
    return hashlib.sha256(b"csrf " + token.encode(errors="surrogateescape")).hexdigest()


def is_csrf(token: str, given: str) -> bool:
    """Whether that is what a page of the session sends."""
    return hmac.compare_digest(csrf_of(token).encode(), given.encode(errors="surrogateescape"))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def _network(address: str) -> str:
    """An address; of IPv6 the /64 that one household has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if found.version == 6:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
