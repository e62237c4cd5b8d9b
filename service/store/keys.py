"""API keys in SQL: for the service, and for the command line, which may run beside it."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from types import TracebackType

from service.records import KeyRecord
from service.store.files import MAIN, connect, explained, prepare
from service.store.table import Table


class KeyTable(Table):
    """Keys."""

    def put(self, key: KeyRecord) -> None:
        """Stores a key whose id is new."""
        self._write(partial(_put, key=key))

    def all(self) -> list[KeyRecord]:
        """All keys, revoked ones too; also those that the command line made a moment ago."""
        with self._readers.reading() as connection:
            return _every(connection)


class KeyFile:
    """The keys of a data folder, whether or not a service runs on it; a running one sees each change at once.

    Example:
        >>> with KeyFile(folder) as keys:  # doctest: +SKIP
        ...     keys.put(record)
    """

    def __init__(self, folder: Path) -> None:
        """Opens the folder's store; makes one where there is none.

        Raises:
            StoreError: it cannot be opened.
        """
        self._path = folder / MAIN
        with explained(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        prepare(folder, history=False)
        self._connection = connect(folder, history=False)

    def put(self, key: KeyRecord) -> None:
        """Stores a key.

        Raises:
            StoreError: its id is taken, or the file cannot be written.
        """
        with explained(self._path):
            _put(self._connection, key)

    def all(self) -> list[KeyRecord]:
        """All keys, revoked ones too, in the order they were made."""
        with explained(self._path):
            return _every(self._connection)

    def revoke(self, id: str, now: float) -> bool:
        """Ends a key for good, `now` seconds since 1970; whether there was a valid one."""
        with explained(self._path):
            ended = self._connection.execute("UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL", (now, id))
            return ended.rowcount > 0

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> KeyFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _put(connection: sqlite3.Connection, key: KeyRecord) -> None:
    connection.execute(
        "INSERT INTO keys (id, name, hash, scopes, created, revoked) VALUES (?, ?, ?, ?, ?, ?)",
        (key.id, key.name, key.hash, " ".join(key.scopes), key.created, key.revoked),
    )


def _every(connection: sqlite3.Connection) -> list[KeyRecord]:
    found = connection.execute("SELECT id, name, hash, scopes, created, revoked FROM keys ORDER BY created, id")
    return [
        KeyRecord(id, name, hash, tuple(scopes.split()), created, revoked)
        for id, name, hash, scopes, created, revoked in found
    ]
