"""Webhooks, events and the messages that wait for them in a store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from service.alerts.records import Alert, AlertState, Webhook
from service.records import Event
from service.store import Store
from tests.service.stored import T0, event

SECRET = "a secret of theirs"  # noqa: S105


def webhook(id: str = "one", url: str = "http://192.0.2.1/", **fields: Any) -> Webhook:
    """One that wants everything."""
    return Webhook(id, id, url, SECRET, created=T0, **fields)


def happen(store: Store, **fields: Any) -> Event:
    """An event opens and closes."""
    opened = store.open_event(replace(event(), **fields))
    assert store.update_event(replace(opened, ended=opened.started + 1, last_seq=9)).result()
    return opened


def all_of(store: Store, state: AlertState | None = None) -> list[Alert]:
    """The messages, newest first."""
    return store.outbox.alerts(state, None, 200)[0]
