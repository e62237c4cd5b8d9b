"""How the values of settings are read from text, and what is wrong with those that cannot be."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ByteSize, TypeAdapter

_SIZE = TypeAdapter(ByteSize)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def size(value: object) -> object:
    """Bytes: a number, or a number with a unit (`5GB`, `512 MiB`)."""
    if not isinstance(value, str):
        return value
    try:
        return int(_SIZE.validate_python(value))
    except ValueError:
        raise ValueError("expected bytes, such as 5000000000, 5GB or 512MiB") from None


def words(value: object) -> object:
    """Several values: a list, or text with commas between them."""
    texts = value.split(",") if isinstance(value, str) else value
    if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
        raise ValueError("expected a list of texts")
    return tuple(text.strip() for text in texts if text.strip())


def named(value: object) -> object:
    """Local sources by name: a table, or `NAME=WHERE` texts. A whole number is a webcam, all else a path."""
    if isinstance(value, str | list | tuple):
        found = {}
        for text in words(value):  # type: ignore[attr-defined]
            name, equals, where = text.partition("=")
            if not equals:
                raise ValueError(f"{name[:20]!r}: expected NAME=WHERE, such as door=0 or yard=/srv/yard.mp4")
            found[name.strip()] = where.strip()
        value = found
    if not isinstance(value, dict):
        raise ValueError("expected names with a webcam's number or a path each")
    return {_source_name(name): _where(name, where) for name, where in value.items()}


def check_cidrs(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Networks in CIDR notation.

    Raises:
        ValueError: one is none; says which.
    """
    for text in texts:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise ValueError(f"{error}; expected a network such as 192.168.0.0/16") from None
    return texts


def check_origins(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Origins as browsers send them, without a path.

    Raises:
        ValueError: one is none; says which.
    """
    for text in texts:
        try:
            parts = urlsplit(text)
            good = parts.scheme in ("http", "https") and parts.hostname and f"{parts.scheme}://{parts.netloc}" == text
        except ValueError:
            good = False
        if not good or "@" in text:
            raise ValueError(f"{text!r}: expected an origin such as https://monitor.example:8443, without a path")
    return texts


def check_url(text: str) -> str:
    """A web address without a slash at its end; "" stays.

    Raises:
        ValueError: it is none, or has a login, query or fragment.
    """
    if not text:
        return text
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or not re.fullmatch(r"[!-~]+", text) or set('@?#"<>\\') & set(text):
        raise ValueError("expected an address such as https://monitor.example/cameras")
    return text.rstrip("/")


def check_topic(text: str) -> str:
    """The first part of MQTT topics; "" stays.

    Raises:
        ValueError: it is none, or has a wildcard.
    """
    if not re.fullmatch(r"([A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)?", text):
        raise ValueError("expected letters, digits, '_' and '-', with slashes between them")
    return text


def check_port(value: object) -> object:
    """Names the surprise that a Kubernetes service called `framewatch` is."""
    if isinstance(value, str) and value.startswith("tcp://"):
        raise ValueError(
            "Kubernetes sets this for a service named framewatch: set enableServiceLinks: false, or give --port"
        )
    return value


def check_root_path(text: str) -> str:
    """A path without a slash at its end; `/` is "".

    Raises:
        ValueError: it does not begin with a slash, or is no plain path.
    """
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", text):
        raise ValueError("expected a path such as /cameras")
    return text.rstrip("/")


def _source_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"source name {name!r}: expected letters, digits, '.', '_' and '-', at most 64")
    return name


def _where(name: str, where: object) -> int | Path:
    """What a name stands for. Messages do not repeat it: somebody's URL may have a password in it."""
    expected = f"source {name}: expected a webcam's number or a path"
    if isinstance(where, str) and "://" in where:
        raise ValueError(f"{expected}; a camera with a URL is added as a stream")
    if isinstance(where, Path) or (isinstance(where, str) and where and not where.isdecimal()):
        return Path(where).expanduser()
    if isinstance(where, bool) or not isinstance(where, int | str) or where == "" or not 0 <= int(where) < 1000:
        raise ValueError(expected)
    return int(where)
