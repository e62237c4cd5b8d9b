"""A camera that is covered while the service watches it, and across a restart of the service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from model.pictures import Image
from service.client import Client, Message
from tests.e2e.serving import served
from tests.model.detectors import INTERVAL, pictures
from tests.service.live import png

SEEN = pictures(160)
BLACK = np.zeros_like(SEEN[0])


def send(client: Client, images: Sequence[Image], *, start: float) -> list[Message]:
    with client.ingest("gate", header=True) as sender:
        for at, image in enumerate(images):
            sender.send(png(image), captured=start + at * INTERVAL)
        return list(sender.finish())


def reliable(said: Sequence[Message]) -> list[bool]:
    return [message["reliable"] for message in said if message["type"] == "score"]


def test_a_covered_camera_is_an_event_and_its_scores_say_that_they_are_worth_nothing(tmp_path: Path) -> None:
    with served(tmp_path) as service, Client(service.url, timeout=120) as client:
        client.create_stream(id="gate", policy="every")
        said = send(client, [*SEEN[:60], *[BLACK] * 80, *SEEN[60:90]], start=1e9)
        opened, closed = events(said, "tampering")
        assert (opened["type"], closed["type"]) == ("event.opened", "event.closed")
        assert opened["reason"] == closed["reason"] == "covered"
        marks = reliable(said)
        assert marks.count(False) == closed["last_seq"] - opened["first_seq"] + 1
        assert 60 + 50 <= opened["first_seq"] <= 60 + 80
        assert all(marks[-10:])
        stored = [score["reliable"] for score in client.scores("gate")]
        assert stored == marks
        found = [event for event in client.events(stream="gate") if event["kind"] == "tampering"]
        assert [(event["reason"], event["peak_frame"]) for event in found] == [("covered", opened["peak_frame"])]
        assert client.stream("gate")["tampering"] == ""


def test_a_camera_that_was_turned_while_the_service_was_down_is_found(tmp_path: Path) -> None:
    with served(tmp_path) as service, Client(service.url, timeout=120) as client:
        client.create_stream(id="gate", policy="every")
        send(client, SEEN[:60], start=1e9)
    turned = [np.ascontiguousarray(image[::-1]) for image in SEEN]
    with served(tmp_path) as service, Client(service.url, timeout=120) as client:
        said = send(client, turned[:80], start=2e9)
        assert [message["reason"] for message in events(said, "tampering")][:1] == ["flipped"]
        assert client.stream("gate")["tampering"] == "flipped"
        client.accept_picture("gate")
        send(client, turned[80:100], start=3e9)
        assert client.stream("gate")["tampering"] == "", "an operator has said that it is right so"


def events(said: Sequence[Message], kind: str) -> Iterator[Message]:
    ends = ("event.opened", "event.closed")
    return (message for message in said if message["type"] in ends and message["kind"] == kind)
