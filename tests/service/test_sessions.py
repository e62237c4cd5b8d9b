"""Logins of the dashboard: what a cookie may do, and when it is worth nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.requests import HTTPConnection
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from service.records import SessionRecord
from service.sessions import Attempts, Sessions, cookie_name
from service.store import KeyFile, StoreUnavailable
from tests.e2e.serving import Served, served

NOBODY = {"auth": True, "name": "", "scopes": [], "csrf": ""}


class Stored:
    def __init__(self, *, full: bool = False) -> None:
        self.kept: dict[str, SessionRecord] = {}
        self.full = full

    def all(self) -> list[SessionRecord]:
        return sorted(self.kept.values(), key=lambda session: session.ends)

    def put(self, session: SessionRecord) -> None:
        if self.full:
            raise StoreUnavailable("the disk is full")
        self.kept[session.hash] = session

    def delete(self, hash: str) -> bool:
        return self.kept.pop(hash, None) is not None


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_is_found_by_its_token_until_it_runs_out() -> None:
    clock, stored = Clock(), Stored()
    sessions = Sessions(stored, seconds=60, clock=clock)
    token = sessions.start("key1")
    assert token not in repr(stored.kept)
    found = sessions.find(token)
    assert found is not None
    assert found.key == "key1"
    assert sessions.find(token + "x") is None
    clock.now += 60
    assert sessions.find(token) is None


def test_sessions_are_there_after_a_restart_but_for_those_that_were_ended() -> None:
    stored = Stored()
    first = Sessions(stored, seconds=60)
    kept, ended = first.start("a"), first.start("b")
    session = first.find(ended)
    assert session is not None
    first.end(session.hash)
    second = Sessions(stored, seconds=60)
    second.load()
    assert second.find(kept) is not None
    assert second.find(ended) is None


def test_a_full_disk_keeps_nobody_out() -> None:
    sessions = Sessions(Stored(full=True), seconds=60)
    assert sessions.find(sessions.start("a")) is not None


@pytest.mark.parametrize(
    ("address", "other", "waits"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("nobody", "nobody", True),
    ],
)
def test_an_address_with_too_many_failures_has_to_wait(address: str, other: str, waits: bool) -> None:
    clock = Clock()
    attempts = Attempts(most=3, seconds=60, monotonic=clock)
    for _ in range(3):
        assert attempts.wait(address) == 0
        attempts.note(address)
        clock.now += 10
    assert attempts.wait(address) == 30
    assert bool(attempts.wait(other)) is waits
    clock.now += 30
    assert attempts.wait(address) == 0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("data"), auth="on") as running:
        yield running


def key_of(service: Served) -> str:
    return (service.monitor.settings.data_dir / "admin.key").read_text().strip()


@contextmanager
def browser(service: Served) -> Iterator[tuple[httpx2.Client, str]]:
    """A client that is logged in, and its CSRF token."""
    with httpx2.Client(base_url=service.url, timeout=60) as client:
        answer = client.post("/v1/session", json={"key": key_of(service)})
        assert answer.status_code == 200
        yield client, str(answer.json()["csrf"])


def status(service: Served, cookie: str, origin: str | None) -> int:
    """What a websocket with a cookie gets; 101: it is open."""
    try:
        with connect(
            f"{service.ws}/v1/scores",
            additional_headers={"Cookie": cookie},
            origin=None if origin is None else Origin(origin),
            proxy=None,
        ) as socket:
            socket.recv(timeout=120)
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def test_a_login_gives_a_cookie_that_scripts_and_other_sites_cannot_use(service: Served) -> None:
    with httpx2.Client(base_url=service.url) as client:
        assert client.get("/v1/session").json() == NOBODY
        answer = client.post("/v1/session", json={"key": key_of(service)})
        assert answer.json() == {
            "auth": True,
            "name": "admin",
            "scopes": ["admin"],
            "csrf": client.get("/v1/session").json()["csrf"],
        }
        said = answer.headers["set-cookie"].lower()
        assert "httponly" in said
        assert "samesite=strict" in said
        assert "path=/" in said
        assert key_of(service).lower() not in said


@pytest.mark.parametrize("shown", [{"headers": {"X-API-Key": "fw_wrong"}}, {"params": {"ticket": "wrong"}}])
def test_a_key_or_a_ticket_that_is_not_valid_is_refused_and_not_nobody(service: Served, shown: dict[str, Any]) -> None:
    assert httpx2.get(f"{service.url}/v1/session", **shown).status_code == 401


def test_changes_need_the_token_of_the_page(service: Served) -> None:
    with browser(service) as (client, csrf):
        assert client.get("/v1/streams").status_code == 200
        assert client.post("/v1/streams", json={"id": "gate"}).status_code == 403
        wrong = {"X-CSRF-Token": csrf[:-1] + ("0" if csrf[-1] != "0" else "1")}
        assert client.post("/v1/streams", json={"id": "gate"}, headers=wrong).status_code == 403
        assert client.post("/v1/streams", json={"id": "gate"}, headers={"X-CSRF-Token": csrf}).status_code == 201
        assert client.delete("/v1/streams/gate", headers={"X-CSRF-Token": csrf}).status_code == 204


def test_websockets_take_the_cookie_from_the_services_own_pages_only(service: Served) -> None:
    with browser(service) as (client, _):
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    assert status(service, cookie, service.url) == 101
    assert status(service, cookie, None) == 403
    assert status(service, cookie, "http://evil.example") == 403
    assert status(service, cookie[:-1], service.url) == 401


def test_a_logout_ends_the_session(service: Served) -> None:
    with browser(service) as (client, csrf):
        kept = dict(client.cookies)
        assert client.delete("/v1/session").status_code == 403
        assert client.delete("/v1/session", headers={"X-CSRF-Token": csrf}).status_code == 204
        assert client.get("/v1/session").json() == NOBODY
    with httpx2.Client(base_url=service.url, cookies=kept) as again:
        assert again.get("/v1/streams").status_code == 401
        assert again.delete("/v1/session").status_code == 204


def test_a_session_ends_with_its_key_and_outlives_a_restart(tmp_path: Path) -> None:
    with served(tmp_path, auth="on") as running, browser(running) as (client, csrf):
        (token,) = client.cookies.values()
    with served(tmp_path, auth="on") as running:
        # a browser's cookie does not know the port, whose new number is in the name here
        host = httpx2.URL(running.url).netloc
        cookies = {cookie_name(HTTPConnection({"type": "http", "headers": [(b"host", host)]})): token}
        with httpx2.Client(base_url=running.url, cookies=cookies) as client:
            assert client.get("/v1/session").json()["csrf"] == csrf
            with KeyFile(tmp_path) as keys:
                assert keys.revoke(keys.all()[0].id, 1.0)
            running.monitor.access._read_at = float("-inf")
            assert client.get("/v1/session").json() == NOBODY
            assert client.get("/v1/streams").status_code == 401


def test_logins_that_fail_too_often_have_to_wait(tmp_path: Path) -> None:
    with served(tmp_path, auth="on") as running, httpx2.Client(base_url=running.url) as client:
        for _ in range(10):
            assert client.post("/v1/session", json={"key": "fw_wrong"}).status_code == 401
        answer = client.post("/v1/session", json={"key": key_of(running)})
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 60


def test_without_keys_everybody_is_logged_in(tmp_path: Path) -> None:
    with served(tmp_path) as running, httpx2.Client(base_url=running.url) as client:
        expected = {"auth": False, "name": "", "scopes": ["read", "ingest", "admin"], "csrf": ""}
        assert client.get("/v1/session").json() == expected
        assert client.post("/v1/session", json={"key": "x"}).json() == expected
        assert client.post("/v1/streams", json={"id": "gate"}).status_code == 201
