"""Streams: made, changed, removed, and what is stored of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from service.client.connection import Connection, given, named, part

_TRIAL = 60.0  # seconds that trying a camera may take


class Streams(Connection):
    """What a client does with streams."""

    def create_stream(self, *, request: str | None = None, **fields: Any) -> dict[str, Any]:
        """Makes a stream: `id`, `name`, `source`, `loop` and the options; sent again with the same `request`, once."""
        return self._object("POST", "/v1/streams", json=fields, headers=named(request))

    def put_stream(self, id: str, **fields: Any) -> dict[str, Any]:
        """Makes a stream, or has it be as it is described here; what is not given is at its default."""
        return self._object("PUT", f"/v1/streams/{part(id)}", json=fields)

    def create_demo(self) -> dict[str, Any]:
        """Makes the demo stream, if it is not there."""
        return self._object("POST", "/v1/streams/demo")

    def test_source(self, source: str) -> dict[str, Any]:
        """Tries a camera: `ok`, and what its pictures are, or what is wrong."""
        timeout = self._timeout + _TRIAL
        return self._object("POST", "/v1/streams/test", json={"source": source}, timeout=timeout)

    def streams(self) -> list[dict[str, Any]]:
        """All streams."""
        return self._list("/v1/streams", "streams")

    def stream(self, id: str) -> dict[str, Any]:
        """One stream."""
        return self._object("GET", f"/v1/streams/{part(id)}")

    def change_stream(self, id: str, **fields: Any) -> dict[str, Any]:
        """Changes what is given; None leaves it to the model or the settings."""
        return self._object("PATCH", f"/v1/streams/{part(id)}", json=fields)

    def accept_picture(self, id: str) -> None:
        """Says that a camera's picture is right as it is: tampering is judged against it from now on."""
        self.request("POST", f"/v1/streams/{part(id)}/reference")

    def delete_stream(self, id: str, *, purge: bool = False) -> None:
        """Removes a stream; with `purge` also its scores and events."""
        self.request("DELETE", f"/v1/streams/{part(id)}", params={"purge": purge})

    def scores(self, id: str, *, since: str | None = None, limit: int = 1000) -> Iterator[dict[str, Any]]:
        """Stored scores from `since` (`epoch:seq` or a time) on, oldest first, read in pages of `limit`."""
        while True:
            params = given(limit=limit, since=since)
            page = self._object("GET", f"/v1/streams/{part(id)}/scores", params=params)
            yield from page["scores"]
            if page["next"] is None or len(page["scores"]) < limit:
                return
            since = page["next"]

    def timeline(
        self,
        id: str,
        *,
        seconds: float | None = None,
        start: float | None = None,
        end: float | None = None,
        points: int | None = None,
    ) -> dict[str, Any]:
        """Columns for a chart: the last `seconds`, or a span (seconds since 1970), thinned by their highest."""
        params = given(seconds=seconds, start=start, end=end, points=points)
        return self._object("GET", f"/v1/streams/{part(id)}/timeline", params=params)

    def what_if(self, id: str, *, threshold: float | None = None, seconds: float = 3600.0) -> dict[str, Any]:
        """The events that a threshold would have found lately."""
        params = given(threshold=threshold, seconds=seconds)
        return self._object("GET", f"/v1/streams/{part(id)}/what-if", params=params)

    def stream_picture(self, id: str) -> bytes:
        """The newest picture of a stream, JPEG."""
        return self.request("GET", f"/v1/streams/{part(id)}/frame.jpg").content

    def stream_heat_map(self, id: str) -> bytes:
        """The same with its heat map over it, JPEG."""
        return self.request("GET", f"/v1/streams/{part(id)}/heatmap.jpg").content
