"""All ways in which people are told of events, put together from the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from service.alerts.dispatcher import Dispatcher
from service.alerts.mqtt import Broker, Mqtt, StreamState
from service.alerts.posting import Poster
from service.alerts.records import AlertState
from service.alerts.topics import Topics
from service.announcer import Listener
from service.metrics import Metrics
from service.networks import Networks
from service.records import Score
from service.settings import Settings
from service.store import Store


class Alerting:
    """Webhooks and, where a broker is set, MQTT.

    Attributes:
        poster: sends to webhooks.
        dispatcher: decides what is sent when.
        mqtt: None: no broker is set.
    """

    def __init__(self, settings: Settings, store: Store, streams: Callable[[], Iterable[StreamState]]) -> None:
        """Makes it; `start` begins.

        Args:
            settings: of the service.
            store: of the service.
            streams: all that there are.

        Raises:
            InputError: MQTT cannot be used as it is set.
        """
        self._store = store
        self.poster = Poster(Networks(settings.webhook_networks))
        self.dispatcher = Dispatcher(store.outbox, self.poster.post, base=settings.public_url or settings.root_path)
        self.mqtt = _mqtt(settings, streams)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Who is to be told of events at once; webhooks find them in the store."""
        return () if self.mqtt is None else (self.mqtt,)

    def start(self) -> None:
        """Begins to tell."""
        self.dispatcher.start()
        if self.mqtt is not None:
            self.mqtt.start()

    def stop(self) -> None:
        """Ends; what webhooks have not got waits for the next start."""
        self.dispatcher.stop()
        if self.mqtt is not None:
            self.mqtt.stop()

    def scores(self, scores: Sequence[Score]) -> None:
        """Scores have come."""
        if self.mqtt is not None:
            self.mqtt.scores(scores)

    def measure(self, metrics: Metrics) -> None:
        """Adds what is measured."""
        waiting: AlertState = "waiting"
        dead: AlertState = "dead"
        metrics.gauge("alerts_waiting", "Messages that wait for webhooks to take them", partial(self._count, waiting))
        metrics.gauge("alerts_dead", "Messages to webhooks that were given up", partial(self._count, dead))
        metrics.gauge("alerts_sent", "Messages that webhooks have taken", lambda: self.dispatcher.sent)
        metrics.gauge("alerts_failed", "Attempts to send one that failed", lambda: self.dispatcher.failed)
        if self.mqtt is not None:
            metrics.gauge("mqtt_connected", "Whether the MQTT broker takes messages", self._connected)

    def _count(self, state: AlertState) -> float:
        return self._store.outbox.counts()[state]

    def _connected(self) -> float:
        return self.mqtt is not None and self.mqtt.connected


def _mqtt(settings: Settings, streams: Callable[[], Iterable[StreamState]]) -> Mqtt | None:
    if settings.mqtt_host is None:
        return None
    password = settings.mqtt_password
    broker = Broker(
        settings.mqtt_host,
        settings.mqtt_port,
        tls=settings.mqtt_tls == "on",
        ca_file=settings.mqtt_ca_file,
        user=settings.mqtt_user,
        password=None if password is None else password.get_secret_value(),
    )
    return Mqtt(broker, Topics(settings.mqtt_topic, settings.mqtt_discovery_topic, settings.public_url), streams)
