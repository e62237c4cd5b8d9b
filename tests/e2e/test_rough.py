"""Rough handling: changes at once, an engine that has given up, clients that fall silent, a disk that fills up."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from service import app, monitor
from service.announcer import Watch
from service.api import videos
from service.client import Client, ServiceError
from service.commands import serve
from service.patience import Silence
from service.problems import Problem
from service.records import Health, IncomingFrame
from tests.e2e.given import FRAMES, footage
from tests.e2e.serving import Served, served
from tests.waiting import wait_for


@contextmanager
def held(service: Served) -> Iterator[None]:
    """The engine stands still meanwhile."""
    release, stands = threading.Event(), threading.Event()

    def stand() -> None:
        stands.set()
        release.wait()

    service.monitor.scorer.run(stand)
    assert stands.wait(60)
    try:
        yield
    finally:
        release.set()


def raw(service: Served, data: bytes) -> bytes:
    """What is answered to these bytes until the service hangs up."""
    url = urlsplit(service.url)
    answer = b""
    connecting = socket.create_connection((url.hostname, url.port), timeout=60)
    with suppress(ConnectionError), connecting as connection:  # it may hang up before it has read anything
        connection.sendall(data)
        while some := connection.recv(4096):
            answer += some
    return answer


def test_changes_that_come_at_once_are_all_made(client: Client, service: Served) -> None:
    client.create_stream(id="gate")
    names = ("threshold", "smoothing", "cooldown", "minimum")

    def change(name: str, value: float) -> None:
        with Client(service.url, timeout=120) as one:
            one.change_stream("gate", **{name: value})

    with ThreadPoolExecutor(len(names)) as threads:
        for value in (1.0, 2.0, 3.0):
            list(threads.map(change, names, [value] * len(names)))
            options = client.stream("gate")["options"]
            assert {name: options[name] for name in names} == dict.fromkeys(names, value)


@pytest.mark.parametrize(
    "moment", ["9999-12-31T23:59:59-10:00", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00+10:00"]
)
def test_a_mute_that_no_answer_could_say_is_refused(client: Client, moment: str) -> None:
    client.create_stream(id="gate")
    with pytest.raises(ServiceError, match="muted_until") as error:
        client.change_stream("gate", muted_until=moment)
    assert error.value.status == 422
    assert [stream["id"] for stream in client.streams()] == ["gate"]


def test_a_stream_can_be_deleted_when_the_engine_has_given_up(
    client: Client, service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_stream(id="gate")
    monkeypatch.setattr(service.monitor.scorer, "failed", "the scorer has crashed 6 times")
    client.delete_stream("gate")
    assert client.streams() == []


def test_an_event_is_not_over_before_the_last_frame_is_scored(
    client: Client, service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_stream(id="gate", policy="every")
    roster, scorer = service.monitor.roster, service.monitor.scorer
    member = roster.get("gate")
    assert member.stream is not None
    asked: list[Any] = []

    def ask(function: Any) -> Future[Any]:
        asked.append(function)
        return Future()

    with held(service):
        monkeypatch.setattr(Watch, "going_on", property(lambda watch: True))
        monkeypatch.setattr(scorer, "run", ask)
        member.stream.offer(IncomingFrame(0, 0.0, 1.7e9, FRAMES[0]))
        wait_for(lambda: member.stream is not None and not len(member.stream.queue))  # it is on its way
        roster.arrivals.set_health(member, Health.ENDED)
        roster.tick()
        assert asked == []
        monkeypatch.undo()


def test_nothing_is_said_of_a_stream_that_is_removed(client: Client, service: Served) -> None:
    client.create_stream(id="gate")
    roster = service.monitor.roster
    member = roster.get("gate")
    client.delete_stream("gate")
    roster.arrivals.set_health(member, Health.RECONNECTING, "the client went away")
    assert member.health is Health.CONNECTING


def test_what_becomes_of_a_camera_is_logged_once_without_its_login(
    client: Client, service: Served, caplog: pytest.LogCaptureFixture
) -> None:
    client.create_stream(id="gate")
    arrivals = service.monitor.roster.arrivals
    caplog.set_level(logging.INFO, "service.arrivals")
    reason = "rtsp://viewer:secret@192.0.2.7/live does not answer"
    for health, why in [(Health.RECONNECTING, reason), (Health.RECONNECTING, reason), (Health.LIVE, "")]:
        arrivals.heard("gate", health, why, "")
    said = [record.getMessage() for record in caplog.records]
    assert said == ["stream gate: reconnecting: rtsp://***@192.0.2.7/live does not answer", "stream gate: live"]


def test_a_fault_of_one_second_does_not_end_what_is_done_every_second(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[int] = []

    def fail() -> None:
        ticks.append(1)
        raise RuntimeError("a fault")

    monkeypatch.setattr(service.monitor.roster, "tick", fail)
    wait_for(lambda: len(ticks) >= 2)


def test_a_job_that_waits_is_cancelled_at_once(client: Client, service: Served, tmp_path: Path) -> None:
    with held(service):
        running, waiting = (client.put_video(footage(tmp_path, 50))["id"] for _ in range(2))
        client.delete_job(waiting)
        assert client.job(waiting)["state"] == "cancelled"
        assert not (service.monitor.jobs.folder / waiting).exists()
        assert service.monitor.jobs.open == 1
    assert client.wait_for_job(running)["state"] == "done"


def test_uploads_under_way_count_as_jobs(tmp_path: Path) -> None:
    with served(tmp_path, max_jobs=1) as running:
        jobs = running.monitor.jobs
        _, folder = jobs.admit()
        with pytest.raises(Problem, match="1 jobs wait or are being uploaded"):
            jobs.admit()
        jobs.discard(folder)
        jobs.discard(jobs.admit()[1])


@pytest.mark.parametrize("form", [False, True], ids=["as it is", "as a form"])
def test_an_upload_ends_before_it_fills_the_disk(
    client: Client, service: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: bool
) -> None:
    path = footage(tmp_path, 40)
    looks: list[int] = []

    def look(expected: int = 0) -> None:
        looks.append(expected)
        if len(looks) > 1:
            raise Problem(507, "there is too little free disk space for uploads")

    monkeypatch.setattr(videos, "_LOOK", 0)
    monkeypatch.setattr(service.monitor.jobs, "check_space", look)
    upload = partial(client.post_videos, [path]) if form else partial(client.put_video, path)
    with pytest.raises(ServiceError, match="disk space") as error:
        upload()
    assert error.value.status == 507
    assert list(service.monitor.jobs.folder.iterdir()) == []


def test_a_client_that_falls_silent_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_HEAD", 0.5)
    monkeypatch.setattr(app, "SILENCE", 0.5)
    with served(tmp_path) as running:
        assert raw(running, b"") == b""
        assert raw(running, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow:") == b""
        running.server._silence = Silence(60.0)  # type: ignore[attr-defined]
        half = b"PUT /v1/videos/x.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 9999\r\n\r\na"
        assert raw(running, half).startswith(b"HTTP/1.1 408 ")
        assert not any((tmp_path / "uploads").iterdir())


def test_a_camera_that_the_settings_no_longer_allow_is_said_to_have_failed(tmp_path: Path) -> None:
    with served(tmp_path) as before, Client(before.url) as client:
        client.create_stream(id="yard", source="rtsp://192.0.2.1/live")
    with served(tmp_path, camera_networks="10.0.0.0/8") as after, Client(after.url) as client:
        found = client.stream("yard")
        assert (found["health"], found["error_class"]) == ("failed", "refused")
        assert "camera_networks" in found["reason"]


def test_a_first_start_that_cannot_write_its_key_leaves_nobody_shut_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path, key: str) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(monitor, "write_admin_key", fail)
        with pytest.raises(OSError, match="No space"), served(tmp_path, auth="on"):
            pass
    with served(tmp_path, auth="on") as running:
        key = (tmp_path / "admin.key").read_text().strip()
        assert httpx2.get(f"{running.url}/v1/streams", headers={"X-API-Key": key}).json() == {"streams": []}


def test_a_model_that_cannot_be_remembered_is_not_activated(
    client: Client, service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, text: str, **how: str) -> int:
        raise OSError(28, "No space left on device")

    models, before = service.monitor.models, service.monitor.models.active
    monkeypatch.setattr(models, "activate", lambda *arguments, **named: pytest.fail("it was activated"))
    monkeypatch.setattr(Path, "write_text", write)
    with pytest.raises(ServiceError) as error:
        client.activate_model("door")
    assert error.value.status == 507
    assert models.active is before
