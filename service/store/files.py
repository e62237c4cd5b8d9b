"""The two files of the store: their names, how they are opened, and what is said of one that cannot be."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from service.faults import InputError
from service.store.schema import HISTORY_STEPS, MAIN_STEPS, Newer, migrate, require_known

MAIN = "framewatch.sqlite3"
"""Streams, events, jobs, keys."""

HISTORY = "scores.sqlite3"
"""Scores, apart from all else: their size is the file's, and without the file only they are lost."""

BUSY_S = 5.0
"""Seconds to wait while another process locks a file."""

_CHECKED_BYTES = 64 * 1024 * 1024  # a file up to this size is checked at every start
_CHECKPOINT_PAGES = (
    4096  # a batch of hundreds of streams writes hundreds of pages: the default of 1000 means a sync each
)
_WAL_BYTES = 64 * 1024 * 1024
_DAMAGED = frozenset([sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB])


class StoreError(InputError):
    """The store cannot be opened; the message says why and what to do."""


def connect(folder: Path, *, history: bool = True) -> sqlite3.Connection:
    """A connection to the files of a store that exists, in autocommit mode, for use by one thread at a time.

    Args:
        folder: of the store.
        history: attach the scores, as `history`.
    """
    connection = sqlite3.connect(folder / MAIN, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        if history:
            connection.execute("ATTACH ? AS history", (str(folder / HISTORY),))
        for pragma in ("temp_store=MEMORY", f"wal_autocheckpoint={_CHECKPOINT_PAGES}"):
            connection.execute(f"PRAGMA {pragma}")
        for schema in ("main", "history") if history else ("main",):
            # WAL with synchronous=NORMAL: what is committed survives the process, a power cut may cost the last second.
            for pragma in ("synchronous=NORMAL", f"journal_size_limit={_WAL_BYTES}"):
                connection.execute(f"PRAGMA {schema}.{pragma}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(folder: Path, *, history: bool = True) -> None:
    """Makes the files where they are missing, readable for their owner only, and brings them to the present format.

    Raises:
        StoreError: damaged, of a newer version, locked or not writable.
    """
    files = [(MAIN, MAIN_STEPS), (HISTORY, HISTORY_STEPS)][: 1 + history]
    for name, steps in files:
        path = folder / name
        with explained(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as connection:
                version = require_known(connection, steps)
                if name == HISTORY and version == 0:
                    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # takes effect in an empty file only
                _check(connection, path)
                migrate(connection, steps)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns what SQLite says while a file is opened into a `StoreError` that says what to do."""
    try:
        yield
    except Newer as error:
        raise StoreError(
            f"{path} is of format {error.found}, this version knows up to {error.known}: "
            "update framewatch, or use another data folder"
        ) from None
    except sqlite3.Error as error:
        code = primary_code(error)
        if code in _DAMAGED:
            raise StoreError(damaged(path, error)) from None
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreError(
                f"{path} is locked by another process: close it (sqlite3, a backup?) and try again"
            ) from None
        raise StoreError(f"{path}: {error}: is its folder writable, and is there room on the disk?") from None
    except OSError as error:
        raise StoreError(f"{error.filename or path}: {error.strerror}") from None


def damaged(path: Path, error: object) -> str:
    """What to do about a damaged file."""
    inside = "all scores" if path.name == HISTORY else "streams, events, jobs and keys"
    return (
        f"{path} is damaged ({error}): stop framewatch, then put back a backup, or move {path.name}, "
        f"{path.name}-wal and {path.name}-shm away to begin anew without what is in it ({inside})"
    )


def trouble(folder: Path, error: Exception) -> str:
    """Why nothing can be written at the moment, and what to do, for the degraded state."""
    code = primary_code(error) if isinstance(error, sqlite3.Error) else None
    if code == sqlite3.SQLITE_FULL:
        return f"the disk of {folder} is full ({error}): make room"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"another process locks the files in {folder} ({error}): close it"
    if code in _DAMAGED:
        return f"a file in {folder} is damaged ({error}): stop framewatch; the next start says which, and what to do"
    return f"cannot write to {folder} ({error}): is there room on the disk, and is it writable?"


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its extension; SQLITE_ERROR where the error is not SQLite's own."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Keeps a second service off a folder, for the length of the block; the lock goes with the process.

    Raises:
        StoreError: another process has it, or the folder cannot be written.
    """
    path = folder / "lock"
    with explained(path):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(handle, 20).decode(errors="replace").strip() or "?"
            raise StoreError(
                f"{folder} is in use by another framewatch (process {owner}): stop it, or use another data folder"
            ) from None
        with suppress(OSError):  # the number is for people; a full disk must not keep it from the lock
            os.truncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Puts a file into WAL mode and looks for damage, in a large one only where it is read anyway."""
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"{path}: its file system cannot share memory between processes: use a folder on a local disk")
    if path.stat().st_size <= _CHECKED_BYTES:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise StoreError(damaged(path, " ".join(found.split())))
