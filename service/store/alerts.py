"""Webhooks, and the messages on their way to them, in SQL: a message is stored in the transaction of its event."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, TypeVar

from service.alerts.records import Alert, AlertState, Webhook
from service.messages import event_facts
from service.records import Event
from service.store import cursors
from service.store.table import Table

T = TypeVar("T")
OPENED, CLOSED = "event.opened", "event.closed"

_COLUMNS = "id, webhook, event, type, key, facts, created, state, attempts, due, since, error"


class Outbox(Table):
    """Webhooks and their messages."""

    def put_webhook(self, webhook: Webhook) -> None:
        """Stores a webhook, in the place of one with the same id."""
        self._write(partial(put_webhook, webhook=webhook))

    def delete_webhook(self, id: str) -> bool:
        """Removes a webhook with all its messages; whether there was one."""
        return bool(self._write(partial(delete_webhook, id=id)))

    def webhooks(self) -> list[Webhook]:
        """All webhooks, in the order they were made."""
        with self._readers.reading() as connection:
            return webhooks(connection)

    def webhook(self, id: str) -> Webhook | None:
        """A webhook by its id."""
        return next((one for one in self.webhooks() if one.id == id), None)

    def next(self, webhook: str, now: float) -> Alert | None:
        """The message to a webhook that is to be sent now: of those that are due, the one tried least often.

        A message about the end of an event waits until the one about its begin has arrived or is given up.
        """
        with self._readers.reading() as connection:
            return _first(connection, webhook, "a.due <= ?", "a.attempts, a.id", now)

    def next_due(self, webhook: str) -> float | None:
        """When the next message to a webhook is due; None: none waits."""
        with self._readers.reading() as connection:
            found = _first(connection, webhook, "TRUE", "a.due")
        return None if found is None else found.due

    def settle(self, alert: Alert) -> None:
        """Stores what became of an attempt. A message that is gone meanwhile stays gone."""
        self._write(partial(settle, alert=alert))

    def alert(self, id: int) -> Alert | None:
        """A message by its id."""
        with self._readers.reading() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM alerts WHERE id = ?", (id,)).fetchone()  # noqa: S608
        return None if row is None else _alert(row)

    def alerts(self, state: AlertState | None, cursor: str | None, limit: int) -> tuple[list[Alert], str | None]:
        """Messages, newest first, and the cursor of the next page if there is one.

        Raises:
            CursorError: the cursor is none of alerts.
        """
        condition, values = "id < ?", [2**62 if cursor is None else cursors.decode("alert", cursor)]
        given: list[object] = [*values, *([] if state is None else [state]), limit + 1]
        condition += "" if state is None else " AND state = ?"
        with self._readers.reading() as connection:
            found = connection.execute(
                f"SELECT {_COLUMNS} FROM alerts WHERE {condition} ORDER BY id DESC LIMIT ?",  # noqa: S608
                given,
            ).fetchall()
        page = [_alert(row) for row in found[:limit]]
        return page, cursors.encode("alert", page[-1].id) if len(found) > limit else None

    def counts(self) -> dict[AlertState, int]:
        """How many messages there are, by state."""
        with self._readers.reading() as connection:
            found = dict(connection.execute("SELECT state, count(*) FROM alerts GROUP BY state").fetchall())
        return {"waiting": found.get("waiting", 0), "sent": found.get("sent", 0), "dead": found.get("dead", 0)}

    def prune(self, before: float, most: int, limit: int) -> int:
        """Removes messages that are done: those older than a moment, and the oldest over a number.

        Returns:
            How many, at most `limit`.
        """
        return int(self._write(partial(prune, before=before, most=most, limit=limit)))


def enqueue(connection: sqlite3.Connection, event: Event, now: float) -> None:
    """Stores what is to be said of an event that has opened or closed, once, for every webhook that wants it."""
    if event.muted:
        return
    type = OPENED if event.ended is None else CLOSED
    wanting = [one for one in webhooks(connection) if _wants(one, event)]
    if not wanting:
        return
    row = connection.execute("SELECT name FROM streams WHERE id = ?", (event.stream,)).fetchone()
    stream = {"id": event.stream, "name": event.stream if row is None else row[0]}
    facts = json.dumps({"stream": stream, "event": event_facts(event)})
    connection.executemany(
        "INSERT OR IGNORE INTO alerts (webhook, event, stream, type, key, facts, created, state, attempts, due, since, "
        "error) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', 0, ?, ?, '')",
        [(one.id, event.id, event.stream, type, secrets.token_hex(16), facts, now, now, now) for one in wanting],
    )


def put_webhook(connection: sqlite3.Connection, webhook: Webhook) -> None:
    """Stores a webhook, in the place of one with the same id."""
    connection.execute(
        "INSERT OR REPLACE INTO webhooks (id, name, url, secret, streams, kinds, enabled, created) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(webhook.id, webhook.name, webhook.url, webhook.secret, json.dumps(webhook.streams)),
            *(json.dumps(webhook.kinds), webhook.enabled, webhook.created),
        ),
    )


def delete_webhook(connection: sqlite3.Connection, id: str) -> bool:
    """Removes a webhook with all its messages; whether there was one."""
    connection.execute("DELETE FROM alerts WHERE webhook = ?", (id,))
    return connection.execute("DELETE FROM webhooks WHERE id = ?", (id,)).rowcount > 0


def webhooks(connection: sqlite3.Connection) -> list[Webhook]:
    """All webhooks, in the order they were made."""
    found = connection.execute(
        "SELECT id, name, url, secret, streams, kinds, enabled, created FROM webhooks ORDER BY created, id"
    ).fetchall()
    return [
        Webhook(id, name, url, secret, tuple(json.loads(streams)), tuple(json.loads(kinds)), bool(enabled), created)
        for id, name, url, secret, streams, kinds, enabled, created in found
    ]


def settle(connection: sqlite3.Connection, alert: Alert) -> None:
    """Stores what became of an attempt."""
    connection.execute(
        "UPDATE alerts SET state = ?, attempts = ?, due = ?, since = ?, error = ? WHERE id = ?",
        (alert.state, alert.attempts, alert.due, alert.since, alert.error, alert.id),
    )


def prune(connection: sqlite3.Connection, before: float, most: int, limit: int) -> int:
    """Removes messages that are done: those older than a moment, and the oldest over a number."""
    return connection.execute(
        "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE state <> 'waiting' AND (created < ? OR id <= "
        "coalesce((SELECT id FROM alerts WHERE state <> 'waiting' ORDER BY id DESC LIMIT 1 OFFSET ?), 0)) LIMIT ?)",
        (before, most, limit),
    ).rowcount


def forget_stream(connection: sqlite3.Connection, stream: str) -> None:
    """Removes what was said of a stream; what still waits to be said is said."""
    connection.execute("DELETE FROM alerts WHERE stream = ? AND state <> 'waiting'", (stream,))


def _wants(webhook: Webhook, event: Event) -> bool:
    def holds(wanted: Collection[str], one: str) -> bool:
        return not wanted or one in wanted

    return webhook.enabled and holds(webhook.streams, event.stream) and holds(webhook.kinds, event.kind)


def _first(connection: sqlite3.Connection, webhook: str, condition: str, order: str, *values: object) -> Alert | None:
    columns = ", ".join(f"a.{column}" for column in _COLUMNS.split(", "))
    row = connection.execute(
        f"SELECT {columns} FROM alerts a WHERE a.state = 'waiting' AND a.webhook = ? AND {condition} "  # noqa: S608
        "AND NOT EXISTS (SELECT 1 FROM alerts b WHERE b.webhook = a.webhook AND b.event = a.event AND b.id < a.id "
        f"AND b.state = 'waiting') ORDER BY {order} LIMIT 1",
        (webhook, *values),
    ).fetchone()
    return None if row is None else _alert(row)


def _alert(row: Sequence[Any]) -> Alert:
    id, webhook, event, type, key, facts, created, state, attempts, due, since, error = row
    return Alert(id, webhook, event, type, key, json.loads(facts), created, state, attempts, due, since, error)
