"""A client of the service, typed: streams, frames in, scores out, events, alerts, learning, models, videos.

Example:
    >>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
    ...     client.create_stream(id="gate", policy="every")
    ...     with client.ingest("gate", header=True) as sender:
    ...         sender.send(jpeg, captured=time.time())
    ...         for message in sender.finish():
    ...             print(message)
"""

from __future__ import annotations

from service.client.alerts import Alerts
from service.client.events import Events
from service.client.learning import Learning
from service.client.live import Live, Shown
from service.client.models import Models
from service.client.sending import Message, Sender, ServiceError
from service.client.streams import Streams
from service.client.videos import Videos

__all__ = ["Client", "Message", "Sender", "ServiceError", "Shown"]


class Client(Streams, Live, Events, Alerts, Learning, Models, Videos):
    """A connection to a service. For one thread at a time.

    Answers are what the interface's description (`/docs`) says of them, as dictionaries and lists. What is refused
    raises `ServiceError`, with the status and the reason.
    """
