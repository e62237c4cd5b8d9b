"""What clients may cost, what they are told of a job, and what an engine that hangs looks like, on real sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import connect

from service import monitor
from service.auth import mint
from service.client import Client
from service.store import KeyFile
from tests.e2e.serving import Served, served
from tests.model.drawn import write_video


@pytest.fixture(scope="module")
def revoking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("data")
    with served(folder, auth="on") as running:
        with Client(running.url, key=(folder / "admin.key").read_text().strip()) as client:
            client.create_stream(id="gate")
        yield running


def said(service: Served, path: str) -> list[dict[str, Any]]:
    """Everything that a websocket says to its end."""
    found = []
    with connect(f"{service.ws}{path}", proxy=None) as socket:
        try:
            while True:
                found.append(orjson.loads(socket.recv(timeout=120)))
        except ConnectionClosedOK:
            return found


def test_a_job_is_followed_to_its_end(tmp_path: Path) -> None:
    with served(tmp_path / "data") as running, Client(running.url, timeout=120) as client:
        id = client.put_video(write_video(tmp_path / "v.mp4", 30))["id"]
        told = said(running, f"/v1/jobs/{id}/progress")
        assert {message["type"] for message in told} == {"job"}
        progress = [message["progress"] for message in told]
        assert progress == sorted(progress)
        assert (told[-1]["state"], told[-1]["progress"], told[-1]["frames"]) == ("done", 1.0, 30)
        assert said(running, f"/v1/jobs/{id}/progress") == told[-1:]
        with pytest.raises(InvalidStatus) as error:
            said(running, "/v1/jobs/none/progress")
        assert error.value.response.status_code == 404


def test_the_holders_of_one_key_do_not_take_all_places(tmp_path: Path) -> None:
    with served(tmp_path, auth="on", max_clients_per_key=1) as running:
        headers = {"X-API-Key": (tmp_path / "admin.key").read_text().strip()}
        url = f"{running.ws}/v1/scores"
        for _ in range(2):  # a place is free again when its holder has gone
            with connect(url, additional_headers=headers, proxy=None) as first:
                first.recv(timeout=60)
                with pytest.raises(InvalidStatus) as error, connect(url, additional_headers=headers, proxy=None):
                    pass
                assert error.value.response.status_code == 429
                assert error.value.response.headers["retry-after"] == "10"
            until = time.monotonic() + 60
            while len(running.monitor.visits):
                assert time.monotonic() < until
                time.sleep(0.02)


@pytest.mark.parametrize("path", ["/v1/scores", "/v1/streams/gate/ingest", "/v1/streams/gate/picture"])
def test_who_holds_a_revoked_key_is_shown_out(revoking: Served, path: str) -> None:
    data = revoking.monitor.settings.data_dir
    key, record = mint("guest", ("read", "ingest"), time.time())
    with KeyFile(data) as keys:
        keys.put(record)
        revoking.monitor.access._read_at = float("-inf")
        with connect(revoking.ws + path, additional_headers={"X-API-Key": key}, proxy=None) as socket:
            keys.revoke(record.id, time.time())
            said = []
            with suppress(ConnectionClosedError):
                while True:
                    said.append(orjson.loads(socket.recv(timeout=60)))
        assert (said[-1]["type"], said[-1]["code"]) == ("error", "revoked")
        assert socket.close_code == 1008


def test_an_engine_that_hangs_is_said_to_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "BEAT", 0.7)
    release = threading.Event()
    with served(tmp_path) as running, Client(running.url, timeout=120) as client:
        try:
            running.monitor.scorer.run(release.wait)
            until = time.monotonic() + 60
            while not (reasons := client.ready()):
                assert time.monotonic() < until
                time.sleep(0.05)
            assert "has not moved" in reasons[0]
            assert client.streams() == []  # everything else is answered
        finally:
            release.set()
        until = time.monotonic() + 60
        while client.ready():
            assert time.monotonic() < until
            time.sleep(0.05)
