"""A file is brought to the newest format step by step."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from service.store.schema import Newer, migrate


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    yield opened
    opened.close()


def columns(connection: sqlite3.Connection) -> list[str]:
    return [row[1] for row in connection.execute("PRAGMA table_info(things)")]


FIRST, SECOND = ("CREATE TABLE things (a)",), ("ALTER TABLE things ADD COLUMN b", "UPDATE things SET b = 2 * a")


def test_a_migration_takes_only_the_steps_that_are_missing(connection: sqlite3.Connection) -> None:
    migrate(connection, [FIRST])
    connection.execute("INSERT INTO things VALUES (21)")
    migrate(connection, [FIRST, SECOND])
    migrate(connection, [FIRST, SECOND])
    assert connection.execute("SELECT a, b FROM things").fetchall() == [(21, 42)]
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_step_that_fails_leaves_the_file_as_it_was(connection: sqlite3.Connection) -> None:
    migrate(connection, [FIRST])
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, [FIRST, (SECOND[0], "NONSENSE")])
    assert columns(connection) == ["a"]
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_newer_file_takes_no_steps(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA user_version = 3")
    with pytest.raises(Newer):
        migrate(connection, [FIRST, SECOND])
    assert columns(connection) == []
