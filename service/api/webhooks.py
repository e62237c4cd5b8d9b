"""Webhooks, and the messages on their way to them."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from service.alerts.records import Alert, AlertState, Webhook
from service.alerts.targets import shown
from service.api.deps import ADMIN, Running, problems
from service.api.views import Body, Id, Time, moment
from service.monitor import Monitor
from service.problems import Problem, not_found

MOST: int = 100

router = APIRouter(prefix="/v1", tags=["alerts"])
Kind = Literal["anomaly", "tampering"]
Secret = Annotated[str, Field(min_length=16, max_length=200, pattern=r"^[!-~]+$")]


class WebhookFields(Body):
    """What a webhook is."""

    url: str = Field(max_length=2048, description="Where alerts are posted to: https or http; it is not shown again.")
    name: str | None = Field(None, min_length=1, max_length=200, description="What people call it.")
    secret: Secret | None = Field(
        None, description="Signs what is sent (Framewatch-Signature); it is not shown again. If not given, one is made."
    )
    streams: list[Id] = Field([], max_length=1000, description="Streams whose alerts it gets; none: all.")
    kinds: list[Kind] = Field([], description="Kinds of events that it gets; none: all.")
    enabled: bool = True


class WebhookBody(WebhookFields):
    """A webhook to be made."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://chat.example/hooks/abc", "streams": ["gate"]}]}
    )


class WebhookChange(Body):
    """What changes of a webhook; what is not in it stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": False}]})
    url: str | None = Field(None, max_length=2048)
    name: str | None = Field(None, min_length=1, max_length=200)
    secret: Secret | None = None
    streams: list[Id] | None = Field(None, max_length=1000)
    kinds: list[Kind] | None = None
    enabled: bool | None = None


class WebhookView(BaseModel):
    """A webhook, without what lets one in."""

    id: str
    name: str
    url: str = Field(description="Its host; the path may be a secret.")
    streams: list[str]
    kinds: list[str]
    enabled: bool
    created: Time
    error: str = Field(description="Why the last attempt failed, or nothing.")


class WebhookMade(WebhookView):
    secret: str | None = Field(description="The secret that was made, shown this once; null: yours is used.")


class WebhookList(BaseModel):
    webhooks: list[WebhookView]


class TrialResult(BaseModel):
    """How a test went."""

    ok: bool
    status: int | None = Field(description="Of the receiver's answer.")
    reason: str = Field(description="Why it has not arrived, or nothing.")
    seconds: float


class AlertView(BaseModel):
    """A message to a webhook."""

    id: int
    webhook: str
    event: int | None
    stream: str | None
    type: str
    key: str = Field(description="The same however often it is sent (Idempotency-Key).")
    created: Time
    state: AlertState
    attempts: int
    due: Time | None = Field(description="When it is sent next, if it waits.")
    error: str


class AlertPage(BaseModel):
    alerts: list[AlertView]
    next: str | None


WebhookId = Annotated[str, Path(max_length=64)]


@router.get("/webhooks", operation_id="list_webhooks", dependencies=[ADMIN], responses=problems())
async def webhooks(running: Running) -> WebhookList:
    """All webhooks."""
    found = await asyncio.to_thread(running.store.outbox.webhooks)
    return WebhookList(webhooks=[_view(running, one) for one in found])


@router.post("/webhooks", operation_id="create_webhook", status_code=201, dependencies=[ADMIN], responses=problems(409))
async def create(body: WebhookBody, running: Running) -> WebhookMade:
    """Make a webhook: it gets a message when an event opens, and one when it closes."""
    running.alerting.poster.check(body.url)
    if len(await asyncio.to_thread(running.store.outbox.webhooks)) >= MOST:
        raise Problem(409, f"{MOST} webhooks are as many as are allowed")
    made = None if body.secret else secrets.token_urlsafe(32)
    webhook = Webhook(
        id=secrets.token_hex(6),
        name=body.name or shown(body.url),
        url=body.url,
        secret=body.secret or made or "",
        streams=tuple(body.streams),
        kinds=tuple(body.kinds),
        enabled=body.enabled,
        created=time.time(),
    )
    await asyncio.to_thread(running.store.outbox.put_webhook, webhook)
    return WebhookMade(**_view(running, webhook).model_dump(mode="python"), secret=made)


@router.get("/webhooks/{id}", operation_id="read_webhook", dependencies=[ADMIN], responses=problems(404))
async def read(id: WebhookId, running: Running) -> WebhookView:
    """One webhook."""
    return _view(running, await _get(running, id))


@router.patch("/webhooks/{id}", operation_id="change_webhook", dependencies=[ADMIN], responses=problems(404))
async def change(id: WebhookId, body: WebhookChange, running: Running) -> WebhookView:
    """Change a webhook; what waits for it is sent as it is now."""
    webhook = await _get(running, id)
    changes = {name: value for name, value in body if name in body.model_fields_set and value is not None}
    for name in {"streams", "kinds"} & changes.keys():
        changes[name] = tuple(changes[name])
    if "url" in changes:
        running.alerting.poster.check(changes["url"])
    webhook = replace(webhook, **changes)
    await asyncio.to_thread(running.store.outbox.put_webhook, webhook)
    running.alerting.dispatcher.release(id)
    return _view(running, webhook)


@router.delete(
    "/webhooks/{id}", operation_id="delete_webhook", status_code=204, dependencies=[ADMIN], responses=problems(404)
)
async def delete(id: WebhookId, running: Running) -> None:
    """Remove a webhook, with what waits for it."""
    if not await asyncio.to_thread(running.store.outbox.delete_webhook, id):
        raise not_found("webhook", id)
    running.alerting.dispatcher.release(id)


@router.post("/webhooks/{id}/test", operation_id="test_webhook", dependencies=[ADMIN], responses=problems(404))
async def test(id: WebhookId, running: Running) -> TrialResult:
    """Send a message of the type `test` now, and say what came of it."""
    webhook = await _get(running, id)
    reply = await asyncio.to_thread(running.alerting.dispatcher.test, webhook)
    return TrialResult(ok=not reply.error, status=reply.status, reason=reply.error, seconds=reply.seconds)


@router.get("/alerts", operation_id="list_alerts", dependencies=[ADMIN], responses=problems())
async def alerts(
    running: Running,
    state: AlertState | None = None,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AlertPage:
    """Messages to webhooks, newest first: `waiting`, `sent`, or `dead`: given up after a day."""
    found, following = await asyncio.to_thread(running.store.outbox.alerts, state, cursor, limit)
    return AlertPage(alerts=[_alert_view(one) for one in found], next=following)


@router.post(
    "/alerts/{id}/resend", operation_id="resend_alert", status_code=202, dependencies=[ADMIN], responses=problems(404)
)
async def resend(id: Annotated[int, Path(ge=1, le=2**62)], running: Running) -> AlertView:
    """Send a message again now, with the same key, and for another day if need be."""
    alert = await asyncio.to_thread(running.store.outbox.alert, id)
    if alert is None:
        raise not_found("alert", id)
    now = time.time()
    alert = replace(alert, state="waiting", due=now, since=now)
    await asyncio.to_thread(running.store.outbox.settle, alert)
    running.alerting.dispatcher.release(alert.webhook)
    return _alert_view(alert)


async def _get(running: Monitor, id: str) -> Webhook:
    webhook = await asyncio.to_thread(running.store.outbox.webhook, id)
    if webhook is None:
        raise not_found("webhook", id)
    return webhook


def _view(running: Monitor, webhook: Webhook) -> WebhookView:
    return WebhookView(
        id=webhook.id,
        name=webhook.name,
        url=shown(webhook.url),
        streams=list(webhook.streams),
        kinds=list(webhook.kinds),
        enabled=webhook.enabled,
        created=moment(webhook.created),
        error=running.alerting.dispatcher.error(webhook.id),
    )


def _alert_view(alert: Alert) -> AlertView:
    return AlertView(
        id=alert.id,
        webhook=alert.webhook,
        event=alert.event,
        stream=alert.facts.get("stream", {}).get("id"),
        type=alert.type,
        key=alert.key,
        created=moment(alert.created),
        state=alert.state,
        attempts=alert.attempts,
        due=moment(alert.due) if alert.state == "waiting" else None,
        error=alert.error,
    )
