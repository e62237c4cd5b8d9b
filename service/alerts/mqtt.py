"""Tells an MQTT broker how each stream is, and what happens: for Home Assistant and its like."""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from service.alerts.bodies import links
from service.alerts.topics import OFFLINE, ONLINE, Camera, Topics
from service.announcer import Look
from service.faults import InputError
from service.messages import event_facts
from service.records import Event, Score
from service.rounds import Rounds

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

EVERY: Final = 1.0
"""Seconds between two looks at the streams: scores are told so often at most."""

_MOST_EVENTS: Final = 1000  # that wait for the broker
_KEEP_ALIVE: Final = 30
_FIRST_WAIT, _LONGEST_WAIT = 1, 60  # seconds between tries to connect
_GOODBYE: Final = 2.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and who the service is to it.

    Attributes:
        host, port: of the broker.
        tls: whether the connection is encrypted.
        ca_file: certificates that are trusted; None: those of the system.
        user, password: None: none is asked for.
    """

    host: str
    port: int = 1883
    tls: bool = False
    ca_file: Path | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StreamState:
    """What is asked of a stream: its id, its name, and whether frames arrive."""

    id: str
    name: str
    live: bool


class Mqtt:
    """Keeps the broker's retained messages as the streams are: what differs is said, now and after every reconnect.

    Events are told too, and wait while the broker is away; `opened`, `peaked` and `closed` are for the announcer.

    Attributes:
        connected: whether the broker takes messages.
    """

    def __init__(
        self, broker: Broker, topics: Topics, streams: Callable[[], Iterable[StreamState]], *, every: float = EVERY
    ) -> None:
        """Makes it; `start` begins.

        Args:
            broker: to connect to.
            topics: where everything is said.
            streams: all that there are.
            every: seconds between two looks at them.

        Raises:
            InputError: the extra is not installed, or the certificates cannot be read.
        """
        self.connected = False
        self._broker = broker
        self._topics = topics
        self._streams = streams
        self._every = every
        self._client = _client(broker, topics)
        self._client.on_connect = self._came
        self._client.on_disconnect = self._went
        self._client.on_connect_fail = self._missed
        self._client.on_message = self._heard
        self._said: dict[str, bytes] = {}
        self._events: deque[tuple[str, bytes]] = deque(maxlen=_MOST_EVENTS)
        self._strays: deque[str] = deque(maxlen=_MOST_EVENTS)
        self._open: dict[str, set[int]] = {}
        self._scores: dict[str, float | None] = {}
        self._complained = ""
        self._rounds = Rounds("framewatch-mqtt", self._round)

    def start(self) -> None:
        """Begins to connect; a broker that is not there yet is waited for."""
        self._client.connect_async(self._broker.host, self._broker.port, _KEEP_ALIVE)
        self._client.loop_start()
        self._rounds.start()

    def stop(self) -> None:
        """Says goodbye and ends."""
        self._rounds.stop()
        if self.connected:
            self._client.publish(self._topics.status, OFFLINE, qos=1, retain=True).wait_for_publish(_GOODBYE)
        self._client.disconnect()
        self._client.loop_stop()

    def scores(self, scores: Sequence[Score]) -> None:
        """Notes scores; the newest of each stream is told."""
        for score in scores:
            self._scores[score.stream] = score.smoothed

    def opened(self, event: Event, look: Look | None) -> None:
        if not event.muted:
            self._open.setdefault(event.stream, set()).add(event.id)
            self._tell(event, "event.opened")

    def peaked(self, event: Event, look: Look) -> None:
        """Nothing is told of it."""

    def closed(self, event: Event) -> None:
        if not event.muted:
            self._open.get(event.stream, set()).discard(event.id)
            self._tell(event, "event.closed")

    def _tell(self, event: Event, type: str) -> None:
        said = {"type": type, **event_facts(event), "links": links(self._topics.url, event.id)}
        self._events.append((self._topics.of(event.stream, "event"), orjson.dumps(said)))
        self._rounds.wake()

    def _round(self) -> float:
        try:
            if self.connected:
                self._look()
        except Exception:
            log.exception("the MQTT broker could not be told")
        return self._every

    def _look(self) -> None:
        """Tells the broker what differs from what it was told."""
        streams = {stream.id: stream for stream in self._streams()}
        wanted: dict[str, bytes] = {}
        for stream in streams.values():
            live, score = stream.live, self._scores.get(stream.id)
            camera = Camera(stream.id, stream.name, live, bool(self._open.get(stream.id)), score if live else None)
            wanted.update(self._topics.states(camera))
        while self._strays:
            for topic in self._topics.all_of(self._strays.popleft()):
                self._said.setdefault(topic, b"?")
        for topic in self._said.keys() - wanted.keys():
            self._keep(topic, b"")
        for topic, payload in wanted.items():
            if self._said.get(topic) != payload:
                self._keep(topic, payload)
        while self._events and self.connected:
            topic, payload = self._events.popleft()
            self._client.publish(topic, payload, qos=1)
        for gone in self._scores.keys() - streams.keys():
            self._scores.pop(gone, None)
            self._open.pop(gone, None)

    def _keep(self, topic: str, payload: bytes) -> None:
        """Has the broker keep a message; an empty one: none."""
        self._client.publish(topic, payload, qos=1, retain=True)
        if payload:
            self._said[topic] = payload
        else:
            self._said.pop(topic, None)

    def _came(self, client: Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        """For the library, on its thread, as all that follow."""
        if reason.is_failure:
            self._complain(f"refuses the service: {reason}")
            return
        log.info("connected to the MQTT broker")
        self._complained = ""
        self._said = {}
        client.publish(self._topics.status, ONLINE, qos=1, retain=True)
        client.subscribe(self._topics.of("+", "availability"))
        self.connected = True
        self._rounds.wake()

    def _went(self, client: Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if self.connected and not self._rounds.stopping:
            self._complain("has gone")
        self.connected = False

    def _missed(self, client: Client, userdata: Any) -> None:
        self._complain("cannot be reached")

    def _heard(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        """What the broker has kept from an earlier run, of a stream that is gone, is to go too."""
        stream = self._topics.stream_of(message.topic)
        known = {one.id for one in self._streams()}
        if message.retain and message.payload and stream is not None and stream not in known:
            self._strays.append(stream)
            self._rounds.wake()

    def _complain(self, what: str) -> None:
        """Once, until it is something else."""
        if what != self._complained:
            self._complained = what
            log.warning("the MQTT broker at %s:%d %s; it is tried again", self._broker.host, self._broker.port, what)


def _client(broker: Broker, topics: Topics) -> Client:
    """The library's client, not connected yet."""
    try:
        from paho.mqtt.client import Client, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion
    except ImportError:
        raise InputError("mqtt_host needs MQTT, which is not installed: pip install 'framewatch[mqtt]'") from None
    client = Client(CallbackAPIVersion.VERSION2, f"framewatch-{secrets.token_hex(4)}", protocol=MQTTv311)
    client.reconnect_delay_set(_FIRST_WAIT, _LONGEST_WAIT)
    client.will_set(topics.status, OFFLINE, qos=1, retain=True)
    if broker.user is not None:
        client.username_pw_set(broker.user, broker.password)
    if broker.tls:
        try:
            client.tls_set(None if broker.ca_file is None else str(broker.ca_file))
        except (OSError, ValueError) as error:
            raise InputError(f"mqtt_ca_file {broker.ca_file} cannot be used: {error}") from None
    return client
