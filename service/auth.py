"""Who may do what: keys with scopes, tickets for browsers' websockets, and which pages may call from a browser."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, get_args
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from service.problems import Problem
from service.records import KeyRecord, Scope

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
    """

    name: str
    scopes: tuple[Scope, ...]

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or "admin" in self.scopes


ANYBODY = Caller("anybody", ("admin",))
"""The caller where no key is needed."""


class Keys(Protocol):
    """Where keys are kept."""

    def keys(self) -> list[KeyRecord]: ...


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
    """

    def __init__(
        self,
        keys: Keys,
        *,
        on: bool,
        origins: Sequence[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes it.

        Args:
            keys: where they are kept.
            on: see the attribute.
            origins: of pages elsewhere that may call from a browser.
            monotonic: seconds.
        """
        self.on = on
        self.tickets = Tickets(monotonic=monotonic)
        self._keys = keys
        self._origins = frozenset(origins)
        self._hosts = _LOOPBACK | {urlsplit(origin).hostname for origin in origins}
        self._monotonic = monotonic
        self._known: dict[str, KeyRecord] = {}
        self._read_at = float("-inf")

    async def admit(self, connection: HTTPConnection, scope: Scope | None) -> Caller:
        """Who makes a request, if it may (None: any valid key may).

        Raises:
            Problem: 401 without a valid key, 403 if the key may not, or for a page of another origin.
        """
        self._check_origin(connection)
        caller = await self._identify(connection) if self.on else self._local(connection)
        if scope is not None and not caller.may(scope):
            raise Problem(403, f"this key may not do that: it has the scopes {', '.join(caller.scopes)}, not {scope}")
        return caller

    async def _identify(self, connection: HTTPConnection) -> Caller:
        ticket = connection.query_params.get("ticket")
        if ticket is not None:
            caller = self.tickets.redeem(ticket)
            if caller is None:
                raise Problem(401, "this ticket is not valid: each is for one connection, made within half a minute")
            return caller
        key = _key_of(connection)
        if key is None:
            raise Problem(401, "a key is needed, as `Authorization: Bearer KEY` or `X-API-Key: KEY`")
        hashed = fingerprint(key)
        await self._refresh()
        record = self._known.get(hashed)
        if record is None or record.revoked is not None:
            raise Problem(401, "this key is not valid")
        return Caller(record.name, record.scopes)

    async def _refresh(self) -> None:
        now = self._monotonic()
        if now - self._read_at >= _FRESH:
            self._read_at = now
            self._known = {key.hash: key for key in await asyncio.to_thread(self._keys.keys)}

    def _local(self, connection: HTTPConnection) -> Caller:
        """Without keys, only names of this machine are answered: a page could point its own name here."""
        try:
            host = urlsplit("//" + connection.headers.get("host", "")).hostname
        except ValueError:
            host = ""
        if host not in self._hosts and not _is_address(host):
            raise Problem(403, "this host name is not answered without keys: allow its origin, or turn keys on")
        return ANYBODY

    def _check_origin(self, connection: HTTPConnection) -> None:
        """A browser says which page calls; programs do not."""
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
        return await access.admit(connection, scope)

    return check


async def holds_key(connection: HTTPConnection) -> Caller:
    """A dependency that lets every caller with a valid key through."""
    access: Access = connection.app.state.monitor.access
    return await access.admit(connection, None)


def _key_of(connection: HTTPConnection) -> str | None:
    kind, _, key = connection.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and key.strip():
        return key.strip()
    return connection.headers.get("x-api-key") or None


def _is_address(host: str | None) -> bool:
    return bool(host) and (":" in str(host) or str(host).replace(".", "").isdecimal())
