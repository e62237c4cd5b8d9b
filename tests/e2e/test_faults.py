"""What goes wrong while the service runs: seen from outside, on real sockets."""

from __future__ import annotations

import itertools
import math
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import torch
from torch import Tensor
from websockets.sync.client import connect

from model.states import State
from service import messages
from service.client import Client, Message, ServiceError
from service.ingest import HEADER
from service.records import Score
from service.store import Store, files
from service.subscription import SubscriberLimits
from tests.e2e.given import FRAMES, footage, send
from tests.e2e.serving import Served, served, vanish
from tests.model.detectors import INTERVAL, pictures
from tests.service.engines import crash
from tests.service.live import held, jpeg, png
from tests.waiting import wait_for


def scores(said: list[Message]) -> list[Message]:
    return [message for message in said if message["type"] == "score"]


class Patched:
    """The encoder of a service's model, with something done before each batch."""

    def __init__(self, service: Served, before: Callable[[Tensor], object]) -> None:
        active = service.monitor.models.active
        assert active is not None
        self._encoder = active.detector.encoder
        forward = self._encoder.forward

        def changed(images: Tensor) -> Tensor:
            before(images)
            return forward(images)

        self._changed = changed

    def __enter__(self) -> None:
        self._encoder.forward = self._changed  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        del self._encoder.forward


# the engine


def test_a_frame_that_the_engine_fails_on_is_told_and_costs_no_other(service: Served, client: Client) -> None:
    active = service.monitor.models.active
    assert active is not None
    poisoned = torch.from_numpy(active.detector.prepare(pictures(40)[17]).image)

    def fail(images: Tensor) -> None:
        if any(torch.equal(image, poisoned) for image in images):
            raise RuntimeError("a bug")

    client.create_stream(id="gate", policy="every")
    with Patched(service, fail):
        said = send(client, "gate", 40)
    dropped = [message for message in said if message["type"] == "dropped"]
    assert [(message["frame"], message["cause"], message["detail"]) for message in dropped] == [(17, "fault", "a bug")]
    assert [message["frame"] for message in scores(said)] == [n for n in range(40) if n != 17]
    assert [message["seq"] - said[0]["newest"] for message in scores(said)] == list(range(1, 40))
    assert scores(said)[-1]["raw"] is not None
    assert client.ready() == []


def test_an_engine_that_crashes_is_started_again(tmp_path: Path) -> None:
    with served(tmp_path) as running, Client(running.url, timeout=120) as client:
        client.create_stream(id="gate", policy="every")
        crash(running.monitor.scorer, 1)
        said = send(client, "gate", 40)
        lost = [message for message in said if message["type"] == "dropped"]
        assert lost and {message["detail"] for message in lost} == {"the scorer has crashed: a bug"}
        assert len(scores(said)) == 40 - len(lost)
        assert client.ready() == []
        assert "framewatch_scorer_restarts 1.0" in client.metrics()
        crash(running.monitor.scorer, math.inf)
        with client.ingest("gate", header=True) as sender:
            for n in range(8):
                sender.send(FRAMES[n], captured=1e6 + n * INTERVAL)
                wait_for(lambda n=n: client.stream("gate")["dropped"]["fault"] > len(lost) + n or client.ready())  # type: ignore[misc]
                if client.ready():
                    break
        assert "the scorer has crashed" in client.ready()[0]
        assert client.request("GET", "/healthz").status_code == 200
        with client.ingest("gate") as sender:
            sender.send(FRAMES[0])
            with pytest.raises(ServiceError, match="the scorer has crashed") as error:
                list(sender.finish())
        assert error.value.status == 1011
        with pytest.raises(ServiceError, match="503: the scorer has crashed"):
            client.activate_model("door")
        client.delete_stream("gate")
        assert client.streams() == []


def test_want_of_memory_costs_no_frame(service: Served, client: Client) -> None:
    client.create_stream(id="gate", policy="every")
    plain = scores(send(client, "gate", 30))
    client.create_stream(id="yard", policy="every")
    calls = itertools.count(1)

    def short(images: Tensor) -> None:
        if next(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    begun = threading.Event()

    def hold() -> None:
        with held(service.monitor.scorer, decoded=4):  # so that the first batch is a large one
            begun.set()

    holding = threading.Thread(target=hold)
    holding.start()
    assert begun.wait(120)
    with Patched(service, short):
        pressed = scores(send(client, "yard", 30))
    holding.join()
    assert next(calls) > 30
    assert [message["frame"] for message in pressed] == list(range(30))
    assert [message["raw"] for message in pressed] == [
        None if message["raw"] is None else pytest.approx(message["raw"], rel=1e-5) for message in plain
    ]
    assert client.ready() == []


# clients


def test_a_client_that_vanishes_in_the_middle_of_a_batch_costs_nobody_else_anything(
    service: Served, client: Client
) -> None:
    entered, opened = threading.Event(), threading.Event()

    def held(images: Tensor) -> None:
        entered.set()
        assert opened.wait(120)

    client.create_stream(id="gate", policy="every")
    client.create_stream(id="yard", policy="every")
    said: list[Message] = []

    def other() -> None:
        with Client(service.url, timeout=120) as second:
            said.extend(send(second, "yard", 30))

    pushing = threading.Thread(target=other)
    with Patched(service, held):
        with connect(f"{service.ws}/v1/streams/gate/ingest?header=1", proxy=None) as end:
            for n, frame in enumerate(FRAMES[:10]):
                end.send(HEADER.pack(round(n * INTERVAL * 1e6), n, 0) + frame)
            wait_for(lambda: service.monitor.roster.get("gate").frames_in == 10)
            pushing.start()
            assert entered.wait(120)
            vanish(end)
        wait_for(lambda: service.monitor.roster.get("gate").sender is None)
        opened.set()
        pushing.join(120)
    assert [message["frame"] for message in scores(said)] == list(range(30))
    wait_for(lambda: client.stream("gate")["scored"] == 10)
    assert client.stream("gate")["health"] == "reconnecting"
    assert len(scores(send(client, "gate", 10, start=2e9))) == 10
    client.delete_stream("gate")
    client.delete_stream("yard")
    wait_for(lambda: service.monitor.scorer.slots == 0)
    wait_for(lambda: len(service.monitor.visits) == service.monitor.hub.subscribers == 0)


def test_a_stream_that_is_deleted_in_the_middle_of_a_batch_leaves_nothing(service: Served, client: Client) -> None:
    entered, opened = threading.Event(), threading.Event()

    def held(images: Tensor) -> None:
        entered.set()
        assert opened.wait(120)

    client.create_stream(id="gate", policy="every")
    with Patched(service, held), client.ingest("gate", header=True) as sender:
        for n, frame in enumerate(FRAMES[:10]):
            sender.send(frame, captured=n * INTERVAL)
        assert entered.wait(120)
        deleting = threading.Thread(target=delete, args=(service.url, "gate"))
        deleting.start()
        wait_for(lambda: service.monitor.roster.get("gate").stream.closed)  # type: ignore[union-attr]
        opened.set()
        deleting.join(120)
        said: list[Message] = []
        with pytest.raises(ServiceError) as error:  # noqa: PT012
            for message in sender.received(seconds=60):
                said.append(message)
        assert (error.value.status, scores(said)) == (1000, [])
    wait_for(lambda: service.monitor.scorer.slots == 0)
    assert client.streams() == []


def delete(url: str, id: str) -> None:
    with Client(url, timeout=120) as client:
        client.delete_stream(id)


def never_read(url: str, path: str) -> socket.socket:
    """A websocket that was opened and is not read from."""
    place = urlsplit(url)
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    end.connect((place.hostname, place.port))
    end.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return end


def test_a_subscriber_that_never_reads_is_cut_off_and_costs_nobody_else_anything(tmp_path: Path) -> None:
    with served(tmp_path, replay_count=10) as running, Client(running.url, timeout=120) as client:
        hub = running.monitor.hub
        hub._limits = SubscriberLimits(queued=20, patience=0.3)
        client.create_stream(id="gate", policy="every")
        with never_read(running.url, "/v1/streams/gate/scores") as deaf:
            wait_for(lambda: hub.subscribers == 1)
            following = client.follow("gate")
            assert next(following)["type"] == "hello"
            got: list[int] = []
            seq = 0
            until = time.monotonic() + 120
            while hub.subscribers == 2:  # what the sockets of the deaf one hold has to be filled first
                assert time.monotonic() < until, "it is not cut off"
                batch = [messages.score(score(seq + n), 1) for n in range(1, 26)]
                seq += 25
                running.monitor.in_loop(lambda batch=batch: hub.publish(batch))  # type: ignore[misc]
                while not got or got[-1] < seq:
                    message = next(following)
                    assert message["type"] == "score", message
                    got.append(message["seq"])
            assert got == list(range(1, seq + 1))
            following.close()
            assert deaf.recv(1 << 16).startswith(b"HTTP/1.1 101")
        wait_for(lambda: len(running.monitor.visits) == 0)
        assert hub.lost > 0


def score(seq: int) -> Score:
    return Score("gate", seq, seq, seq / 10, 1.7e9, 1.7e9, 0.1, 0.5, 0.5, 0.1, State.NORMAL)


def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header(client: Client) -> None:
    whole = jpeg(pictures(1)[0])
    at = whole.index(b"\0\x40\0\x60")  # height and width
    bomb = whole[:at] + (30_000).to_bytes(2, "big") * 2 + whole[at + 4 :]
    client.create_stream(id="gate", policy="every")
    with client.ingest("gate") as sender:
        sender.send(bomb)
        sender.send(whole)
        said = list(sender.finish())
    (dropped,) = [message for message in said if message["type"] == "dropped"]
    assert dropped["detail"] == "30000×30000 pixels: expected 1 to 33554432"
    assert len(scores(said)) == 1


def test_pictures_that_change_their_size_begin_a_new_window(client: Client) -> None:
    client.create_stream(id="gate", policy="every")
    larger = [png(image.repeat(2, 0).repeat(2, 1)) for image in pictures(40)]
    tiny = png(pictures(1)[0][:1, :1])
    with client.ingest("gate", header=True) as sender:
        for n in range(40):
            frame = tiny if n == 5 else FRAMES[n] if n < 20 else larger[n]
            sender.send(frame, captured=n * INTERVAL, number=n)
        said = list(sender.finish())
    assert [message["frame"] for message in said if message["type"] == "dropped"] == [5]
    assert [message["frame"] for message in scores(said)] == [n for n in range(40) if n != 5]
    by_number = {message["frame"]: message for message in scores(said)}
    assert by_number[20]["raw"] is None and "size" in by_number[20]["reason"]
    assert by_number[39]["raw"] is not None


# the disk


class FullDisk:
    """The store's connections; while `full`, nothing can be committed."""

    def __init__(self) -> None:
        self.full = False

    def connect(self, folder: Path) -> sqlite3.Connection:
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
                if sql == "COMMIT" and disk.full:
                    error = sqlite3.OperationalError("database or disk is full")
                    error.sqlite_errorcode = sqlite3.SQLITE_FULL
                    raise error
                return super().execute(sql, *values)

        connection = sqlite3.connect(
            folder / files.MAIN, factory=Connection, isolation_level=None, check_same_thread=False
        )
        connection.execute("ATTACH ? AS history", (str(folder / files.HISTORY),))
        return connection


def test_a_full_disk_is_said_and_borne_and_recovered_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk()
    opened = Store.open
    monkeypatch.setattr(Store, "open", lambda folder: opened(folder, connect=disk.connect, retry_s=0.05))
    with served(tmp_path) as running, Client(running.url, timeout=120) as client:
        client.create_stream(id="gate", policy="every")
        client.create_stream(id="yard", policy="every")
        job = client.put_video(footage(tmp_path, 600))["id"]
        assert {message.get("durable", True) for message in scores(send(client, "gate", 10))} == {True}
        disk.full = True
        said = scores(send(client, "gate", 20, start=100.0))
        assert [message.get("durable", True) for message in said] == [False] * 20
        assert "full" in client.ready()[0]
        for refused in (
            lambda: client.put_video(footage(tmp_path, 1)),
            lambda: client.create_stream(id="new"),
            lambda: client.change_stream("gate", threshold=0.9),
            lambda: client.delete_stream("yard"),
        ):
            with pytest.raises(ServiceError, match="full") as error:
                refused()
            assert error.value.status in (503, 507)
            assert error.value.retry_after
        assert {stream["id"] for stream in client.streams()} == {"gate", "yard"}
        assert [message.get("durable", True) for message in scores(send(client, "yard", 10))] == [False] * 10
        disk.full = False
        wait_for(lambda: client.ready() == [])
        assert [score["seq"] for score in client.scores("gate")] == list(range(1, 31))
        assert {message.get("durable", True) for message in scores(send(client, "gate", 10, start=200.0))} == {True}
        client.create_stream(id="new")
        assert client.wait_for_job(job)["state"] == "done"
        assert [row["frame"] for row in client.job_scores(job)] == list(range(600))
    with served(tmp_path) as running, Client(running.url, timeout=120) as client:
        assert {stream["id"] for stream in client.streams()} == {"gate", "new", "yard"}
        assert [score["seq"] for score in client.scores("yard")] == list(range(1, 11))
