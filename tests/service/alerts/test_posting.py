"""Requests go to checked addresses only, end in time, and say what went wrong without repeating the URL."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from service.addresses import AddressError, CameraUrl, Endpoint, resolve
from service.alerts.posting import Poster
from service.alerts.signing import sign, verify
from service.alerts.targets import parse_target, shown
from service.networks import Networks
from tests.service.alerts.receiver import LOOPBACK, Receiver, free_port, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def poster(*networks: str, patience: float = 15.0) -> Poster:
    return Poster(Networks(networks or LOOPBACK), patience=patience)


def test_a_message_arrives_as_it_is(receiver: Receiver) -> None:
    reply = poster().post(receiver.url + "?a=b", b'{"a": 1}', {"Idempotency-Key": "x"})
    assert (reply.status, reply.error, reply.retry_after) == (200, "", None)
    ((headers, body),) = receiver.got
    assert body == b'{"a": 1}'
    assert (headers["host"], headers["idempotency-key"]) == (f"127.0.0.1:{receiver.port}", "x")


def test_a_login_in_the_url_is_sent_as_one(receiver: Receiver) -> None:
    poster().post(receiver.url.replace("http://", "http://me:p%40ss@"), b"{}", {})
    assert receiver.got[0][0]["authorization"] == "Basic bWU6cEBzcw=="


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (204, ""),
        (302, "the receiver redirects (302), which is not followed: give its target"),
        (404, "the receiver answered 404"),
        (500, "the receiver answered 500"),
    ],
)
def test_what_an_answer_means(receiver: Receiver, status: int, said: str) -> None:
    receiver.status, receiver.body = status, b""
    receiver.fields = {"Location": f"{receiver.url}/elsewhere"}
    assert poster().post(receiver.url, b"{}", {}).error == said
    assert len(receiver.got) == 1


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), ("999999", 3600.0), ("soon", None), ("", None)])
def test_a_receiver_may_ask_to_wait(receiver: Receiver, text: str, seconds: float | None) -> None:
    receiver.status, receiver.fields = 503, {"Retry-After": text}
    assert poster().post(receiver.url, b"{}", {}).retry_after == seconds


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("rtsp://192.0.2.1/", "the URL of a webhook begins with https:// or http://"),
        ("file:///etc/passwd", "the URL of a webhook begins with https:// or http://"),
        ("http://127.0.0.1/", "alerts may not be sent to this address"),
        ("http://[::1]/", "alerts may not be sent to this address"),
        ("http://169.254.169.254/latest/meta-data", "alerts may not be sent to this address"),
        ("http://2130706433/", "the host is a number"),
        ("http://a@b@c/", "the URL has more than one @"),
        ("http://localhost/", "alerts may not be sent to this address"),
    ],
)
def test_addresses_that_are_not_allowed_are_not_connected_to(url: str, said: str) -> None:
    strict = Poster(Networks(), resolver=lambda target, networks: _must_not_connect(target, networks))
    assert strict.post(url, b"{}", {}).error.startswith(said)


def _must_not_connect(target: CameraUrl, networks: Networks) -> list[Endpoint]:
    resolve(target, networks)
    raise AssertionError("it was resolved and allowed")


def test_the_address_that_was_checked_is_the_one_connected_to(receiver: Receiver) -> None:
    """The name leads elsewhere, or nowhere, when the connection is made."""
    pinned = Endpoint(socket.AF_INET, ("127.0.0.1", receiver.port))
    one = Poster(Networks(LOOPBACK), resolver=lambda target, networks: [pinned])
    assert one.post(f"http://receiver.invalid:{receiver.port}/", b"{}", {}).error == ""
    assert receiver.got[0][0]["host"] == f"receiver.invalid:{receiver.port}"


def test_a_receiver_that_is_not_there(receiver: Receiver) -> None:
    said = poster().post(f"http://127.0.0.1:{free_port()}/", b"{}", {}).error
    assert said == "the receiver refuses the connection; is the port right?"


def test_a_receiver_that_is_silent_is_given_up_in_time(receiver: Receiver) -> None:
    receiver.silence = 1.0
    reply = poster(patience=0.3).post(receiver.url, b"{}", {})
    assert reply.error == "the receiver did not answer within 0.3 s"


@pytest.mark.parametrize("drip", [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 900, b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 900])
def test_a_receiver_that_drips_is_given_up_in_time(drip: bytes) -> None:
    """Each byte comes within the patience, the answer does not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                for at in range(len(drip)):
                    try:
                        connection.sendall(drip[at : at + 1])
                    except OSError:
                        return
                    if at > 17 and ended.wait(0.1):
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        reply = poster(patience=0.5).post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {})
        ended.set()
        thread.join()
    assert reply.error == "the receiver did not answer within 0.5 s"
    assert reply.seconds < 60  # the answer would take longer


def test_of_a_long_answer_only_the_begin_is_read(receiver: Receiver) -> None:
    receiver.body = bytes(50_000_000)
    assert poster().post(receiver.url, b"{}", {}).error == ""


def test_what_is_no_http_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"220 mail.example ESMTP\r\n")
                connection.recv(1000)

        thread = threading.Thread(target=serve)
        thread.start()
        reply = poster().post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {})
        thread.join()
    assert reply.error == "what answers does not speak HTTP"


def test_a_certificate_that_is_not_trusted_is_refused(receiver: Receiver) -> None:
    said = poster().post(receiver.url.replace("http", "https"), b"{}", {}).error
    assert said == "no encrypted connection to the receiver comes about"


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("https://hooks.example/services/T0/B0/secret", "https://hooks.example/***"),
        ("https://me:secret@hooks.example:8443/a", "https://hooks.example:8443/***"),
        ("http://hooks.example?token=secret", "http://hooks.example/***"),
        ("http://hooks.example", "http://hooks.example"),
        ("http://hooks.example/", "http://hooks.example"),
    ],
)
def test_of_a_url_only_the_host_is_shown(url: str, seen: str) -> None:
    assert shown(url) == seen


def test_a_url_that_is_refused_is_not_repeated() -> None:
    with pytest.raises(AddressError) as error:
        parse_target("ftp://me:hunter2@example/", Networks())
    assert "hunter2" not in str(error.value)


def test_a_signature_holds_for_its_body_its_secret_and_its_time() -> None:
    header = sign("secret", b"{}", 1000.9)
    assert header.startswith("t=1000,v1=")
    assert verify("secret", b"{}", header, 1200)
    assert not verify("secret", b"{ }", header, 1200)
    assert not verify("another", b"{}", header, 1200)
    assert not verify("secret", b"{}", header, 1400)
    assert not verify("secret", b"{}", header.replace("t=1000", "t=1200"), 1200)
    assert not any(verify("secret", b"{}", wrong, 1000) for wrong in ("", "t=1000", "t=x,v1=y", "v1=,t=1000,é=1"))
