"""Keys, tickets and origins: who is let in, and who is not."""

from __future__ import annotations

import asyncio
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from service.auth import ADMIN_KEY, ANYBODY, Access, Caller, Tickets, fingerprint, mint, write_admin_key
from service.problems import Problem
from service.records import KeyRecord, Scope


class Stored:
    def __init__(self, *keys: KeyRecord) -> None:
        self.records = list(keys)

    def all(self) -> list[KeyRecord]:
        return self.records


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def call(query: str = "", *, method: str = "POST", kind: str = "http", **headers: str) -> HTTPConnection:
    headers.setdefault("host", "monitor.example")
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": kind, "method": method, "headers": raw, "query_string": query.encode()}
    return HTTPConnection(scope)


def admit(access: Access, connection: HTTPConnection, scope: Scope = "read") -> Caller:
    return asyncio.run(access.admit(connection, scope))


def refusal(access: Access, connection: HTTPConnection, scope: Scope = "read") -> int:
    with pytest.raises(Problem) as problem:
        admit(access, connection, scope)
    return problem.value.status


KEY, RECORD = mint("gate", ("read", "ingest"), 0.0)


def test_what_is_stored_of_a_key_is_not_the_key() -> None:
    assert KEY not in repr(RECORD)
    assert RECORD.hash == fingerprint(KEY)


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer {KEY}"}, {"x_api_key": KEY}])
def test_a_key_may_come_in_either_header(headers: dict[str, str]) -> None:
    assert admit(Access(Stored(RECORD), on=True), call(**headers)) == Caller("gate", ("read", "ingest"))


@pytest.mark.parametrize(
    ("headers", "scope", "status"),
    [
        ({}, "read", 401),
        ({"authorization": "Bearer "}, "read", 401),
        ({"authorization": f"Basic {KEY}"}, "read", 401),
        ({"x_api_key": KEY + "x"}, "read", 401),
        ({"x_api_key": "\u00ff\u20ac".encode().decode("latin-1")}, "read", 401),
        ({"x_api_key": KEY}, "admin", 403),
    ],
)
def test_without_a_fitting_key_a_call_is_refused(headers: dict[str, str], scope: Scope, status: int) -> None:
    assert refusal(Access(Stored(RECORD), on=True), call(**headers), scope) == status


def test_an_admin_may_do_everything() -> None:
    key, record = mint("boss", ("admin",), 0.0)
    assert admit(Access(Stored(record), on=True), call(x_api_key=key), "ingest").name == "boss"


def test_a_revoked_key_is_refused_within_a_second() -> None:
    clock, stored = Clock(), Stored(RECORD)
    access = Access(stored, on=True, monotonic=clock)
    admit(access, call(x_api_key=KEY))
    stored.records = [replace(RECORD, revoked=1.0)]
    clock.now += 1.0
    assert refusal(access, call(x_api_key=KEY)) == 401


def test_a_ticket_is_good_once() -> None:
    access = Access(Stored(), on=True)
    ticket = access.tickets.issue(Caller("page", ("read",)))
    assert admit(access, call(f"ticket={ticket}", kind="websocket")).name == "page"
    assert refusal(access, call(f"ticket={ticket}", kind="websocket")) == 401


def test_a_ticket_ends_with_its_key() -> None:
    stored = Stored(RECORD)
    access = Access(stored, on=True)
    ticket = access.tickets.issue(admit(access, call(x_api_key=KEY)))
    stored.records = [replace(RECORD, revoked=1.0)]
    access._read_at = float("-inf")
    assert refusal(access, call(f"ticket={ticket}")) == 401


def test_who_comes_while_the_keys_are_read_waits_for_them() -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Stored):
        def all(self) -> list[KeyRecord]:
            begun.set()
            assert go_on.wait(60)
            return super().all()

    async def both() -> list[Caller]:
        access = Access(Slow(RECORD), on=True)
        first = asyncio.create_task(access.admit(call(x_api_key=KEY), "read"))
        await asyncio.to_thread(begun.wait)
        second = asyncio.create_task(access.admit(call(x_api_key=KEY), "read"))
        await asyncio.sleep(0)
        go_on.set()
        return [await first, await second]

    assert [caller.name for caller in asyncio.run(both())] == ["gate", "gate"]


def test_a_ticket_is_good_for_half_a_minute() -> None:
    clock = Clock()
    tickets = Tickets(monotonic=clock)
    ticket = tickets.issue(ANYBODY)
    clock.now += 30
    assert tickets.redeem(ticket) is None


def test_a_ticket_may_do_no_more_than_its_key() -> None:
    access = Access(Stored(), on=True)
    ticket = access.tickets.issue(Caller("page", ("read",)))
    assert refusal(access, call(f"ticket={ticket}"), "admin") == 403


@pytest.mark.parametrize(
    ("origin", "kind", "method", "good"),
    [
        ("https://monitor.example", "websocket", "GET", True),
        ("https://friend.example", "websocket", "GET", True),
        ("https://evil.example", "websocket", "GET", False),
        ("https://evil.example", "http", "POST", False),
        ("https://evil.example", "http", "GET", True),
        ("null", "websocket", "GET", False),
    ],
)
def test_pages_of_other_origins_may_not_call(origin: str, kind: str, method: str, good: bool) -> None:
    access = Access(Stored(RECORD), on=True, origins=["https://friend.example"])
    connection = call(kind=kind, method=method, origin=origin, x_api_key=KEY)
    if good:
        assert admit(access, connection).name == "gate"
    else:
        assert refusal(access, connection) == 403


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "192.168.1.5"])
def test_without_keys_this_machine_is_answered(host: str) -> None:
    assert admit(Access(Stored(), on=False), call(host=host), "admin") == ANYBODY


@pytest.mark.parametrize("host", ["rebound.example", "", "[::1"])
def test_without_keys_a_name_that_could_be_anybodys_is_not_answered(host: str) -> None:
    assert refusal(Access(Stored(), on=False), call(host=host)) == 403


def test_only_the_owner_can_read_the_first_key(tmp_path: Path) -> None:
    (tmp_path / ADMIN_KEY).write_text("old")
    path = write_admin_key(tmp_path, KEY)
    assert path.read_text().strip() == KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
