"""Where a page of a list ends, as an opaque word for the client."""

from __future__ import annotations

import base64
import binascii
from typing import Literal

Kind = Literal["event", "job", "alert"]

_MOST = 2**63 - 1  # what SQLite takes for a number


class CursorError(ValueError):
    """A cursor that this service did not make, or made for another list."""


def encode(kind: Kind, key: int) -> str:
    """The cursor of what comes after `key` in a list."""
    return base64.urlsafe_b64encode(f"{kind}:{key}".encode()).decode().rstrip("=")


def decode(kind: Kind, cursor: str) -> int:
    """The key that a cursor was made of.

    Raises:
        CursorError: it is no cursor of such a list.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):  # UnicodeError too
        text = ""
    found, _, key = text.partition(":")
    if found != kind or not key.isdecimal() or encode(kind, int(key[:20])) != cursor or int(key) > _MOST:
        raise CursorError(f"cursor {cursor[:80]!r}: expected the `next` of an earlier page of {kind}s, unchanged")
    return int(key)
