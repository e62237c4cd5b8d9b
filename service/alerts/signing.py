"""The signature of a message, by which its receiver knows who sent it, and when."""

from __future__ import annotations

import hashlib
import hmac

HEADER = "Framewatch-Signature"


def sign(secret: str, body: bytes, now: float) -> str:
    """The value of the header: HMAC-SHA256 over time and body.

    Args:
        secret: that both sides know.
        body: as it is sent.
        now: seconds since 1970.
    """
    moment = int(now)
    return f"t={moment},v1={_digest(secret, body, moment)}"


def verify(secret: str, body: bytes, header: str, now: float, *, tolerance: float = 300.0) -> bool:
    """Whether a message was signed with a secret, not long ago. For receivers.

    Args:
        secret: that both sides know.
        body: as it was received.
        header: value of `Framewatch-Signature`.
        now: seconds since 1970.
        tolerance: seconds that sending it may have taken; a replayed message is older.

    Example:
        >>> verify("secret", b"{}", sign("secret", b"{}", 1000.0), 1010.0)
        True
    """
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    moment = parts.get("t", "")
    if not moment.isdecimal() or abs(now - int(moment)) > tolerance:
        return False
    return hmac.compare_digest(_digest(secret, body, int(moment)).encode(), parts.get("v1", "").encode())


def _digest(secret: str, body: bytes, moment: int) -> str:
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
