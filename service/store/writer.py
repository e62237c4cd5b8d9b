"""The one thread that writes: many writes become one transaction; a full disk degrades it and never ends it."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from service.store.files import primary_code

T = TypeVar("T")
Apply = Callable[[sqlite3.Connection], T]

_BATCH_ROWS = 10_000  # rows in a transaction, about: what is acknowledged together
_STUCK_S = 5.0
_ENVIRONMENT = frozenset(
    [
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    ]
)
"""Errors that say nothing about the write they struck: the whole transaction waits for better times."""

log = logging.getLogger(__name__)


class StoreUnavailable(Exception):
    """Nothing can be written or read at the moment; the message says why. Later it may work."""


class _Write:
    """A write on its way. Its future is done once the outcome is known, which for a kept one may be before it is."""

    __slots__ = ("apply", "future", "kept", "outcome", "rows")

    def __init__(self, apply: Apply[Any], rows: int, *, kept: bool) -> None:
        self.apply = apply
        self.rows = rows
        self.kept = kept
        self.future: Future[Any] = Future()
        self.future.set_running_or_notify_cancel()  # from here on nobody can cancel it: it is written anyway
        self.outcome: Any = None

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)

    def answer(self) -> None:
        if isinstance(self.outcome, Exception):
            if self.kept:
                log.error("a write that was to be kept is not possible", exc_info=self.outcome)
            self.fail(self.outcome)
        elif not self.future.done():
            self.future.set_result(True if self.kept else self.outcome)


class Writer:
    """Runs writes in the order they came, in transactions as large as the queue is long.

    While the disk is full (or the file locked for long, or damaged) the writer is degraded: it tries again every
    `retry_s`. What was to be kept is answered with False and waits in memory; other writes fail at once.

    Attributes:
        lost: rows that were to be kept and will never be written, because too many waited.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        probe: Apply[object],
        explain: Callable[[Exception], str],
        busy_s: float,
        retry_s: float,
        most_rows: int,
    ) -> None:
        """Starts the thread.

        Args:
            connect: opens the writing connection, in autocommit mode; called again after trouble.
            probe: a small write that shows whether writing works again.
            explain: turns the error of a transaction into the reason of the degraded state.
            busy_s: seconds to wait for another process that locks a file.
            retry_s: seconds between attempts while degraded.
            most_rows: that wait in memory, in the queue and for better times each.
        """
        self.lost = 0
        self._connect = connect
        self._probe = probe
        self._explain = explain
        self._busy_s = busy_s
        self._retry_s = retry_s
        self._most_rows = most_rows
        self._changed = threading.Condition()
        self._queue: deque[_Write] = deque()
        self._queued_rows = 0
        self._closing = False
        self._trouble = ""
        self._working_since: float | None = None
        self._waiting: deque[_Write] = deque()  # kept writes that failed, oldest first; the thread's own
        self._waiting_rows = 0
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def degraded(self) -> str:
        """Why nothing is written at the moment, "" while all is well."""
        since = self._working_since
        if not self._trouble and since is not None and time.monotonic() - since > _STUCK_S:
            return f"the disk has not answered for {time.monotonic() - since:.0f} s"
        return self._trouble

    @property
    def waiting(self) -> int:
        """Rows that were answered with False and will be written when writing works again."""
        return self._waiting_rows

    def submit(self, apply: Apply[T]) -> Future[T]:
        """Queues a write. The future gives what `apply` returned, after the commit.

        What `apply` raises fails only this write. The future raises `StoreUnavailable` while degraded.
        """
        return self._enqueue(_Write(apply, 1, kept=False))

    def keep(self, apply: Apply[object], rows: int) -> Future[bool]:
        """Queues a write that must not be lost. The future gives True after the commit, False if it has to wait."""
        return self._enqueue(_Write(apply, rows, kept=True))

    def close(self) -> None:
        """Writes what is queued, and ends the thread. More writes are refused."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _enqueue(self, write: _Write) -> Future[Any]:
        with self._changed:
            full = self._queued_rows + write.rows > self._most_rows and self._queue
            if not self._closing and not full:
                self._queue.append(write)
                self._queued_rows += write.rows
                self._changed.notify()
                return write.future
            if write.kept:
                self.lost += write.rows
        if write.kept:
            write.future.set_result(False)
        else:
            write.fail(
                StoreUnavailable("the store is closed" if self._closing else "too many writes wait for the disk")
            )
        return write.future

    def _run(self) -> None:
        retry_at = 0.0
        while True:
            writes, closing = self._take(retry_at if self._trouble else None)
            if self._trouble:
                self._set_aside(writes)
                if closing or time.monotonic() >= retry_at:
                    self._recover()
                    retry_at = time.monotonic() + self._retry_s
            elif writes and not self._commit(writes):
                self._set_aside(writes)
                retry_at = time.monotonic() + self._retry_s
            if closing and not self._queue:
                break
        if self._waiting:
            log.error("%d scores and events are lost: %s", self._waiting_rows, self._trouble)
        self._disconnect()

    def _take(self, until: float | None) -> tuple[list[_Write], bool]:
        """The next writes; waits for them, while degraded no longer than until the next attempt."""
        with self._changed:
            while not self._queue and not self._closing:
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            writes, rows = [], 0
            while self._queue and rows < _BATCH_ROWS:
                writes.append(self._queue.popleft())
                rows += writes[-1].rows
            self._queued_rows -= rows
            return writes, self._closing

    def _commit(self, writes: Sequence[_Write]) -> bool:
        """Writes all in one transaction, and answers them. False: not one of them is written, see `_trouble`."""
        self._working_since = time.monotonic()
        try:
            if self._connection is None:
                self._connection = self._connect()
            # while degraded, writes that come in are to be answered and not to wait for a lock too
            self._connection.execute(f"PRAGMA busy_timeout={0 if self._trouble else round(1000 * self._busy_s)}")
            self._connection.execute("BEGIN IMMEDIATE")
            for write in writes:
                self._apply(self._connection, write)
            self._connection.execute("COMMIT")
        except Exception as error:
            self._disconnect()
            self._degrade(self._explain(error))
            return False
        finally:
            self._working_since = None
        for write in writes:
            write.answer()
        return True

    def _apply(self, connection: sqlite3.Connection, write: _Write) -> None:
        connection.execute("SAVEPOINT one")
        try:
            write.outcome = write.apply(connection)
        except Exception as error:
            if isinstance(error, sqlite3.Error) and primary_code(error) in _ENVIRONMENT:
                raise
            write.outcome = error
            connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")

    def _set_aside(self, writes: Sequence[_Write]) -> None:
        for write in writes:
            if not write.kept:
                write.fail(StoreUnavailable(self._trouble))
                continue
            self._waiting.append(write)
            self._waiting_rows += write.rows
            if not write.future.done():
                write.future.set_result(False)
        while self._waiting_rows > self._most_rows:
            rows = self._waiting.popleft().rows
            self._waiting_rows -= rows
            with self._changed:
                self.lost += rows

    def _recover(self) -> None:
        """Tries to write what waits, oldest first; degraded until all of it is written."""
        if not self._commit([_Write(self._probe, 0, kept=True)]):
            return
        while self._waiting:
            writes, rows = [], 0
            while self._waiting and rows < _BATCH_ROWS:
                writes.append(self._waiting.popleft())
                rows += writes[-1].rows
            if not self._commit(writes):
                self._waiting.extendleft(reversed(writes))
                return
            self._waiting_rows -= rows
        self._trouble = ""
        log.warning("the store writes again; %d rows were lost since the start", self.lost)

    def _degrade(self, reason: str) -> None:
        if not self._trouble:
            log.error("the store cannot write: %s", reason)
        self._trouble = reason

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()  # an open transaction is rolled back
