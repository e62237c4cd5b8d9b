"""How to log in to a camera: Basic and Digest (RFC 7617, 7616 and 2617), for HTTP and RTSP alike."""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Final

_HASHES: Final = {"SHA-256": "sha256", "MD5": "md5"}  # the stronger first
_FIELD = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


class Login:
    """A user and password, and what the camera last asked for."""

    def __init__(self, user: str, password: str, *, nonce: Callable[[], str] = lambda: secrets.token_hex(8)) -> None:
        """Makes it; `nonce` draws the client's part of a digest."""
        self._user, self._password = user, password
        self._nonce = nonce
        self._digest: dict[str, str] | None = None
        self._basic = False
        self._count = 0

    def challenge(self, asked: Sequence[str]) -> bool:
        """Take note of what the camera asks for.

        Args:
            asked: the values of its `WWW-Authenticate` fields.

        Returns:
            Whether it can be answered: False where it asks for something unknown, or again for what it just got.
        """
        digests = [dict(_fields(text)) for text in asked if text.lower().startswith("digest")]
        for name in _HASHES:
            for digest in digests:
                plain = digest.get("algorithm", "MD5").upper().removesuffix("-SESS")
                if plain == name and "nonce" in digest:
                    stale = digest.get("stale", "").lower() == "true"
                    known = self._digest is not None and not stale
                    self._digest, self._count = digest, 0
                    return not known
        if any(text.lower().startswith("basic") for text in asked):
            known, self._basic = self._basic, True
            return not known
        return False

    def answer(self, method: str, target: str) -> str | None:
        """The value of the `Authorization` field for a request; None before the camera has asked for one.

        Args:
            method: of the request.
            target: as the request line has it.
        """
        if self._digest is not None:
            return self._answer_digest(self._digest, method, target)
        if self._basic:
            return "Basic " + b64encode(f"{self._user}:{self._password}".encode()).decode()
        return None

    def _answer_digest(self, asked: dict[str, str], method: str, target: str) -> str:
        algorithm = asked.get("algorithm", "MD5")
        realm, nonce = asked.get("realm", ""), asked["nonce"]
        kind = _HASHES[algorithm.upper().removesuffix("-SESS")]

        def hashed(*parts: str) -> str:
            return hashlib.new(
                kind, ":".join(parts).encode("utf-8", "surrogateescape"), usedforsecurity=False
            ).hexdigest()

        self._count += 1
        count, ours = f"{self._count:08x}", self._nonce()
        who = hashed(self._user, realm, self._password)
        if algorithm.upper().endswith("-SESS"):
            who = hashed(who, nonce, ours)
        what = hashed(method, target)
        quoted = {"username": self._user, "realm": realm, "nonce": nonce, "uri": target}
        plain = {}
        if "auth" in re.split(r"[\s,]+", asked.get("qop", "")):
            quoted["response"] = hashed(who, nonce, count, ours, "auth", what)
            quoted["cnonce"] = ours
            plain = {"qop": "auth", "nc": count}
        else:
            quoted["response"] = hashed(who, nonce, what)
        if "opaque" in asked:
            quoted["opaque"] = asked["opaque"]
        if "algorithm" in asked:
            plain["algorithm"] = algorithm
        fields = [f'{name}="{_escape(value)}"' for name, value in quoted.items()]
        return "Digest " + ", ".join(fields + [f"{name}={value}" for name, value in plain.items()])


def _fields(text: str) -> list[tuple[str, str]]:
    found = (match.groups() for match in _FIELD.finditer(text))
    return [
        (name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare) for name, quoted, bare in found
    ]


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
