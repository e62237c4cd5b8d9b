"""Jobs and their tables of scores in SQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any, get_args

from model.tables import Row
from service.records import Job, JobState
from service.store import cursors
from service.store.scores import STATE_NUMBER, STATES
from service.store.table import Table

_COLUMNS = "id, state, created, files, options, started, finished, progress, frames, error"
_PAGE = 5_000  # rows of a table read or removed at a time


class JobTable(Table):
    """Jobs and their tables of scores."""

    def put(self, job: Job) -> None:
        """Stores a job, or what changed of it."""
        self._write(partial(put, job=job))

    def one(self, id: str) -> Job | None:
        """A job by its id."""
        with self._readers.reading() as connection:
            return one(connection, id)

    def page(
        self, cursor: str | None = None, limit: int = 50, states: Collection[JobState] = get_args(JobState)
    ) -> tuple[list[Job], str | None]:
        """Jobs in one of the states, newest first, and the cursor of the next page if there is one.

        Raises:
            CursorError: the cursor is none of jobs.
        """
        with self._readers.reading() as connection:
            return page(connection, cursor=cursor, limit=limit, states=states)

    def delete(self, id: str) -> bool:
        """Removes a job and its scores; whether there was one."""
        return bool(self._write(partial(delete, id=id)))

    def put_rows(self, id: str, rows: Sequence[Row]) -> None:
        """Adds to the end of a job's table.

        Raises:
            KeyError: there is no such job.
        """
        self._write(partial(add_rows, id=id, rows=tuple(rows)))

    def rows(self, id: str) -> Iterator[Row]:
        """A job's table in order, read in pages: its length and its reader's speed do not matter."""
        last = 0
        while True:
            with self._readers.reading() as connection:
                found = rows_after(connection, id, last, _PAGE)
            if not found:
                return
            yield from (row for _, row in found)
            last = found[-1][0]

    def clear_rows(self, id: str) -> None:
        """Empties a job's table, to begin the job anew.

        Raises:
            KeyError: there is no such job.
        """
        while self._write(partial(clear_rows, id=id, limit=_PAGE)):
            pass


def put(connection: sqlite3.Connection, job: Job) -> None:
    """Stores a job, or what changed of it; its place in the list stays."""
    changed = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS.split(", ")[1:])
    connection.execute(
        f"INSERT INTO jobs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
        f"ON CONFLICT (id) DO UPDATE SET {changed}",
        (
            *(job.id, job.state, job.created, json.dumps(job.files), json.dumps(job.options), job.started),
            *(job.finished, job.progress, job.frames, job.error),
        ),
    )


def one(connection: sqlite3.Connection, id: str) -> Job | None:
    """A job by its id."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (id,)).fetchone()  # noqa: S608
    return None if row is None else _job(row)


def page(
    connection: sqlite3.Connection, *, cursor: str | None, limit: int, states: Collection[JobState]
) -> tuple[list[Job], str | None]:
    """Jobs in one of the states, newest first, and the cursor of the next page if there is one.

    Raises:
        CursorError: the cursor is none of jobs.
    """
    found = connection.execute(
        f"SELECT key, {_COLUMNS} FROM jobs WHERE key < ? AND state IN ({', '.join('?' * len(states))}) "  # noqa: S608
        "ORDER BY key DESC LIMIT ?",
        (2**62 if cursor is None else cursors.decode("job", cursor), *states, limit + 1),
    ).fetchall()
    jobs = [_job(row[1:]) for row in found[:limit]]
    return jobs, cursors.encode("job", found[limit - 1][0]) if len(found) > limit else None


def delete(connection: sqlite3.Connection, id: str) -> bool:
    """Removes a job, and its scores from sight (`upkeep.sweep` removes them); whether there was one."""
    return connection.execute("DELETE FROM jobs WHERE id = ?", (id,)).rowcount > 0


def prune(connection: sqlite3.Connection, *, before: float, most: int, most_frames: int, limit: int) -> int:
    """Removes ended jobs, oldest first: those that ended before a moment, and those that are too many.

    Args:
        connection: the writer's.
        before: seconds since 1970.
        most: ended jobs that stay.
        most_frames: frames of them all together.
        limit: jobs that are removed at most.

    Returns:
        How many were removed.
    """
    found = connection.execute(
        "SELECT id FROM (SELECT id, key, finished, row_number() OVER newest AS place, sum(frames) OVER newest AS total "
        "FROM jobs WHERE state IN ('done', 'failed', 'cancelled') "
        "WINDOW newest AS (ORDER BY key DESC ROWS UNBOUNDED PRECEDING)) "
        "WHERE place > ? OR total > ? OR finished < ? ORDER BY key LIMIT ?",
        (most, most_frames, before, limit),
    ).fetchall()
    return sum(delete(connection, id) for (id,) in found)


def add_rows(connection: sqlite3.Connection, id: str, rows: Sequence[Row]) -> None:
    """Adds to a job's table, in order.

    Raises:
        KeyError: there is no such job.
    """
    key = _key(connection, id)
    connection.executemany(
        "INSERT OR IGNORE INTO job_clips (job, name, clip) "
        "VALUES (?, ?, (SELECT count(*) FROM job_clips WHERE job = ?))",
        [(key, _bytes(name), key) for name in dict.fromkeys(row.clip for row in rows)],
    )
    clips = {name: clip for clip, name in _clips(connection, key).items()}
    (last,) = connection.execute("SELECT coalesce(max(n), 0) FROM job_rows WHERE job = ?", (key,)).fetchone()
    connection.executemany(
        "INSERT INTO job_rows (job, n, clip, frame, time, raw, score, smoothed, state, reason) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(key, n, clips[row.clip], row.frame, row.time, row.raw, row.score, row.smoothed),
                *(STATE_NUMBER[row.state], row.reason),
            )
            for n, row in enumerate(rows, last + 1)
        ],
    )


def rows_after(connection: sqlite3.Connection, id: str, last: int, limit: int) -> list[tuple[int, Row]]:
    """Rows of a job's table with their numbers, in order, after number `last`."""
    key = connection.execute("SELECT key FROM jobs WHERE id = ?", (id,)).fetchone()
    if key is None:
        return []
    clips = _clips(connection, key[0])
    found = connection.execute(
        "SELECT n, clip, frame, time, raw, score, smoothed, state, reason FROM job_rows "
        "WHERE job = ? AND n > ? ORDER BY n LIMIT ?",
        (key[0], last, limit),
    )
    return [
        (n, Row(clips[clip], frame, time, raw, score, smoothed, STATES[state], reason))
        for n, clip, frame, time, raw, score, smoothed, state, reason in found
    ]


def clear_rows(connection: sqlite3.Connection, id: str, limit: int) -> int:
    """Empties a job's table from its end, at most `limit` rows; how many they were.

    Raises:
        KeyError: there is no such job.
    """
    key = _key(connection, id)
    return connection.execute(
        "DELETE FROM job_rows WHERE job = ? AND n IN (SELECT n FROM job_rows WHERE job = ? ORDER BY n DESC LIMIT ?)",
        (key, key, limit),
    ).rowcount


def _key(connection: sqlite3.Connection, id: str) -> int:
    row = connection.execute("SELECT key FROM jobs WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise KeyError(f"no job {id!r}")
    return int(row[0])


def _clips(connection: sqlite3.Connection, key: int) -> dict[int, str]:
    found = connection.execute("SELECT clip, name FROM job_clips WHERE job = ?", (key,))
    return {clip: name.decode(errors="surrogateescape") for clip, name in found}


def _bytes(name: str) -> bytes:
    """A file name may be no valid UTF-8, which SQLite refuses as text."""
    return name.encode(errors="surrogateescape")


def _job(row: Sequence[Any]) -> Job:
    id, state, created, files, options, started, finished, progress, frames, error = row
    return Job(
        *(id, state, created, tuple(json.loads(files)), json.loads(options), started, finished, progress, frames, error)
    )
