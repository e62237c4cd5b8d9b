"""A service is started as it is to be, stopped, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

from service.client import Client, ServiceError
from tests.conftest import ROOT
from tests.e2e.given import footage, send
from tests.e2e.heard import read, refusal, types
from tests.e2e.serving import served
from tests.service.command_line import write_checkpoint


def test_streams_and_scores_are_there_after_a_restart(tmp_path: Path) -> None:
    with served(tmp_path) as first, Client(first.url) as client:
        client.create_stream(id="gate", policy="every", threshold=0.7)
        send(client, "gate", 10)
    with served(tmp_path) as second, Client(second.url) as client:
        view = client.stream("gate")
        assert view["threshold"] == pytest.approx(0.7)
        send(client, "gate", 10, start=100.0)
        epochs = [score["epoch"] for score in client.scores("gate")]
        assert epochs == [1] * 10 + [2] * 10


def test_a_job_that_a_stop_cuts_off_begins_anew(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(data) as first, Client(first.url, timeout=120) as client:
        id = client.put_video(footage(tmp_path, 300))["id"]
    with served(data) as second, Client(second.url, timeout=120) as client:
        assert client.wait_for_job(id)["state"] == "done"
        assert [row["frame"] for row in client.job_scores(id)] == list(range(300))
    assert list((data / "uploads").iterdir()) == []


def test_a_stop_tells_clients_that_the_service_restarts(tmp_path: Path) -> None:
    with served(tmp_path) as running, Client(running.url) as client:
        client.create_stream(id="gate")
        with connect(f"{running.ws}/v1/streams/gate/scores", proxy=None) as socket:
            socket.recv()
            running.server.should_exit = True
            said = read(socket)
        assert '"type":"bye"' in said[-1]
        assert socket.close_code == 1012


def test_with_keys_on_only_holders_of_a_key_get_in(tmp_path: Path) -> None:
    with served(tmp_path, auth="on") as running:
        key = (tmp_path / "admin.key").read_text().strip()
        with Client(running.url) as stranger:
            assert stranger.ready() == []
            refusal(401, stranger.streams)
            with pytest.raises(ServiceError) as error:
                next(stranger.follow())
            assert error.value.status == 401
        with Client(running.url, key=key) as client:
            assert client.streams() == []
            ticket = client.create_ticket()["ticket"]
        with connect(f"{running.ws}/v1/scores?ticket={ticket}", proxy=None) as socket:
            assert '"type":"hello"' in str(socket.recv())


def test_a_service_without_a_model_says_so_and_takes_one_later(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with served(tmp_path, model=None) as running, Client(running.url) as client:
        assert "model" in client.ready()[0]
        made = client.create_stream(id="gate", policy="every")
        assert (made["model"], made["reason"]) == (None, "no model: learn this camera")
        write_checkpoint(tmp_path / "models" / "new.safetensors")
        assert client.activate_model("new")["active"]
        assert client.ready() == []
        assert "score" in types(send(client, "gate", 10))


def test_limits_are_told_with_the_time_to_come_back(tmp_path: Path) -> None:
    with served(tmp_path, max_streams=1, max_clients=1) as running, Client(running.url) as client:
        client.create_stream(id="gate")
        with pytest.raises(ServiceError) as error:
            client.create_stream(id="yard")
        assert (error.value.status, error.value.retry_after) == (503, 60)
        following = client.follow("gate")
        next(following)
        with pytest.raises(ServiceError) as error:
            next(client.follow("gate"))
        assert error.value.status == 503
        following.close()


@contextmanager
def command(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`framewatch serve` as a process of its own."""
    write_checkpoint(folder / "door.safetensors")
    words = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--device", "cpu"]
    words += ["--model", str(folder / "door.safetensors"), "--data-dir", str(folder / "data")]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ}) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_command_ends_also_when_it_is_told_to_while_it_starts(tmp_path: Path) -> None:
    with command(tmp_path) as process:
        assert process.stderr is not None
        assert any("starting with the data folder" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(60) == 0
        assert "Traceback" not in rest


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    with command(tmp_path) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "serving on http" in line)
        url = line.split("serving on ")[1].split(",")[0]
        with Client(url, timeout=60) as client:  # at once: nobody waits for a model that is being loaded
            assert client.ready() == []
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(120) == 0
        assert "Traceback" not in rest
