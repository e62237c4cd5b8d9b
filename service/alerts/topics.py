"""The MQTT topics of a service and its streams, and how Home Assistant learns of them.

Home Assistant's MQTT discovery: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from model import __version__

ONLINE, OFFLINE = "online", "offline"
ON, OFF = "ON", "OFF"
UNKNOWN = "None"
"""What Home Assistant takes for a number that is not known."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A stream as it is shown elsewhere.

    Attributes:
        id: of the stream.
        name: what people call it.
        live: whether frames arrive.
        problem: whether an event is going on that is announced.
        score: `smoothed`; None: it is not known.
    """

    id: str
    name: str
    live: bool
    problem: bool
    score: float | None


@dataclass(frozen=True, slots=True)
class Topics:
    """Where everything is said.

    Attributes:
        base: first part of the service's own topics.
        discovery: first part of Home Assistant's; "": nothing is said there.
        url: at which people reach the service; "": not known.
    """

    base: str = "framewatch"
    discovery: str = "homeassistant"
    url: str = ""

    @property
    def status(self) -> str:
        """`online` or `offline`: whether the service is there."""
        return f"{self.base}/status"

    def of(self, stream: str, what: str) -> str:
        """A topic of a stream: `availability`, `problem`, `score` or `event`."""
        return f"{self.base}/streams/{stream}/{what}"

    def stream_of(self, topic: str) -> str | None:
        """Whose availability a topic says; None: it is another topic."""
        found = re.fullmatch(rf"{re.escape(self.base)}/streams/([^/]+)/availability", topic)
        return found[1] if found else None

    def states(self, camera: Camera) -> Iterator[tuple[str, bytes]]:
        """What is to be kept at the broker of a stream, by topic."""
        yield from self._announcements(camera)
        score = UNKNOWN if camera.score is None else f"{camera.score:.3f}"
        yield self.of(camera.id, "availability"), (ONLINE if camera.live else OFFLINE).encode()
        yield self.of(camera.id, "problem"), (ON if camera.problem else OFF).encode()
        yield self.of(camera.id, "score"), score.encode()

    def all_of(self, stream: str) -> list[str]:
        """Every topic at which something is kept of a stream."""
        return [topic for topic, _ in self.states(Camera(stream, stream, False, False, None))]

    def _announcements(self, camera: Camera) -> Iterator[tuple[str, bytes]]:
        if not self.discovery:
            return
        own = f"{self.base}_{camera.id}".replace("/", "_")
        node = re.sub(r"[^A-Za-z0-9_-]", lambda found: f"_{ord(found[0]):x}_", own)
        device: dict[str, Any] = {
            "identifiers": [own],
            "name": camera.name,
            "manufacturer": "framewatch",
            "model": "camera",
            "sw_version": __version__,
        }
        if self.url:
            device["configuration_url"] = self.url
        shared = {
            "availability": [{"topic": self.status}, {"topic": self.of(camera.id, "availability")}],
            "availability_mode": "all",
            "device": device,
            "origin": {"name": "framewatch", "sw_version": __version__},
        }
        problem = {
            "name": "Anomaly",
            "unique_id": f"{own}_problem",
            "device_class": "problem",
            "state_topic": self.of(camera.id, "problem"),
            "payload_on": ON,
            "payload_off": OFF,
            "json_attributes_topic": self.of(camera.id, "event"),
        }
        score = {
            "name": "Anomaly score",
            "unique_id": f"{own}_score",
            "state_class": "measurement",
            "state_topic": self.of(camera.id, "score"),
            "suggested_display_precision": 2,
            "icon": "mdi:chart-line",
        }
        yield f"{self.discovery}/binary_sensor/{node}/problem/config", orjson.dumps(problem | shared)
        yield f"{self.discovery}/sensor/{node}/score/config", orjson.dumps(score | shared)
