"""Reading beside the writer: a connection of one's own for the length of a query, kept for the next."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.store.files import primary_code
from service.store.writer import StoreUnavailable

_KEPT = 4


class Readers:
    """Connections for queries, one a thread at a time; never blocked by the writer."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Makes an empty pool; `connect` opens a connection in autocommit mode."""
        self._connect = connect
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for a short query. A long one would keep the writer from trimming its log: read in pages.

        Raises:
            StoreUnavailable: the pool is closed, or the files cannot be read.
        """
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            connection = self._idle.pop() if self._idle else None
        try:
            if connection is None:
                connection = self._connect()
                connection.execute("PRAGMA query_only=ON")
            yield connection
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            if primary_code(error) == sqlite3.SQLITE_ERROR:
                raise
            raise StoreUnavailable(f"cannot read the store: {error}") from error
        except BaseException:
            self._give_back(connection)
            raise
        self._give_back(connection)

    def close(self) -> None:
        """Closes what is idle; a query that is running ends first and closes its own."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _give_back(self, connection: sqlite3.Connection | None) -> None:
        if connection is None:
            return
        with self._lock:
            if not self._closed and len(self._idle) < _KEPT:
                self._idle.append(connection)
                return
        connection.close()
