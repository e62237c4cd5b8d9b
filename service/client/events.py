"""Events: what was found, its files, and what people say of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from service.client.connection import Connection, given, part

Label = Literal["true", "false", "none"]


class Events(Connection):
    """What a client does with events."""

    def events(self, *, stream: str | None = None, label: Label | None = None) -> Iterator[dict[str, Any]]:
        """Events, newest first; with the label `none` those of which nobody has said anything."""
        return self._pages("/v1/events", "events", stream=stream, label=label)

    def event(self, id: int) -> dict[str, Any]:
        """One event."""
        return self._object("GET", f"/v1/events/{part(id)}")

    def label_event(self, id: int, label: Literal["true", "false"] | None) -> dict[str, Any]:
        """Says whether an event was a true or a false alarm; None takes that back."""
        return self._object("PATCH", f"/v1/events/{part(id)}", json={"label": label})

    def events_table(self, *, stream: str | None = None, label: Label | None = None) -> str:
        """Events with their labels, as CSV."""
        return self.request("GET", "/v1/events.csv", params=given(stream=stream, label=label)).text

    def event_clip(self, id: int) -> bytes:
        """The video of an event, MP4.

        Raises:
            ServiceError: 404: there is none (yet), see the event's `clip_state` and `clip_reason`.
        """
        return self.request("GET", f"/v1/events/{part(id)}/clip.mp4").content

    def event_snapshot(self, id: int) -> bytes:
        """The picture of an event's peak, JPEG."""
        return self.request("GET", f"/v1/events/{part(id)}/snapshot.jpg").content

    def event_heat_map(self, id: int) -> bytes:
        """The heat map of that, PNG."""
        return self.request("GET", f"/v1/events/{part(id)}/heatmap.png").content
