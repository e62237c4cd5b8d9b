"""What retention does in SQL, a chunk at a time: oldest scores first, and what was deleted but is still there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial

from service.store import jobs
from service.store.readers import Readers

_READ_AHEAD = 500


class Upkeep:
    """What retention does to a store. Everything that changes it is small, so that scores need not wait long."""

    def __init__(self, write: Callable[[Callable[[sqlite3.Connection], int]], int], readers: Readers) -> None:
        """Made by the store; `write` runs something in its writer thread and waits for the commit."""
        self._write = write
        self._readers = readers

    def score_bytes(self) -> tuple[int, int]:
        """Bytes of the scores' file that hold scores, and bytes that are free inside it."""
        with self._readers.reading() as connection:
            return used_bytes(connection)

    def oldest_score(self) -> float | None:
        """When the oldest score that may be deleted was scored, seconds since 1970."""
        with self._readers.reading() as connection:
            return oldest(connection)

    def delete_scores(self, before: float, limit: int) -> int:
        """Deletes scores that were scored before a moment, at most `limit`; how many.

        The newest of each stream stays: it tells where the stream's `seq` goes on.

        Raises:
            StoreUnavailable: nothing can be written at the moment.
        """
        return self._write(partial(delete_before, moment=before, limit=limit))

    def prune_jobs(self, *, before: float, most: int, most_frames: int, limit: int) -> int:
        """Removes ended jobs, see `jobs.prune`; how many.

        Raises:
            StoreUnavailable: nothing can be written at the moment.
        """
        return self._write(partial(jobs.prune, before=before, most=most, most_frames=most_frames, limit=limit))

    def sweep(self, limit: int) -> int:
        """Removes what purged streams and deleted jobs left, about `limit` rows; 0 when nothing is left.

        Raises:
            StoreUnavailable: nothing can be written at the moment.
        """
        return self._write(partial(sweep, limit=limit))

    def shrink(self, pages: int) -> int:
        """Gives free pages of the scores' file back to the file system; how many are free still.

        Raises:
            StoreUnavailable: nothing can be written at the moment.
        """
        return self._write(partial(shrink, pages=pages))


def used_bytes(connection: sqlite3.Connection) -> tuple[int, int]:
    """Bytes of the scores' file that hold scores, and bytes that are free inside it."""
    pages, free, size = (
        connection.execute(f"PRAGMA history.{name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size, free * size


def oldest(connection: sqlite3.Connection) -> float | None:
    """When the oldest score of all streams was scored, seconds since 1970."""
    heads = [_head(connection, series) for series in _series(connection)]
    return min((head for head in heads if head is not None), default=None)


def delete_before(connection: sqlite3.Connection, moment: float, limit: int) -> int:
    """Deletes scores that were scored before a moment, but of each stream not the newest one.

    It keeps the place where the stream's `seq` goes on. The server's clock counts, not the cameras'.

    Returns:
        How many were deleted, at most `limit`; fewer: there are no more.
    """
    deleted = 0
    for series in _series(connection):
        while deleted < limit:
            count = _delete_head(connection, series, moment, min(_READ_AHEAD, limit - deleted))
            deleted += count
            if count == 0:
                break
    return deleted


def sweep(connection: sqlite3.Connection, limit: int) -> int:
    """Removes rows of purged streams and of deleted jobs.

    Returns:
        How many rows were removed, at most `limit`; 0: there are no more.
    """
    for (series,) in connection.execute("SELECT id FROM history.series WHERE stream IS NULL LIMIT 1").fetchall():
        count = connection.execute(
            "DELETE FROM history.scores WHERE series = ? AND (epoch, seq) IN "
            "(SELECT epoch, seq FROM history.scores WHERE series = ? LIMIT ?)",
            (series, series, limit),
        ).rowcount
        if count == 0:
            connection.execute("DELETE FROM history.series WHERE id = ?", (series,))
            return 1
        return count
    for (job,) in connection.execute(
        "SELECT job FROM job_clips WHERE job NOT IN (SELECT key FROM jobs) LIMIT 1"
    ).fetchall():
        count = connection.execute(
            "DELETE FROM job_rows WHERE job = ? AND n IN (SELECT n FROM job_rows WHERE job = ? LIMIT ?)",
            (job, job, limit),
        ).rowcount
        if count == 0:
            return connection.execute("DELETE FROM job_clips WHERE job = ?", (job,)).rowcount
        return count
    return 0


def shrink(connection: sqlite3.Connection, pages: int) -> int:
    """Gives free pages of the scores' file back to the file system; how many are free still."""
    connection.execute(f"PRAGMA history.incremental_vacuum({pages})").fetchall()
    (free,) = connection.execute("PRAGMA history.freelist_count").fetchone()
    return int(free)


def _series(connection: sqlite3.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT id FROM history.series WHERE stream IS NOT NULL").fetchall()]


def _head(connection: sqlite3.Connection, series: int) -> float | None:
    """When a stream's oldest score was scored; None if it is the newest too, which stays."""
    found = connection.execute(
        "SELECT scored FROM history.scores WHERE series = ? ORDER BY epoch, seq LIMIT 2", (series,)
    ).fetchall()
    return None if len(found) < 2 else found[0][0]


def _delete_head(connection: sqlite3.Connection, series: int, moment: float, limit: int) -> int:
    """Deletes a stream's oldest scores up to the first that is not old: `scored` has no index to search it by."""
    head = _head(connection, series)
    if head is None or head >= moment:
        return 0
    found = connection.execute(
        "SELECT epoch, seq, scored FROM history.scores WHERE series = ? ORDER BY epoch, seq LIMIT ?",
        (series, limit + 1),
    ).fetchall()
    old = 1
    while old < len(found) - 1 and found[old][2] < moment:
        old += 1
    return connection.execute(
        "DELETE FROM history.scores WHERE series = ? AND (epoch, seq) <= (?, ?)", (series, *found[old - 1][:2])
    ).rowcount
