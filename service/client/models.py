"""Models, and the service itself."""

from __future__ import annotations

from typing import Any, cast

from service.client.connection import Connection, part


class Models(Connection):
    """What a client asks of the service as a whole."""

    def ready(self) -> list[str]:
        """Why the service is not ready; empty: it is."""
        return cast(list[str], self._http.get("/readyz").json()["reasons"])

    def version(self) -> dict[str, Any]:
        """What runs there."""
        return self._object("GET", "/v1/version")

    def metrics(self) -> str:
        """What Prometheus reads."""
        return self.request("GET", "/metrics").text

    def models(self) -> list[dict[str, Any]]:
        """The models there are."""
        return self._list("/v1/models", "models")

    def activate_model(self, name: str) -> dict[str, Any]:
        """Scores all streams that name no model with this one."""
        return self._object("POST", f"/v1/models/{part(name)}/activate", timeout=self._timeout + 60)

    def delete_model(self, name: str) -> None:
        """Removes a model that is not used for good."""
        self.request("DELETE", f"/v1/models/{part(name)}")
