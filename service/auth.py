"""Who may do what: keys with scopes, sessions and tickets for browsers, and which pages may call from a browser."""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, get_args
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from service.problems import Problem
from service.records import KeyRecord, Scope
from service.sessions import Attempts, Sessions, cookie_name, is_csrf

SCOPES: tuple[Scope, ...] = get_args(Scope)
ADMIN_KEY = "admin.key"
"""Name of the file in the data folder that holds the first key."""

TICKET_SECONDS = 30.0
_MOST_TICKETS = 10_000
_FRESH = 1.0  # seconds that the keys are not read again
_LOOPBACK = frozenset(["localhost", "127.0.0.1", "::1"])


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request.

    Attributes:
        name: of the key, or of what stands for one.
        scopes: what it may do; `admin` may do everything.
        key: id of the key; "": there is none.
    """

    name: str
    scopes: tuple[Scope, ...]
    key: str = field(default="", compare=False)

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or "admin" in self.scopes


ANYBODY = Caller("anybody", ("admin",))
"""The caller where no key is needed."""


class Keys(Protocol):
    """Where keys are kept."""

    def all(self) -> list[KeyRecord]: ...


def mint(name: str, scopes: Sequence[Scope], now: float) -> tuple[str, KeyRecord]:
    """A new key and what is stored of it, from which the key cannot be made again.

    Args:
        name: what people call it.
        scopes: what it may do.
        now: seconds since 1970.
    """
    key = "fw_" + secrets.token_urlsafe(32)
    return key, KeyRecord(secrets.token_hex(4), name, fingerprint(key), tuple(scopes), now)


def fingerprint(key: str) -> str:
    """SHA-256, hexadecimal. Keys are 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()


def write_admin_key(folder: Path, key: str) -> Path:
    """Writes the first key to a file that only its owner can read; gives the file."""
    path = folder / ADMIN_KEY
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(key + "\n")
    return path


class Tickets:
    """What a browser shows in place of a key, as it cannot send headers with a websocket: once, and soon."""

    def __init__(self, *, seconds: float = TICKET_SECONDS, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._monotonic = monotonic
        self._open: dict[str, tuple[Caller, float]] = {}  # in the order in which they run out

    def issue(self, caller: Caller) -> str:
        """A ticket that may do what its caller may."""
        now = self._monotonic()
        while self._open and (len(self._open) >= _MOST_TICKETS or next(iter(self._open.values()))[1] <= now):
            del self._open[next(iter(self._open))]
        ticket = secrets.token_urlsafe(24)
        self._open[fingerprint(ticket)] = caller, now + self.seconds
        return ticket

    def redeem(self, ticket: str) -> Caller | None:
        """Whose ticket it is; None: nobody's, used already, or too old."""
        caller, until = self._open.pop(fingerprint(ticket), (None, 0.0))
        return caller if self._monotonic() < until else None


class Access:
    """Decides about requests.

    Attributes:
        on: whether keys are needed.
        tickets: see `Tickets`.
        sessions: see `Sessions`; None: nobody can log in.
    """

    def __init__(
        self,
        keys: Keys,
        *,
        on: bool,
        sessions: Sessions | None = None,
        origins: Sequence[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes it.

        Args:
            keys: where they are kept.
            on, sessions: see the attributes.
            origins: of pages elsewhere that may call from a browser.
            monotonic: seconds.
        """
        self.on = on
        self.tickets = Tickets(monotonic=monotonic)
        self.sessions = sessions
        self._attempts = Attempts(monotonic=monotonic)
        self._keys = keys
        self._origins = frozenset(origins)
        self._hosts = _LOOPBACK | {urlsplit(origin).hostname for origin in origins}
        self._monotonic = monotonic
        self._known: dict[str, KeyRecord] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def admit(self, connection: HTTPConnection, scope: Scope | None) -> Caller:
        """Who makes a request, if it may (None: any valid key may).

        Raises:
            Problem: 401 without a valid key, 403 if the key may not, or for a page of another origin.
        """
        self.check_origin(connection)
        caller = await self._identify(connection) if self.on else self._local(connection)
        if scope is not None and not caller.may(scope):
            raise Problem(403, f"this key may not do that: it has the scopes {', '.join(caller.scopes)}, not {scope}")
        return caller

    async def known(self, connection: HTTPConnection) -> Caller | None:
        """Who makes a request that everybody may make; None: a browser in which nobody is logged in.

        Raises:
            Problem: 401 for a key or a ticket that is not valid, 403 for a page of another origin.
        """
        try:
            return await self.admit(connection, None)
        except Problem as problem:
            if problem.status != 401 or _shown_key(connection) or "ticket" in connection.query_params:
                raise
            return None

    async def _identify(self, connection: HTTPConnection) -> Caller:
        ticket = connection.query_params.get("ticket")
        if ticket is not None:
            caller = self.tickets.redeem(ticket)
            if caller is None or (caller.key and caller.key not in await self.valid()):
                raise Problem(401, "this ticket is not valid: each is for one connection, made within half a minute")
            return caller
        key = _shown_key(connection)
        if key is not None:
            return await self._caller(key)
        token = self.token(connection)
        if token is None:
            raise Problem(401, "a key is needed, as `Authorization: Bearer KEY` or `X-API-Key: KEY`")
        _check_page(connection, token)
        return await self._logged_in(token)

    async def login(self, connection: HTTPConnection, key: str) -> tuple[str, Caller]:
        """Begins a session with a key; gives its token, and who that is.

        Raises:
            Problem: 401 if the key is not valid, 429 after too many that were not.
        """
        if self.sessions is None:
            raise Problem(409, "nobody can log in here")
        address = "" if connection.client is None else connection.client.host
        wait = self._attempts.wait(address)
        if wait:
            raise Problem(429, "too many logins have failed: wait a minute", retry_after=math.ceil(wait))
        try:
            caller = await self._caller(key)
        except Problem:
            self._attempts.note(address)
            raise
        return await asyncio.to_thread(self.sessions.start, caller.key), caller

    async def valid(self) -> frozenset[str]:
        """Ids of the keys that are valid."""
        await self._refresh()
        return frozenset(key.id for key in self._known.values() if key.revoked is None)

    async def logout(self, connection: HTTPConnection) -> None:
        """Ends the session that a request belongs to, if there is one.

        Raises:
            Problem: 403 if it does not come from a page of the session.
        """
        token = self.token(connection)
        session = None if token is None or self.sessions is None else self.sessions.find(token)
        if token is not None and session is not None and self.sessions is not None:
            _check_page(connection, token)
            await asyncio.to_thread(self.sessions.end, session.hash)

    def token(self, connection: HTTPConnection) -> str | None:
        """What the cookie of a session holds, whether or not it is valid."""
        return connection.cookies.get(cookie_name(connection))

    async def _caller(self, key: str) -> Caller:
        await self._refresh()
        record = self._known.get(fingerprint(key))
        if record is None or record.revoked is not None:
            raise Problem(401, "this key is not valid")
        return Caller(record.name, record.scopes, record.id)

    async def _logged_in(self, token: str) -> Caller:
        session = None if self.sessions is None else self.sessions.find(token)
        if session is not None:
            await self._refresh()
            record = next((one for one in self._known.values() if one.id == session.key), None)
            if record is not None and record.revoked is None:
                return Caller(record.name, record.scopes, record.id)
        raise Problem(401, "the session is over: log in again")

    async def _refresh(self) -> None:
        """Reads the keys anew if that is due; whoever comes while they are read waits for them."""
        async with self._reading:
            now = self._monotonic()
            if now - self._read_at >= _FRESH:
                self._known = {key.hash: key for key in await asyncio.to_thread(self._keys.all)}
                self._read_at = now

    def _local(self, connection: HTTPConnection) -> Caller:
        """Without keys, only names of this machine are answered: a page could point its own name here."""
        try:
            host = urlsplit("//" + connection.headers.get("host", "")).hostname
        except ValueError:
            host = ""
        if host not in self._hosts and not _is_address(host):
            raise Problem(403, "this host name is not answered without keys: allow its origin, or turn keys on")
        return ANYBODY

    def check_origin(self, connection: HTTPConnection) -> None:
        """A browser says which page calls; programs do not.

        Raises:
            Problem: 403 for a page of another origin.
        """
        origin = connection.headers.get("origin")
        if origin is None or origin in self._origins:
            return
        if connection.scope["type"] == "http" and connection.scope["method"] in ("GET", "HEAD"):
            return  # the browser itself keeps the answer from the page
        if origin.partition("://")[2] != connection.headers.get("host", ""):
            raise Problem(403, "pages of this origin may not call: add it to the allowed origins")


def needs(scope: Scope) -> Callable[[HTTPConnection], object]:
    """A dependency that lets only callers with a scope through."""

    async def check(connection: HTTPConnection) -> Caller:
        access: Access = connection.app.state.monitor.access
        caller = connection.state.caller = await access.admit(connection, scope)
        return caller

    return check


def key_of(connection: HTTPConnection) -> str:
    """Id of the key that an admitted caller has shown; "": none is needed."""
    caller: Caller = connection.state.caller
    return caller.key


async def holds_key(connection: HTTPConnection) -> Caller:
    """A dependency that lets every caller with a valid key through."""
    access: Access = connection.app.state.monitor.access
    return await access.admit(connection, None)


def _check_page(connection: HTTPConnection, token: str) -> None:
    """A browser sends a cookie whichever page makes it call: what only the service's own pages know has to come too."""
    if connection.scope["type"] == "websocket":
        if "origin" not in connection.headers:
            raise Problem(403, "a websocket with a session's cookie needs an Origin, as browsers send it")
    elif connection.scope["method"] not in ("GET", "HEAD") and not is_csrf(
        token, connection.headers.get("x-csrf-token", "")
    ):
        raise Problem(403, "a change with a session's cookie needs X-CSRF-Token, as GET /v1/session gives it")


def _shown_key(connection: HTTPConnection) -> str | None:
    kind, _, key = connection.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and key.strip():
        return key.strip()
    return connection.headers.get("x-api-key") or None


def _is_address(host: str | None) -> bool:
    return bool(host) and (":" in str(host) or str(host).replace(".", "").isdecimal())
