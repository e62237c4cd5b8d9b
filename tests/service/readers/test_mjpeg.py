"""MJPEG cameras are read whatever they do, and what they did wrong is said in fixed words."""

from __future__ import annotations

import ssl
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from service.addresses import parse_source
from service.readers.failures import ErrorClass, ReadError
from service.readers.mjpeg import MjpegSource
from service.readers.pictures import Bad, Picture
from service.readers.protocol import ReadOptions
from tests.model.drawn import encoded
from tests.service.readers.servers import (
    HEAD,
    LOCAL,
    PATIENT,
    Connection,
    FakeCamera,
    Handler,
    answering,
    basic,
    mjpeg,
    part,
    read_out,
    silent,
)

PICTURES = [encoded(".jpg", at) for at in range(3)]
HUGE = b"\xff\xd8\xff\xe0" + bytes(300_000)


def read(url: str, options: ReadOptions = PATIENT) -> tuple[list[Picture | Bad], ReadError]:
    return read_out(MjpegSource(parse_source(url), options))


def data_of(found: list[Picture | Bad]) -> list[bytes | None]:
    return [bytes(one.data) if isinstance(one, Picture) else None for one in found]


def failure(handler: Handler, options: ReadOptions = PATIENT, login: str = "") -> ReadError:
    with FakeCamera(handler) as camera:
        found, error = read(camera.url(login=login), options)
    assert found == []
    assert "127.0.0.1" not in str(error) and "\n" not in str(error)
    return error


def body(data: bytes, head: bytes = HEAD) -> Handler:
    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(head + data)

    return handler


def test_pictures_come_as_they_were_sent_until_the_camera_hangs_up() -> None:
    with FakeCamera(mjpeg(PICTURES)) as camera:
        found, error = read(camera.url("/mjpg?fps=5"))
    assert data_of(found) == PICTURES
    assert (error.error_class, str(error)) == (ErrorClass.CONNECTION, "the camera ended the connection")
    assert camera.requests[0].startswith("GET /mjpg?fps=5 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{camera.port}\r\n" in camera.requests[0]
    assert "Authorization" not in camera.requests[0]


@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_chunks_are_put_together(size: int) -> None:
    data = b"".join(part(one) for one in PICTURES)
    chunks = b"".join(
        b"%x;x=y\r\n%b\r\n" % (len(data[at : at + size]), data[at : at + size]) for at in range(0, len(data), size)
    )
    head = HEAD.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: Chunked\r\n\r\n")
    with FakeCamera(body(chunks + b"0\r\n\r\n", head)) as camera:
        found, error = read(camera.url())
    assert data_of(found) == PICTURES
    assert str(error) == "the camera ended the stream"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("dripping", [False, True])
def test_lines_may_end_with_lf_alone(chunked: bool, dripping: bool) -> None:
    data = b"".join(part(one).replace(one, b"").replace(b"\r\n", b"\n") + one for one in PICTURES)
    head = HEAD.replace(b"\r\n", b"\n")
    if chunked:
        head = head.replace(b"\n\n", b"\nTransfer-Encoding: chunked\n\n")
        data = b"%x\n%b\n0\n\n" % (len(data), data)

    def handler(connection: Connection) -> None:
        connection.request()
        for at in range(len(head)) if dripping else ():
            connection.send(head[at : at + 1])
        connection.send(data if dripping else head + data)

    with FakeCamera(handler) as camera:
        found, error = read(camera.url())
    assert data_of(found) == PICTURES
    assert error.error_class is ErrorClass.CONNECTION


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"".join(part(one).replace(b"--frame", b"--other") for one in PICTURES), PICTURES),
        (b"".join(PICTURES), PICTURES),
        (part(PICTURES[0]) + part(PICTURES[1][:1000]) + part(PICTURES[2]), [PICTURES[0], None, PICTURES[2]]),
        (part(PICTURES[0]) + b"--frame\r\n\r\n<html>busy</html>" + part(PICTURES[2]), [PICTURES[0], PICTURES[2]]),
        (
            part(PICTURES[0]) + b"\xff\xd8\xff\xe0" + bytes(300_000) + part(PICTURES[2]),
            [PICTURES[0], None, PICTURES[2]],
        ),
    ],
    ids=["wrong boundary", "no boundary", "cut short", "text between", "too large"],
)
def test_what_is_wrong_with_a_stream_costs_what_is_wrong(data: bytes, expected: list[bytes | None]) -> None:
    with FakeCamera(body(data)) as camera:
        found, _ = read(camera.url())
    assert data_of(found) == expected


def test_pictures_of_any_size_come_up_to_the_limit() -> None:
    tiny = cv2.imencode(".jpg", np.zeros((1, 1, 3), np.uint8))[1].tobytes()
    other = cv2.imencode(".jpg", np.zeros((30, 40, 3), np.uint8))[1].tobytes()
    header = PICTURES[1].index(b"\0\x40\0\x60")
    bomb = PICTURES[1][:header] + (8192).to_bytes(2, "big") * 2 + PICTURES[1][header + 4 :]
    with FakeCamera(mjpeg([tiny, PICTURES[0], other, bomb, PICTURES[2]])) as camera:
        found, _ = read(camera.url())
    assert data_of(found) == [tiny, PICTURES[0], other, None, PICTURES[2]]
    assert found[3] == Bad("8192×8192 pixels are over the limit of 33554432")


@pytest.mark.parametrize(
    ("handler", "error_class", "says"),
    [
        (
            answering("401 Unauthorized", 'WWW-Authenticate: Basic realm="x"'),
            ErrorClass.AUTH,
            "another user or password",
        ),
        (answering("403 Forbidden"), ErrorClass.AUTH, "another user or password"),
        (answering("404 Not Found"), ErrorClass.NOT_FOUND, "no stream under this path"),
        (answering("503 Busy"), ErrorClass.CONNECTION, "cannot give its stream now"),
        (answering("302 Found", "Location: http://169.254.169.254/latest"), ErrorClass.REFUSED, "redirects"),
        (answering("307 Moved", "Location: /other"), ErrorClass.REFUSED, "redirects"),
        (answering("200 OK", "Content-Type: text/html"), ErrorClass.CODEC, "no MJPEG"),
        (answering("200 OK", "Content-Type: video/mp4"), ErrorClass.CODEC, "no MJPEG"),
        (answering("200 OK", "Content-Type: application/vnd.apple.mpegurl"), ErrorClass.CODEC, "no MJPEG"),
        (answering("200 OK", "Content-Type: image/jpeg"), ErrorClass.CODEC, "single picture"),
        (body(b"", b"SSH-2.0-OpenSSH_9\r\n\r\n"), ErrorClass.CONNECTION, "another protocol"),
        (body(b"", b"\r\n\r\n"), ErrorClass.CONNECTION, "another protocol"),
        (
            body(b"x" * 200_000, b""),
            ErrorClass.CODEC,
            "no end within 65536 bytes: its lines have to end with CRLF or LF",
        ),
        (body(b"x" * 200_000, b"HTTP/1.1 200 OK\rContent-Type: x\r\r"), ErrorClass.CODEC, "to end with CRLF or LF"),
        (body(b""), ErrorClass.CONNECTION, "ended the connection"),
        (lambda connection: None, ErrorClass.CONNECTION, "ended the connection"),
    ],
)
def test_failures_have_fixed_words(handler: Handler, error_class: ErrorClass, says: str) -> None:
    error = failure(handler)
    assert error.error_class is error_class and says in str(error)
    assert error.permanent == (error_class is not ErrorClass.CONNECTION)


def drip(connection: Connection) -> None:
    connection.request()
    while connection.on:
        connection.send(b"x")
        connection.wait(0.05)


@pytest.mark.parametrize(
    "handler",
    [silent, drip, body(HEAD, b""), body(HEAD + b"\xff\xd8\xff\xe0", b"")],
    ids=["silent", "drip", "head", "begin"],
)
def test_a_camera_that_does_not_go_on_is_given_up_in_time(handler: Handler) -> None:
    def and_wait(connection: Connection) -> None:
        handler(connection)
        silent(connection)

    error = failure(and_wait, ReadOptions(open_timeout=0.3, read_timeout=0.3, networks=LOCAL))
    assert error.error_class is ErrorClass.TIMEOUT and not error.permanent


def test_a_camera_that_stops_in_the_middle_is_given_up_in_time() -> None:
    def stops(connection: Connection) -> None:
        body(b"".join(part(one) for one in PICTURES))(connection)  # all at once: nothing comes late
        silent(connection)

    with FakeCamera(stops) as camera:
        found, error = read(camera.url(), replace(PATIENT, read_timeout=0.5))
    assert data_of(found) == PICTURES and error.error_class is ErrorClass.TIMEOUT


def wants_login(challenge: str, good: str) -> Handler:
    """Wants a login whose answer contains a text; a new connection for each try."""

    def handler(connection: Connection) -> None:
        if good in connection.request():
            connection.send(HEAD + part(PICTURES[0]))
        else:
            connection.send(f"HTTP/1.0 401 No\r\nWWW-Authenticate: {challenge}\r\n\r\n".encode())

    return handler


@pytest.mark.parametrize(
    ("challenge", "good"),
    [
        ('Basic realm="x"', basic("ad:min", "p@s/s")),
        ('Digest realm="x", nonce="abc", qop="auth"', 'username="ad:min", realm="x", nonce="abc", uri="/live"'),
    ],
)
def test_a_login_is_given_when_it_is_asked_for(challenge: str, good: str) -> None:
    with FakeCamera(wants_login(challenge, good)) as camera:
        found, error = read(camera.url(login="ad%3Amin:p%40s%2Fs@"))
    assert data_of(found) == [PICTURES[0]] and error.error_class is ErrorClass.CONNECTION
    assert "Authorization" not in camera.requests[0] and "p@s/s" not in str(error)


def test_a_wrong_password_is_tried_once() -> None:
    with FakeCamera(wants_login('Basic realm="x"', "never")) as camera:
        _, error = read(camera.url(login="u:p@"))
    assert error.error_class is ErrorClass.AUTH and camera.connections == 2


def test_an_address_that_is_forbidden_is_not_connected_to() -> None:
    with FakeCamera(mjpeg(PICTURES)) as camera:
        for networks in ((), ("10.0.0.0/8",)):
            _, error = read(camera.url(), ReadOptions(networks=networks))
            assert error.error_class is ErrorClass.REFUSED
    assert camera.connections == 0


def test_a_closed_port_is_no_connection() -> None:
    with FakeCamera(silent) as camera:
        pass
    _, error = read(camera.url())
    assert error.error_class is ErrorClass.CONNECTION and "refuses" in str(error)


def test_only_the_resolved_address_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves to another address the second time leads nowhere: there is no second time."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port))]

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    with FakeCamera(mjpeg(PICTURES)) as camera:
        found, _ = read(f"http://camera.example:{camera.port}/live")
    assert data_of(found) == PICTURES and asked == ["camera.example"]
    assert f"Host: camera.example:{camera.port}\r\n" in camera.requests[0]


@pytest.mark.parametrize("trusted", [True, False])
def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=camera", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *kind, *files, *subject], check=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with FakeCamera(mjpeg(PICTURES), tls=server) as camera:
        found, error = read(camera.url(scheme="https"))
    assert error.error_class is (ErrorClass.CONNECTION if trusted else ErrorClass.TLS)
    assert data_of(found) == (PICTURES if trusted else [])


def test_a_camera_without_tls_under_https_is_a_tls_failure() -> None:
    with FakeCamera(lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as camera:
        _, error = read(camera.url(scheme="https"))
    assert error.error_class is ErrorClass.TLS


def test_reading_can_be_interrupted_while_it_waits() -> None:
    with FakeCamera(mjpeg(PICTURES, interval=60)) as camera:
        source = MjpegSource(parse_source(camera.url()), PATIENT)
        pictures = source.pictures()
        next(pictures)
        timer = threading.Timer(0.1, source.interrupt)
        timer.start()
        with pytest.raises(ReadError, match="ended"):
            next(pictures)
        timer.join()


def test_reading_that_was_ended_before_it_began_does_not_begin() -> None:
    with FakeCamera(mjpeg(PICTURES)) as camera:
        source = MjpegSource(parse_source(camera.url()), PATIENT)
        source.interrupt()
        with pytest.raises(ReadError, match="ended"):
            next(source.pictures())
