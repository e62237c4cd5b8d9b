"""RTSP cameras are read over the one connection that was checked, and fail in fixed words."""

from __future__ import annotations

from base64 import b64encode

import cv2
import numpy as np
import pytest

from model.pictures import Image
from service.addresses import parse_source
from service.readers.failures import ErrorClass, ReadError
from service.readers.pictures import Bad, Picture
from service.readers.protocol import ReadOptions
from service.readers.rtsp import RtspSource
from service.readers.session import Session
from tests.model.drawn import picture
from tests.service.readers.servers import (
    LOCAL,
    PATIENT,
    Connection,
    FakeCamera,
    Handler,
    RtspCamera,
    answering,
    nal_units,
    read_out,
    sdp,
    silent,
)

COUNT = 12
DRAWN = [cv2.cvtColor(picture(at), cv2.COLOR_BGR2GRAY).astype(int) for at in range(COUNT)]


@pytest.fixture(scope="module")
def units() -> list[list[bytes]]:
    return nal_units(COUNT)


def read(
    handler: Handler, options: ReadOptions = PATIENT, *, login: str = "", colour: bool = False
) -> tuple[list[Picture | Bad], ReadError, FakeCamera]:
    with FakeCamera(handler) as camera:
        url = parse_source(camera.url("/live?channel=1", scheme="rtsp", login=login))
        found, error = read_out(RtspSource(url, options, colour=colour))
    assert "127.0.0.1" not in str(error) and "\n" not in str(error)
    return found, error, camera


def hang_up(connection: Connection) -> None:
    return


def numbers(found: list[Picture | Bad]) -> list[int | None]:
    """Which of the drawn pictures each one is; None: a bad one."""

    def number(image: Image) -> int:
        return int(np.argmin([np.abs(image - drawn).mean() for drawn in DRAWN]))

    return [number(one.data) if isinstance(one, Picture) and not isinstance(one.data, bytes) else None for one in found]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_pictures_come_with_the_cameras_own_times(codec: str) -> None:
    handler = RtspCamera(nal_units(COUNT, codec), hevc=codec == "libx265", then=hang_up)
    found, error, camera = read(handler)
    assert numbers(found) == list(range(COUNT))
    times = [one.pts for one in found if isinstance(one, Picture)]
    assert times == pytest.approx([at / 25 for at in range(COUNT)])  # through a wrap of the 32 bits
    assert error.error_class is ErrorClass.CONNECTION
    methods = [request.partition(" ")[0] for request in camera.requests]
    assert methods[:4] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    base = f"rtsp://127.0.0.1:{camera.port}/live?channel=1"
    assert camera.requests[2].startswith(f"SETUP {base}/trackID=1 RTSP/1.0")
    assert "RTP/AVP/TCP;unicast;interleaved=0-1" in camera.requests[2]
    assert camera.requests[3].startswith(f"PLAY {base} RTSP/1.0") and "Session: 12345678" in camera.requests[3]


def test_luma_is_that_of_files_and_colour_can_be_kept(units: list[list[bytes]]) -> None:
    found, _, _ = read(RtspCamera(units[:1], then=hang_up), colour=True)
    (one,) = found
    assert isinstance(one, Picture) and not isinstance(one.data, bytes)
    assert one.data.shape == (64, 96, 3)
    assert np.abs(one.data.astype(int) - picture()).mean() < 12


def test_packets_may_come_on_another_channel(units: list[list[bytes]]) -> None:
    assert numbers(read(RtspCamera(units, channel=6, then=hang_up))[0]) == list(range(COUNT))


def test_lines_may_end_with_lf_alone(units: list[list[bytes]]) -> None:
    assert numbers(read(RtspCamera(units, line_end="\n", then=hang_up))[0]) == list(range(COUNT))


def test_parameter_sets_may_come_in_the_description_alone(units: list[list[bytes]]) -> None:
    sets = [unit for unit in units[0] if unit[0] & 0x1F in (7, 8)]
    without = [[unit for unit in one if unit[0] & 0x1F not in (7, 8)] for one in units]
    text = sdp(parameters=";sprop-parameter-sets=" + ",".join(b64encode(one).decode() for one in sets))
    assert len(sets) == 2
    assert numbers(read(RtspCamera(without, description=text, then=hang_up))[0]) == list(range(COUNT))


@pytest.mark.parametrize(
    ("base", "control", "setup"),
    [
        ("Content-Base: rtsp://cam/other/", "trackID=1", "rtsp://cam/other/trackID=1"),
        ("Content-Base: rtsp://cam/other", "track1", "rtsp://cam/other/track1"),
        ("Content-Location: rtsp://cam/other/", "/track1", "rtsp://cam/other/track1"),
        ("Content-Base: nonsense", "*", None),
        ("X: y", "rtsp://10.9.9.9:99/track1", "rtsp://10.9.9.9:99/track1"),
    ],
)
def test_the_camera_names_its_track_and_is_not_left_for_it(
    units: list[list[bytes]], base: str, control: str, setup: str | None
) -> None:
    handler = RtspCamera(units, description=sdp(control=control), fields={"DESCRIBE": base}, then=hang_up)
    found, _, camera = read(handler)
    assert numbers(found) == list(range(COUNT)) and camera.connections == 1
    expected = setup or f"rtsp://127.0.0.1:{camera.port}/live?channel=1"
    assert camera.requests[2].startswith(f"SETUP {expected} RTSP")


def test_before_the_first_whole_picture_nothing_is_bad(units: list[list[bytes]]) -> None:
    found, _, _ = read(RtspCamera(units[3:], then=hang_up))
    assert numbers(found) == [10, 11]


def test_after_a_loss_pictures_begin_anew_at_a_whole_one(units: list[list[bytes]]) -> None:
    handler = RtspCamera(units, spoil=lambda at, packet: None if at == 8 else packet, then=hang_up)
    found, _, _ = read(handler)
    seen = numbers(found)
    assert None in seen and seen[-2:] == [10, 11]
    lost = seen.index(None)
    assert seen[:lost] == list(range(lost)) and set(seen[lost:-2]) == {None}


def test_damaged_packets_are_borne(units: list[list[bytes]]) -> None:
    noise = np.random.default_rng(0)

    def spoil(at: int, packet: bytes) -> bytes | None:
        if at < 6 or at % 2:
            return packet
        data = bytearray(packet)
        for where in noise.integers(0, len(data), 8):
            data[where] = noise.integers(0, 256)
        return bytes(data)

    found, error, _ = read(RtspCamera(units * 3, spoil=spoil, then=hang_up))
    assert error.error_class is ErrorClass.CONNECTION
    assert all(isinstance(one, (Picture, Bad)) for one in found)


def test_the_size_may_change_on_the_way(units: list[list[bytes]]) -> None:
    handler = RtspCamera([*units, *nal_units(3, size=(128, 96))], then=hang_up)
    shapes = [
        one.data.shape for one in read(handler)[0] if isinstance(one, Picture) and not isinstance(one.data, bytes)
    ]
    assert (64, 96) in shapes and (96, 128) in shapes


def test_huge_pictures_are_not_decoded(units: list[list[bytes]]) -> None:
    found, error, _ = read(RtspCamera(units), ReadOptions(read_timeout=0.3, networks=LOCAL, pixels=6000))
    assert found == [] and error.error_class is ErrorClass.TIMEOUT


@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY"])
@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        ("401 Unauthorized", ErrorClass.AUTH),
        ("404 Stream Not Found", ErrorClass.NOT_FOUND),
        ("302 Moved", ErrorClass.REFUSED),
        ("461 Unsupported Transport", ErrorClass.CODEC),
        ("453 Not Enough Bandwidth", ErrorClass.CONNECTION),
    ],
)
def test_refusals_have_fixed_words(units: list[list[bytes]], method: str, status: str, error_class: ErrorClass) -> None:
    location = {method: "Location: rtsp://169.254.169.254/"}
    found, error, camera = read(RtspCamera(units, answers={method: status}, fields=location))
    assert found == [] and error.error_class is error_class
    assert error.permanent == (error_class is not ErrorClass.CONNECTION)
    assert camera.connections == 1


def test_a_camera_that_does_not_know_options_is_read(units: list[list[bytes]]) -> None:
    handler = RtspCamera(units, answers={"OPTIONS": "501 Not Implemented"}, then=hang_up)
    assert numbers(read(handler)[0]) == list(range(COUNT))


@pytest.mark.parametrize(
    ("handler", "error_class"),
    [
        (lambda connection: None, ErrorClass.CONNECTION),
        (lambda connection: connection.send(b"SSH-2.0-OpenSSH_9\r\n\r\n"), ErrorClass.CONNECTION),
        (lambda connection: connection.send(b"x" * 200_000), ErrorClass.CODEC),
        (answering("200 OK"), ErrorClass.CODEC),
        (answering("200 OK", "Content-Length: 999999999"), ErrorClass.CODEC),
        (RtspCamera([], description="v=0\r\n"), ErrorClass.CODEC),
        (RtspCamera([], description=sdp("JPEG")), ErrorClass.CODEC),
        (RtspCamera([], description=sdp(control="a b")), ErrorClass.CODEC),
        (RtspCamera([], then=hang_up), ErrorClass.CONNECTION),
    ],
)
def test_what_is_no_camera_is_a_failure(handler: Handler, error_class: ErrorClass) -> None:
    found, error, _ = read(handler)
    assert found == [] and error.error_class is error_class


@pytest.mark.parametrize("method", ["", "DESCRIBE", "PLAY"])
def test_a_camera_that_says_nothing_is_given_up_in_time(units: list[list[bytes]], method: str) -> None:
    def handler(connection: Connection) -> None:
        if method == "PLAY":
            RtspCamera(units)(connection)
        elif method:
            answering("200 OK", "Public: DESCRIBE")(connection) if connection.request() else None
        silent(connection)

    plays = method == "PLAY"  # all that it gives before comes in time
    options = ReadOptions(open_timeout=60.0 if plays else 0.4, read_timeout=2.0 if plays else 0.4, networks=LOCAL)
    found, error, _ = read(handler, options)
    assert error.error_class is ErrorClass.TIMEOUT
    assert len(found) == (COUNT if plays else 0)


def wants_digest(inner: Handler) -> Handler:
    """Asks for a digest once on a connection, then goes on if it got one."""

    def handler(connection: Connection) -> None:
        connection.request()
        connection.send(b'RTSP/1.0 401 No\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="x", nonce="abc"\r\n\r\n')
        inner(connection)

    return handler


def test_a_login_is_given_with_every_request_after_it_was_asked_for(units: list[list[bytes]]) -> None:
    found, _, camera = read(wants_digest(RtspCamera(units, then=hang_up)), login="admin:p%40ss@")
    assert numbers(found) == list(range(COUNT))
    assert "Authorization" not in camera.requests[0]
    assert all('Authorization: Digest username="admin", realm="x"' in request for request in camera.requests[1:])
    assert not any("p@ss" in request or "p%40ss" in request for request in camera.requests)


def test_a_session_is_kept_alive(units: list[list[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "_note_session", lambda self, answer: setattr(self, "_keep_alive", 0.0))

    def listen(connection: Connection) -> None:
        connection.request()
        connection.finish()

    found, _, camera = read(RtspCamera(units, fields={"OPTIONS": "Public: GET_PARAMETER"}, then=listen))
    assert numbers(found) == list(range(COUNT))
    assert camera.requests[4].startswith("GET_PARAMETER")


def test_answers_and_requests_between_the_packets_are_skipped(units: list[list[bytes]]) -> None:
    extra = (
        b"RTSP/1.0 200 OK\r\nCSeq: 9\r\nContent-Length: 5\r\n\r\nhello"
        b"OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 2\r\n\r\nhi\r\n"
    )

    def handler(connection: Connection) -> None:
        send = connection.send
        connection.send = lambda data: send(data + extra if data.startswith(b"$") else data)  # type: ignore[method-assign]
        RtspCamera(units, then=hang_up)(connection)

    assert numbers(read(handler)[0]) == list(range(COUNT))


def test_a_forbidden_address_is_not_connected_to(units: list[list[bytes]]) -> None:
    found, error, camera = read(RtspCamera(units), ReadOptions())
    assert error.error_class is ErrorClass.REFUSED and camera.connections == 0 and found == []
