"""Camera URLs are read strictly, checked where they lead, and never shown with what lets one in."""

from __future__ import annotations

import socket
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.addresses import AddressError, AddressProblem, CameraUrl, parse_source, redact, resolve
from service.networks import Networks


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rtsp://10.0.0.5/live", CameraUrl("rtsp", "10.0.0.5", 554, "/live")),
        ("RTSP://Cam.Example:8554", CameraUrl("rtsp", "cam.example", 8554, "/")),
        ("rtsps://cam/a?b=1&c=%20", CameraUrl("rtsps", "cam", 322, "/a?b=1&c=%20")),
        ("http://[2001:db8::1]:81/x", CameraUrl("http", "2001:db8::1", 81, "/x")),
        ("https://cam_1.local/mjpg", CameraUrl("https", "cam_1.local", 443, "/mjpg")),
        ("http://me@cam/", CameraUrl("http", "cam", 80, "/", "me", "")),
        ("http://a:b:c@cam/", CameraUrl("http", "cam", 80, "/", "a", "b:c")),
        ("rtsp://a%40b:p%40s%2F%3A@cam/", CameraUrl("rtsp", "cam", 554, "/", "a@b", "p@s/:")),
        ("rtsp://10.0.0.5:554/user=admin_password=tl_channel=1", None),
        ("http://cam/a@b", CameraUrl("http", "cam", 80, "/a@b")),
        ("http://cam/axis-cgi/mjpg/video.cgi?fps=5", None),
    ],
)
def test_ordinary_urls_are_read(url: str, expected: CameraUrl | None) -> None:
    found = parse_source(url)
    assert expected is None or (found == expected and found.password == expected.password)


@pytest.mark.parametrize(
    ("url", "authority", "bare"),
    [
        ("rtsp://u:p@cam:554/x", "cam", "rtsp://cam/x"),
        ("http://u:p@cam:8080/x?y", "cam:8080", "http://cam:8080/x?y"),
        ("https://[2001:db8::1]/", "[2001:db8::1]", "https://[2001:db8::1]/"),
    ],
)
def test_what_is_sent_to_the_camera_has_no_login(url: str, authority: str, bare: str) -> None:
    found = parse_source(url)
    assert (found.authority, found.bare) == (authority, bare)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", AddressProblem.CHARACTER),
        ("cam", AddressProblem.SCHEME),
        ("0", AddressProblem.SCHEME),
        ("/dev/video0", AddressProblem.SCHEME),
        ("file:///etc/passwd", AddressProblem.SCHEME),
        ("rtmp://cam/x", AddressProblem.SCHEME),
        ("udp://@239.0.0.1:1234", AddressProblem.SCHEME),
        ("exec:ffmpeg", AddressProblem.SCHEME),
        ("concat:a", AddressProblem.SCHEME),
        ("rtsp:/cam/x", AddressProblem.SCHEME),
        ("http:cam", AddressProblem.SCHEME),
        ("subfile,,start,0,end,9,,:/etc/passwd", AddressProblem.SCHEME),
        ("rtspsrc location=rtsp://cam ! fakesink", AddressProblem.CHARACTER),
        ("rtsp://cam/a b", AddressProblem.CHARACTER),
        ("rtsp://cam/a\nb", AddressProblem.CHARACTER),
        ("rtsp://ca\tm/a", AddressProblem.CHARACTER),
        ("rtsp://cam/\0", AddressProblem.CHARACTER),
        ("http://cam\\@evil/", AddressProblem.CHARACTER),
        ("http://cam/ü", AddressProblem.CHARACTER),
        ("http://127。0。0。1/", AddressProblem.CHARACTER),
        ('http://cam/"', AddressProblem.CHARACTER),
        ("http://cam/x#@evil/", AddressProblem.CHARACTER),
        ("http://u:p#1@cam/", AddressProblem.CHARACTER),
        ("http://good@evil@cam/", AddressProblem.LOGIN),
        ("http://u:p@ss@cam/", AddressProblem.LOGIN),
        ("http://u:%ff@cam/", AddressProblem.LOGIN),
        ("http://u:pa/ss@cam/", AddressProblem.HOST),
        ("http:///x", AddressProblem.HOST),
        ("http://:80/x", AddressProblem.HOST),
        ("http://ca%6d/", AddressProblem.HOST),
        ("http://-cam/", AddressProblem.HOST),
        ("http://cam../", AddressProblem.HOST),
        (f"http://{'a' * 64}/", AddressProblem.HOST),
        ("http://[::1/", AddressProblem.HOST),
        ("http://[1:2]/", AddressProblem.HOST),
        ("http://[fe80::1%25eth0]/", AddressProblem.HOST),
        ("http://2130706433/", AddressProblem.HOST),
        ("http://0x7f000001/", AddressProblem.HOST),
        ("http://127.1/", AddressProblem.HOST),
        ("http://0177.0.0.1/", AddressProblem.HOST),
        ("http://cam:0/", AddressProblem.PORT),
        ("http://cam:65536/", AddressProblem.PORT),
        ("http://cam:80a/", AddressProblem.HOST),
        ("http://cam:/", AddressProblem.HOST),
        ("http://cam/img_%03d.jpg", AddressProblem.ESCAPE),
        ("http://cam/img_%d.jpg", AddressProblem.ESCAPE),
        ("http://cam/100%", AddressProblem.ESCAPE),
        ("http://cam/%0d%0aHost:evil", AddressProblem.ESCAPE),
        ("http://u:a%0Ab@cam/", AddressProblem.ESCAPE),
        ("http://cam/" + "a" * 2048, AddressProblem.LENGTH),
    ],
)
def test_anything_out_of_the_ordinary_is_refused(url: str, problem: AddressProblem) -> None:
    with pytest.raises(AddressError) as error:
        parse_source(url)
    assert error.value.problem is problem
    assert "evil" not in str(error.value) and "passwd" not in str(error.value)


@given(st.text(max_size=60))
@settings(max_examples=50)
def test_any_text_is_a_url_or_an_address_error(text: str) -> None:
    for url in (text, f"rtsp://{text}", f"http://cam/{text}"):
        try:
            parse_source(url)
        except AddressError:
            continue


FORBIDDEN = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "169.254.169.254",
    "169.254.0.7",
    "100.100.100.200",
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "240.0.0.1",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2".replace("3fff:fdd2", "80ff:fffe"),  # Teredo of 127.0.0.1
    "no address",
    "",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_addresses_of_this_machine_and_of_no_machine_are_forbidden(address: str) -> None:
    assert not Networks().allows(address)


@pytest.mark.parametrize("address", [a for a in FORBIDDEN if ":" not in a])
def test_a_network_of_everything_does_not_open_them(address: str) -> None:
    assert not Networks(["0.0.0.0/0", "::/0"]).allows(address)


@pytest.mark.parametrize(
    "address", ["192.168.1.20", "10.1.2.3", "172.16.0.9", "93.184.215.14", "2606:2800::1", "fd12::7"]
)
def test_cameras_of_private_and_public_networks_are_allowed(address: str) -> None:
    assert Networks().allows(address)
    assert Networks(["0.0.0.0/0", "::/0"]).allows(address)


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        (["10.0.0.0/8"], "10.9.9.9", True),
        (["10.0.0.0/8"], "192.168.1.20", False),
        (["10.0.0.0/8"], "fd12::7", False),
        (["127.0.0.0/8"], "127.0.0.1", True),
        (["127.0.0.1/32"], "127.0.0.1", True),
        (["127.0.0.1/32"], "127.0.0.2", False),
        (["::1/128"], "::1", True),
        (["169.254.0.0/16"], "169.254.7.7", True),
        (["169.254.0.0/16"], "169.254.169.254", False),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", False),
        (["::ffff:0:0/96", "10.0.0.0/8"], "::ffff:10.0.0.1", True),
    ],
)
def test_networks_of_the_operator(networks: list[str], address: str, allowed: bool) -> None:
    assert Networks(networks).allows(address) is allowed


@pytest.mark.parametrize("text", ["", "ten", "10.0.0.0/33", "10.0.0.1/8"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"IPv4|IPv6|host bits"):
        Networks([text])


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "rtsp://[::1]/", "http://169.254.169.254/latest/meta-data"])
def test_a_forbidden_address_in_the_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(AddressError) as error:
        parse_source(url, Networks())
    assert error.value.problem is AddressProblem.FORBIDDEN


def _names(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET6 if ":" in a else socket.AF_INET, 0, 0, "", (a, port)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_is_resolved_once_to_checked_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _names(monkeypatch, "10.0.0.7", "fd12::7")
    endpoints = resolve(parse_source("rtsp://cam/x"), Networks())
    assert [(end.family, end.address) for end in endpoints] == [
        (socket.AF_INET, ("10.0.0.7", 554)),
        (socket.AF_INET6, ("fd12::7", 554)),
    ]
    assert asked == ["cam"]


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["10.0.0.7", "127.0.0.1"], ["10.0.0.7", "::1"], []])
def test_one_forbidden_address_forbids_the_name(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
    _names(monkeypatch, *addresses)
    with pytest.raises(AddressError) as error:
        resolve(parse_source("http://rebind.example/"), Networks())
    assert error.value.problem is AddressProblem.FORBIDDEN
    assert "127" not in str(error.value) and "10.0" not in str(error.value)


def test_a_name_that_does_not_exist_is_unresolved(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(AddressError) as error:
        resolve(parse_source("http://gone.example/"), Networks())
    assert error.value.problem is AddressProblem.UNRESOLVED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtsp://admin:secret@cam/x", "rtsp://***@cam/x"),
        ("rtsp://admin:p@ss@cam/x", "rtsp://***@cam/x"),
        ("rtsp://admin:p/a@s/s@cam/x", "rtsp://***@cam/x"),
        ("rtsp://admin:p%40ss@cam/x", "rtsp://***@cam/x"),
        ("rtsp://admin@cam/x", "rtsp://***@cam/x"),
        ("rtsp%3A%2F%2Fadmin%3Asecret%40cam%2Fx", "rtsp%3A%2F%2F***%40cam%2Fx"),
        ("GET /v1?source=http://u:p@cam/x&y=1 200", "GET /v1?source=http://***@cam/x&y=1 200"),
        ("cannot open 'http://u:p@cam/x': why", "cannot open 'http://***@cam/x': why"),
        ("http://cam/x?user=a&pwd=b&channel=1", "http://cam/x?user=***&pwd=***&channel=1"),
        ("http://cam/x?access_token=abc;z=1", "http://cam/x?access_token=***;z=1"),
        ("rtsp://cam/user=admin_password=tl_channel=1", "rtsp://cam/user=***"),
        ("Authorization: Basic YWRtaW46c2VjcmV0", "Authorization: Basic ***"),
        ("sent Bearer abcdefghijklmnop", "sent Bearer ***"),
        ("http://cam/x?fps=5 is well", "http://cam/x?fps=5 is well"),
        ("a basic digest of the session", "a basic digest of the session"),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_texts_are_shown_without_what_lets_one_in(text: str, expected: str) -> None:
    assert redact(text) == expected


_PASSWORDS = st.text(
    st.characters(codec="ascii", categories=("L", "N", "P", "S"), exclude_characters='"<>'), min_size=1
)


@given(password=_PASSWORDS, how=st.sampled_from([str, lambda text: quote(text, safe=""), quote]))
def test_no_password_survives_however_it_is_written(password: str, how: object) -> None:
    assert callable(how)
    written = how(f"MARK{password}MARK")
    assert "MARK" not in redact(f"opening rtsp://admin:{written}@10.0.0.5:554/live, then more")


def test_a_parsed_url_never_shows_its_login() -> None:
    url = parse_source("rtsp://admin:hunter2@cam/live?token=hunter2")
    assert str(url) == "rtsp://cam/live?token=***"
    assert "hunter2" not in repr(url).replace("token=hunter2", "")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", ["a" * 10**6, "://" * 10**5, "pass" * 10**5, "a.b" * 10**5, "basic " * 10**5])
def test_redaction_of_long_texts_takes_no_time(text: str) -> None:
    redact(text)
