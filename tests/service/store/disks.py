"""Disks and files that fail the store when they are told to."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MAIN, SCORES = "framewatch.sqlite3", "scores.sqlite3"


class Disk:
    """A disk that can be told to be full, or not to answer; gives the connections that notice.

    Attributes:
        asked: a commit has come to it.
    """

    def __init__(self) -> None:
        self.error: sqlite3.Error | None = None
        self.answers = threading.Event()
        self.answers.set()
        self.asked = threading.Event()

    def fill(self) -> None:
        self.error = sqlite3.OperationalError("database or disk is full")
        self.error.sqlite_errorcode = sqlite3.SQLITE_FULL

    def connect(self, folder: Path) -> sqlite3.Connection:
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
                if sql == "COMMIT":
                    disk.asked.set()
                    disk.answers.wait()
                    if disk.error is not None:
                        raise disk.error
                return super().execute(sql, *values)

        connection = sqlite3.connect(folder / MAIN, factory=Connection, isolation_level=None, check_same_thread=False)
        connection.execute("ATTACH ? AS history", (str(folder / SCORES),))
        return connection


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process holds the write lock of a file for the length of the block."""
    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE'); "
        "print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            process.stdin.close()
            process.wait()
