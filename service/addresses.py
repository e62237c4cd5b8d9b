"""Camera URLs: parsed once and strictly, checked against the operator's networks when resolved, never shown in full."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote, urlsplit

from service.networks import Networks

PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""The schemes a camera URL may have, with their ports."""

ENCRYPTED: Final = frozenset(["rtsps", "https"])
MAX_URL = 2048


class AddressProblem(StrEnum):
    """What is wrong with a camera URL: the fixed codes that clients see."""

    LENGTH = "url_too_long"
    CHARACTER = "url_character"
    SCHEME = "url_scheme"
    HOST = "url_host"
    PORT = "url_port"
    LOGIN = "url_login"
    ESCAPE = "url_escape"
    UNRESOLVED = "host_unresolved"
    FORBIDDEN = "address_forbidden"


class AddressError(ValueError):
    """A camera URL that is not read from. The message never repeats the URL.

    Attributes:
        problem: the fixed code.
    """

    def __init__(self, problem: AddressProblem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class CameraUrl:
    """A camera URL in parts. Whoever connects uses these parts, so nobody parses the text a second time.

    Attributes:
        scheme: rtsp, rtsps, http or https.
        host: lower case; a name, or an address without brackets.
        port: the scheme's own where the URL gives none.
        target: path and query, as they were given; begins with `/`.
        user, password: decoded; None where the URL has no login.
    """

    scheme: str
    host: str
    port: int
    target: str
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """Host, and port where it is not the scheme's own, as the `Host` header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def encrypted(self) -> bool:
        """Whether the connection is TLS."""
        return self.scheme in ENCRYPTED

    @property
    def bare(self) -> str:
        """The URL without its login, as it is sent to the camera (an RTSP request names it in full)."""
        return f"{self.scheme}://{self.authority}{self.target}"

    def __str__(self) -> str:
        """For people: no login, and no secrets in path or query."""
        return _SECRET.sub(r"\1***", self.bare)


def parse_source(url: str, networks: Networks | None = None) -> CameraUrl:
    """Read a camera URL.

    Args:
        url: `rtsp://`, `rtsps://`, `http://` or `https://`, with or without `user:password@`, whose special
            characters are percent-encoded.
        networks: refuse an address in the URL that they do not allow. A name is checked when it is resolved.

    Raises:
        AddressError: anything out of the ordinary. It is refused and not mended: what two programs read differently
            is how checks are got around.
    """
    if len(url) > MAX_URL:
        raise AddressError(AddressProblem.LENGTH, f"the URL is longer than {MAX_URL} characters")
    if not re.fullmatch(r"[!-~]+", url) or set('\\"<>^`{|}') & set(url):
        raise AddressError(
            AddressProblem.CHARACTER,
            "the URL has a space, a control character, a quote, a backslash, a bracket or a letter beyond ASCII; "
            "percent-encode it",
        )
    scheme = url.partition(":")[0].lower()
    if scheme not in PORTS or not url[len(scheme) :].startswith("://"):
        raise AddressError(AddressProblem.SCHEME, f"a camera URL begins with {', '.join(f'{s}://' for s in PORTS)}")
    if "#" in url:
        raise AddressError(AddressProblem.CHARACTER, "the URL has a #; in a password write %23")
    _refuse_escapes(url)
    try:
        parts = urlsplit(url)
        login, at, host_and_port = parts.netloc.rpartition("@")
    except ValueError:
        raise AddressError(AddressProblem.HOST, "the host is not an address or a name") from None
    if "@" in login:
        raise AddressError(AddressProblem.LOGIN, "the URL has more than one @; in a password write %40")
    host, port = _host_and_port(host_and_port, PORTS[scheme])
    if networks is not None and _is_address(host) and not networks.allows(host):
        raise _forbidden()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not at:
        return CameraUrl(scheme, host, port, target)
    try:
        user, _, password = (unquote(part, errors="strict") for part in login.partition(":"))
    except UnicodeDecodeError:
        raise AddressError(AddressProblem.LOGIN, "the login is not percent-encoded UTF-8") from None
    return CameraUrl(scheme, host, port, target, user, password)


def _refuse_escapes(url: str) -> None:
    for found in re.finditer("%(.{0,2})", url):
        if not re.fullmatch("[0-9a-fA-F]{2}", found[1]):
            raise AddressError(AddressProblem.ESCAPE, "the URL has a % without two hexadecimal digits; write %25")
        if int(found[1], 16) < 32 or found[1].lower() == "7f":
            raise AddressError(AddressProblem.ESCAPE, "the URL has an escaped control character")


_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # 127.1, 0x7f.1 and 2130706433 are addresses to some programs


def _host_and_port(text: str, default: int) -> tuple[str, int]:
    found = re.fullmatch(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?", text)
    if found is None:
        raise AddressError(
            AddressProblem.HOST, "the URL has no plain host[:port]; in a login percent-encode / : ? and @"
        )
    host, port = found["host"].lower(), int(found["port"] or default)
    if not 1 <= port <= 65535:
        raise AddressError(AddressProblem.PORT, "the port is not between 1 and 65535")
    if host.startswith("["):
        host = host[1:-1]
        if not _is_address(host):
            raise AddressError(AddressProblem.HOST, "the host in brackets is not an IPv6 address")
    elif len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise AddressError(AddressProblem.HOST, "the host is not an address or a name")
    elif _NUMBER.fullmatch(host.rpartition(".")[2]) and not _is_address(host):
        raise AddressError(AddressProblem.HOST, "the host is a number, but not an IPv4 address of four decimal parts")
    return host, port


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _forbidden() -> AddressError:
    return AddressError(
        AddressProblem.FORBIDDEN,
        "cameras may not have this address; the operator lists the networks they may be in (camera_networks)",
    )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A checked address to connect to, as it is: no name is looked up again.

    Attributes:
        family: AF_INET or AF_INET6.
        address: what `socket.connect` takes.
    """

    family: socket.AddressFamily
    address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


def resolve(url: CameraUrl, networks: Networks) -> list[Endpoint]:
    """Look up the host, once, and check every address it has.

    Blocks for as long as the name server takes.

    Raises:
        AddressError: no such name; or one of its addresses is not allowed (then none is used: a name with an inner
            and an outer address is how checks are got around).
    """
    try:
        found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressError(AddressProblem.UNRESOLVED, "the camera's host name cannot be resolved") from None
    if not found or not all(networks.allows(str(entry[4][0])) for entry in found):
        raise _forbidden()
    return [Endpoint(family, address) for family, _, _, _, address in found]


_WORD = re.compile(r"[^\s\"<>]+")
_SCHEME_END = re.compile(r"(?i)://|%3a%2f%2f")
_LOGIN_END = re.compile("@|%40")
_SECRET = re.compile(
    r"(?i)((?:pass|pwd|psw|token|key|secret|auth|sign|session|sid|cred|login|user|usr|account)[a-z0-9_.%-]{0,40}?"
    r"(?:=|%3d))[^\s&;,\"'<>]+"
)
_HEADER = re.compile(r"(?i)(\bauthorization\W{1,4}\w+ |\b(?:basic|bearer) +(?=[\w+/=.~-]{12}))[^\r\n]+")


def redact(text: str) -> str:
    """A URL, or a text with URLs in it, without what lets one in.

    Everything between `://` and the last `@` of a word goes, so that a password with `@` or `/` in it does not
    show; so do values named like a secret in path or query, and what an `Authorization` header carries. It rather
    hides a harmless word than shows a secret.

    Example:
        >>> redact("rtsp://admin:p@ss/1@10.0.0.5/live?user=admin&pwd=x&channel=1")
        'rtsp://***@10.0.0.5/live?user=***&pwd=***&channel=1'
    """
    return _HEADER.sub(r"\1***", _WORD.sub(lambda word: _redact_word(word[0]), text))


def _redact_word(word: str) -> str:
    begin = _SCHEME_END.search(word)
    ends = list(_LOGIN_END.finditer(word, begin.end())) if begin else []
    if begin and ends:
        word = f"{word[: begin.end()]}***{word[ends[-1].start() :]}"
    return _SECRET.sub(r"\1***", word)
