"""What whoever sends frames is told, and of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from websockets.sync.client import connect

from service.client import Client
from service.ingest import HEADER
from tests.e2e.heard import read
from tests.model.detectors import INTERVAL, pictures
from tests.service.live import png


@pytest.fixture(scope="module")
def changes() -> dict[str, Any]:
    return {"max_frame_bytes": 20_000}


@pytest.mark.parametrize(("size", "said"), [(20_001, ["hello", "error"]), (20_001 + 65_536, ["hello"])])
def test_a_frame_that_is_too_large_is_refused_in_words_unless_it_is_far_too_large(
    client: Client, size: int, said: list[str]
) -> None:
    client.create_stream(id="gate")
    with connect(f"{client._url.replace('http', 'ws')}/v1/streams/gate/ingest", proxy=None) as socket:
        hello = orjson.loads(socket.recv(timeout=120))
        socket.send(bytes(size))
        assert [message["type"] for message in (hello, *map(orjson.loads, read(socket)))] == said
        assert socket.close_code == 1009


@pytest.mark.parametrize("query", ["", "&scores=0"])
@pytest.mark.parametrize("ended", ["by the client", "by deletion"])
def test_a_sender_is_told_of_the_end_once_and_last(client: Client, query: str, ended: str) -> None:
    client.create_stream(id="gate", policy="every")
    with connect(f"{client._url.replace('http', 'ws')}/v1/streams/gate/ingest?header=1{query}", proxy=None) as socket:
        for n, image in enumerate(pictures(20)):
            socket.send(HEADER.pack(round(n * INTERVAL * 1e6), n, 0) + png(image))
        if ended == "by the client":
            socket.send("end")
        else:
            client.delete_stream("gate")
        said = [orjson.loads(message)["type"] for message in read(socket)]
        assert socket.close_code == 1000
    assert said.count("bye") == 1
    assert said[-1] == "bye"
    if ended == "by the client" and not query:
        assert said.count("score") == 20


def test_a_stream_whose_time_stamps_stand_still_says_so_until_they_move(client: Client) -> None:
    client.create_stream(id="gate", policy="every")
    said = client.follow("gate")
    next(said)
    images = [png(image) for image in pictures(40)]
    with client.ingest("gate", header=True) as sender:
        for image in images:
            sender.send(image, captured=5.0)
        told = next(message for message in said if message["type"] == "health" and message["reason"])
        view = client.stream("gate")
        assert (view["health"], view["dropped"]["thinned"]) == ("live", 39)
        for n, image in enumerate(images[:5]):
            sender.send(image, captured=5.1 + n * INTERVAL)
        assert next(message for message in said if message["type"] == "health")["reason"] == ""
        assert {message["type"] for message in sender.finish()}.isdisjoint({"dropped"})
    assert told["reason"] == view["reason"]
    assert told["reason"].startswith("time stamps stand still: ")
