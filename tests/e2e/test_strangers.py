"""What somebody without a key may send: it costs little, ends in an answer, and is no error of the service's log."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from tests.e2e.serving import Served

HOST = b"Host: 127.0.0.1\r\n"
CHUNKED = HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
UPGRADE = (
    b"GET /v1/scores HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
LINE = b"X-Long: " + b"x" * 16_000 + b"\r\n"


@pytest.fixture(scope="module")
def changes() -> dict[str, Any]:
    return {"auth": "on"}


@pytest.fixture(autouse=True)
def _no_errors(service: Served, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    httpx2.get(f"{service.url}/healthz")  # what the service was about to log is logged by now
    said = [one for one in caplog.get_records("call") if one.levelno >= logging.ERROR or one.exc_info]
    assert [one.getMessage() for one in said] == []


def ask(service: Served, *parts: bytes) -> tuple[int, bytes]:
    """How many of these bytes are taken before the service hangs up, each part once the one before is answered or has
    had the time to be; and what it answers."""
    url = urlsplit(service.url)
    taken, answer = 0, b""
    with socket.create_connection((url.hostname, url.port), timeout=60) as connection, suppress(ConnectionError):
        for part in parts:
            connection.settimeout(0.05)
            connection.sendall(part)
            taken += len(part)
            with suppress(TimeoutError):
                answer += connection.recv(1 << 16)
        connection.settimeout(60)
        while some := connection.recv(1 << 16):
            answer += some
    return taken, answer


@pytest.mark.parametrize(
    "begin",
    [b"GET /healthz HTTP/1.1\r\n" + HOST, b"GET /healthz HTTP/1.1\r\n" + CHUNKED + b"0\r\n"],
    ids=["head", "trailers"],
)
def test_a_head_without_end_is_refused_early(service: Served, begin: bytes) -> None:
    taken, answer = ask(service, begin, *[LINE] * 64)
    assert taken < 200_000
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 200 "))


def test_one_endless_line_is_refused_early(service: Served) -> None:
    taken, answer = ask(service, b"GET /healthz HTTP/1.1\r\nX-Long: ", *[b"x" * 16_000] * 64)
    assert taken < 200_000
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_body_of_two_lengths_is_refused(service: Served) -> None:
    lengths = b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    _, answer = ask(service, b"POST /v1/streams HTTP/1.1\r\n" + HOST + lengths + b"GET /healthz HTTP/1.1\r\n" + HOST)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_body_that_breaks_off_after_its_answer_ends_the_connection(service: Served) -> None:
    _, answer = ask(service, b"GET /healthz HTTP/1.1\r\n" + CHUNKED, b"zz\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("head", "status"),
    [(UPGRADE + LINE, b"431"), (UPGRADE + b"X-Some: x\r\n" * 200, b"431"), (UPGRADE + b"Content-Length: 5\r\n", b"")],
    ids=["long line", "many lines", "body"],
)
def test_a_handshake_that_is_none_is_hung_up_on(service: Served, head: bytes, status: bytes) -> None:
    _, answer = ask(service, head + b"\r\n")
    assert answer[9:12] == status


@pytest.mark.parametrize(
    ("path", "origin", "key", "status"),
    [
        ("/v1/scores", None, "", 401),
        ("/v1/streams/none/scores", None, "right", 404),
        ("/v1/scores", "https://elsewhere.example", "right", 403),
    ],
)
def test_a_websocket_that_is_refused_is_no_error(
    service: Served, path: str, origin: Any, key: str, status: int
) -> None:
    headers = admin(service) if key else {}
    with pytest.raises(InvalidStatus) as error:
        connect(f"{service.ws}{path}", additional_headers=headers, origin=origin, proxy=None)
    assert error.value.response.status_code == status


def test_a_text_that_is_none_ends_the_websocket(service: Served) -> None:
    with connect(f"{service.ws}/v1/scores", additional_headers=admin(service), proxy=None) as end:
        end.recv(timeout=60)
        end.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosedError):
            end.recv(timeout=60)
    assert end.close_code == 1007


@pytest.mark.parametrize("frame", [b"\xff\xff\xff\xff", b"\x81\x82\0\0\0\0\xff\xfe"], ids=["no frame", "no text"])
def test_what_comes_before_the_handshake_is_answered_is_no_error(service: Served, frame: bytes) -> None:
    url = urlsplit(service.url)
    key = b"X-API-Key: " + admin(service)["X-API-Key"].encode() + b"\r\n\r\n"
    for _ in range(20):
        with socket.create_connection((url.hostname, url.port), timeout=60) as connection, suppress(ConnectionError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(UPGRADE + key)
            time.sleep(0.001)  # a segment of its own, while the key is looked up
            connection.sendall(frame)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass


def admin(service: Served) -> dict[str, str]:
    return {"X-API-Key": (service.monitor.settings.data_dir / "admin.key").read_text().strip()}
