"""What streams' cameras are judged against, in SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import numpy as np

from model.frames import REFERENCE_SIZE
from model.tampering import Reference


def put(connection: sqlite3.Connection, references: Mapping[str, Reference]) -> None:
    """Keeps streams' references, in the place of older ones; of a stream that is gone nothing is kept."""
    connection.executemany(
        "INSERT OR REPLACE INTO sentries (stream, picture, matched, longest_still) "
        "SELECT id, ?, ?, ? FROM streams WHERE id = ?",
        [(one.picture.tobytes(), one.matched, one.longest_still, stream) for stream, one in references.items()],
    )


def one(connection: sqlite3.Connection, stream: str) -> Reference | None:
    """A stream's reference; None: none is kept, or it is damaged."""
    row = connection.execute(
        "SELECT picture, matched, longest_still FROM sentries WHERE stream = ?", (stream,)
    ).fetchone()
    height, width = REFERENCE_SIZE
    if row is None or len(row[0]) != height * width:
        return None
    picture = np.frombuffer(row[0], np.uint8).reshape(height, width)
    return Reference(picture, bool(row[1]), row[2])


def delete(connection: sqlite3.Connection, stream: str) -> None:
    """Forgets a stream's reference."""
    connection.execute("DELETE FROM sentries WHERE stream = ?", (stream,))
