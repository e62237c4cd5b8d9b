"""Alerts: the webhooks that are told of events, and the messages on their way to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from service.client.connection import Connection, part


class Alerts(Connection):
    """What a client does with webhooks."""

    def webhooks(self) -> list[dict[str, Any]]:
        """All webhooks."""
        return self._list("/v1/webhooks", "webhooks")

    def webhook(self, id: str) -> dict[str, Any]:
        """One webhook."""
        return self._object("GET", f"/v1/webhooks/{part(id)}")

    def create_webhook(self, url: str, **fields: Any) -> dict[str, Any]:
        """Makes a webhook: `name`, `streams`, `kinds`, `secret`; the secret that is made is in this answer only."""
        return self._object("POST", "/v1/webhooks", json={"url": url, **fields})

    def change_webhook(self, id: str, **fields: Any) -> dict[str, Any]:
        """Changes what is given."""
        return self._object("PATCH", f"/v1/webhooks/{part(id)}", json=fields)

    def delete_webhook(self, id: str) -> None:
        """Removes a webhook, with what waits for it."""
        self.request("DELETE", f"/v1/webhooks/{part(id)}")

    def test_webhook(self, id: str) -> dict[str, Any]:
        """Sends a message of the type `test` now: `ok`, `status`, and the `reason` if it has not arrived."""
        return self._object("POST", f"/v1/webhooks/{part(id)}/test", timeout=self._timeout + 30)

    def alerts(self, *, state: Literal["waiting", "sent", "dead"] | None = None) -> Iterator[dict[str, Any]]:
        """Messages to webhooks, newest first."""
        return self._pages("/v1/alerts", "alerts", state=state)

    def resend_alert(self, id: int) -> dict[str, Any]:
        """Sends a message again."""
        return self._object("POST", f"/v1/alerts/{part(id)}/resend")
