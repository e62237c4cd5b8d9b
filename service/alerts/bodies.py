"""What a message says: what happened, where to look at it."""

from __future__ import annotations

import secrets
from typing import Any

import orjson

from model import __version__
from service.alerts.records import Alert, Webhook
from service.messages import timestamp

VERSION = 1


def links(base: str, event: int) -> dict[str, str]:
    """Where an event is shown, and its files are; clip and heat map may come later, or never.

    Args:
        base: address at which the service is reached; "": paths alone.
        event: its id.
    """
    files = f"{base}/v1/events/{event}"
    return {
        "event": f"{base}/#/events/{event}",
        "clip": f"{files}/clip.mp4",
        "snapshot": f"{files}/snapshot.jpg",
        "heatmap": f"{files}/heatmap.png",
    }


def body(alert: Alert, base: str) -> bytes:
    """The JSON that is sent."""
    said: dict[str, Any] = {
        "v": VERSION,
        "type": alert.type,
        "id": alert.key,
        "created": timestamp(alert.created),
        **alert.facts,
    }
    if alert.event is not None:
        said["links"] = links(base, alert.event)
    return orjson.dumps(said)


def headers(alert: Alert) -> dict[str, str]:
    """What is sent with it, but the signature."""
    return {
        "Content-Type": "application/json",
        "User-Agent": f"framewatch/{__version__}",
        "Idempotency-Key": alert.key,
        "Framewatch-Event": alert.type,
        "Framewatch-Attempt": str(alert.attempts + 1),
    }


def trial(webhook: Webhook, now: float) -> Alert:
    """A message that says nothing has happened, to try a webhook out."""
    return Alert(0, webhook.id, None, "test", secrets.token_hex(16), {"webhook": webhook.name}, now)
