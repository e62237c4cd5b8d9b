"""What is stored of alerts: where they go, and each on its way there. Frozen, without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

AlertState = Literal["waiting", "sent", "dead"]


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where alerts are sent to, as it is stored.

    Attributes:
        id: unique.
        name: what people call it.
        url: http or https; may hold a secret, so it is shown only through `service.addresses.redact`.
        secret: signs what is sent.
        streams: ids of the streams whose alerts it gets; empty: all.
        kinds: kinds of events that it gets; empty: all.
        enabled: whether it gets any.
        created: seconds since 1970.
    """

    id: str
    name: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    streams: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    enabled: bool = True
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class Alert:
    """A message to a webhook, from its event to its arrival.

    Attributes:
        id: unique, rising.
        webhook: id of the webhook.
        event: id of the event; None: a test.
        type: `event.opened`, `event.closed` or `test`.
        key: tells the receiver that a message is one it has already; the same however often it is sent.
        facts: what it says, as it was then; without links.
        created: seconds since 1970.
        state: `waiting` for its next attempt, `sent`, or `dead`: given up, until somebody sends it again.
        attempts: made so far.
        due: seconds since 1970, when the next attempt is made.
        since: when its attempts began, seconds since 1970.
        error: why the last attempt failed, or "".
    """

    id: int
    webhook: str
    event: int | None
    type: str
    key: str
    facts: dict[str, Any]
    created: float
    state: AlertState = "waiting"
    attempts: int = 0
    due: float = 0.0
    since: float = 0.0
    error: str = ""
