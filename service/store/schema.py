"""The tables, and how an older file gets them: one step a version, `PRAGMA user_version` counts them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

Step = tuple[str, ...]

MAIN_STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, started REAL NOT NULL)",
        """CREATE TABLE streams (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, source TEXT, loop INTEGER NOT NULL, options TEXT NOT NULL,
            created REAL NOT NULL)""",
        # AUTOINCREMENT: the id of an event or job that was deleted never comes back
        """CREATE TABLE events (
            id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, epoch INTEGER NOT NULL, started REAL NOT NULL,
            first_seq INTEGER NOT NULL, peaked REAL NOT NULL, peak REAL NOT NULL, peak_seq INTEGER NOT NULL,
            peak_frame INTEGER NOT NULL, ended REAL, last_seq INTEGER, muted INTEGER NOT NULL, label TEXT,
            kind TEXT NOT NULL, reason TEXT NOT NULL, heat BLOB)""",
        "CREATE INDEX events_of_stream ON events (stream, id)",
        "CREATE INDEX open_events ON events (id) WHERE ended IS NULL",
        """CREATE TABLE jobs (
            key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, created REAL NOT NULL,
            started REAL, finished REAL, progress REAL NOT NULL, frames INTEGER NOT NULL, files TEXT NOT NULL,
            options TEXT NOT NULL, error TEXT NOT NULL)""",
        """CREATE TABLE job_clips (
            job INTEGER NOT NULL, name BLOB NOT NULL, clip INTEGER NOT NULL, PRIMARY KEY (job, name)) WITHOUT ROWID""",
        """CREATE TABLE job_rows (
            job INTEGER NOT NULL, n INTEGER NOT NULL, clip INTEGER NOT NULL, frame INTEGER NOT NULL, time REAL NOT NULL,
            raw REAL, score REAL, smoothed REAL, state INTEGER NOT NULL, reason TEXT NOT NULL,
            PRIMARY KEY (job, n)) WITHOUT ROWID""",
        """CREATE TABLE keys (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL, scopes TEXT NOT NULL, created REAL NOT NULL,
            revoked REAL)""",
    ),
    (
        "CREATE TABLE sessions (hash TEXT PRIMARY KEY, key TEXT NOT NULL, created REAL NOT NULL, ends REAL NOT NULL)",
        # what was made for a request that may be sent again, by the client's name for it
        """CREATE TABLE requests (
            caller TEXT NOT NULL, route TEXT NOT NULL, name TEXT NOT NULL, content TEXT NOT NULL, made TEXT NOT NULL,
            created REAL NOT NULL, PRIMARY KEY (caller, route, name)) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE event_files (
            event INTEGER PRIMARY KEY, stream TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, began REAL,
            ended REAL, bytes INTEGER NOT NULL, snapshot INTEGER NOT NULL, heatmap INTEGER NOT NULL,
            noted REAL NOT NULL)""",
        "CREATE INDEX event_files_kept ON event_files (event) WHERE bytes > 0",
        "CREATE INDEX event_files_waiting ON event_files (event) WHERE state = 'waiting'",
        """CREATE TABLE webhooks (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, url TEXT NOT NULL, secret TEXT NOT NULL, streams TEXT NOT NULL,
            kinds TEXT NOT NULL, enabled INTEGER NOT NULL, created REAL NOT NULL)""",
        """CREATE TABLE alerts (
            id INTEGER PRIMARY KEY AUTOINCREMENT, webhook TEXT NOT NULL, event INTEGER, stream TEXT, type TEXT NOT NULL,
            key TEXT NOT NULL, facts TEXT NOT NULL, created REAL NOT NULL, state TEXT NOT NULL,
            attempts INTEGER NOT NULL, due REAL NOT NULL, since REAL NOT NULL, error TEXT NOT NULL,
            UNIQUE (webhook, event, type))""",
        "CREATE INDEX alerts_waiting ON alerts (webhook, due) WHERE state = 'waiting'",
        "CREATE INDEX alerts_by_state ON alerts (state, id)",
    ),
    (
        # what each stream's camera is judged against: a small grey picture
        """CREATE TABLE sentries (
            stream TEXT PRIMARY KEY, picture BLOB NOT NULL, matched INTEGER NOT NULL,
            longest_still REAL NOT NULL) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE learnings (
            key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, stream TEXT NOT NULL, state TEXT NOT NULL,
            minutes REAL NOT NULL, created REAL NOT NULL, finished REAL, progress REAL NOT NULL, detail TEXT NOT NULL,
            recorded REAL NOT NULL, model TEXT, report TEXT)""",
    ),
)

HISTORY_STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, started REAL NOT NULL)",
        # a stream's scores of all runs; `stream` is NULL when they were purged and wait for their removal
        "CREATE TABLE series (id INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT UNIQUE)",
        # clustered by stream and time: a replay reads neighbours, retention empties whole pages
        """CREATE TABLE scores (
            series INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, frame INTEGER NOT NULL,
            pts REAL NOT NULL, captured REAL NOT NULL, scored REAL NOT NULL, raw REAL, score REAL, smoothed REAL,
            threshold REAL NOT NULL, state INTEGER NOT NULL, dropped INTEGER NOT NULL, reason TEXT NOT NULL,
            PRIMARY KEY (series, epoch, seq)) WITHOUT ROWID""",
    ),
    ("ALTER TABLE scores ADD COLUMN reliable INTEGER NOT NULL DEFAULT 1",),
)


class Newer(Exception):
    """A file of a version that this program does not know yet."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(f"format {found}, known up to {known}")
        self.found = found
        self.known = known


def require_known(connection: sqlite3.Connection, steps: Sequence[Step]) -> int:
    """The version of a file.

    Raises:
        Newer: it is above the number of steps.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(steps):
        raise Newer(version, len(steps))
    return int(version)


def migrate(connection: sqlite3.Connection, steps: Sequence[Step]) -> None:
    """Takes the steps that a file has not taken yet, each whole or not at all.

    Args:
        connection: in autocommit mode.
        steps: statements from version n to n + 1, from an empty file on.

    Raises:
        Newer: the file has taken more steps than there are; it is left as it is.
    """
    version = require_known(connection, steps)
    for number, statements in enumerate(steps[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has ended it already
                connection.execute("ROLLBACK")
            raise
