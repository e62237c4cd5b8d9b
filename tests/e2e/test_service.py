"""The service from outside: streams, frames, scores, events, jobs, on real sockets."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from service.client import Client, ServiceError
from tests.e2e.given import footage, send
from tests.e2e.heard import read, refusal, types
from tests.e2e.serving import Served
from tests.model.detectors import INTERVAL, pictures
from tests.service.live import jpeg, png


@pytest.fixture(scope="module")
def changes() -> dict[str, Any]:
    return {"max_frame_bytes": 20_000, "stalled_after_s": 600}


def test_a_service_that_has_started_is_ready(client: Client) -> None:
    assert client.ready() == []
    version = client.version()
    assert version["model"] == "door"
    assert version["ffmpeg"]


def test_a_stream_is_made_read_changed_and_removed(client: Client) -> None:
    made = client.create_stream(id="gate", name="North gate")
    assert (made["health"], made["model"], made["options"]["policy"]) == ("connecting", "door", "latest")
    assert client.change_stream("gate", threshold=0.9)["threshold"] == pytest.approx(0.9)
    assert client.change_stream("gate", threshold=1, mask=[[[0, 0], [0, 1], [1, 1.0]]])["threshold"] == 1.0
    refusal(422, client.change_stream, "gate", threshold=True)
    assert client.change_stream("gate", threshold=None)["threshold"] == pytest.approx(0.5)
    assert client.stream("gate")["name"] == "North gate"
    client.delete_stream("gate")
    refusal(404, client.stream, "gate")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"id": "../x"}, 422),
        ({"id": "a", "treshold": 1}, 422),
        ({"id": "a", "threshold": -1}, 422),
        ({"id": "a", "max_rate": 0.001}, 422),
        ({"id": "a", "threshold": True}, 422),
        ({"id": "a", "threshold": "5"}, 422),
        ({"id": "a", "mask": [[[0, 0], [0, "1"], [1, 1]]]}, 422),
        ({"id": "a", "loop": "yes"}, 422),
        ({"id": "a", "model": "none"}, 404),
        ({"id": "a", "model": "../door"}, 404),
        ({"id": "a", "source": "file:///etc/passwd"}, 422),
        ({"id": "a", "source": "rtsp://127.0.0.1/live"}, 422),
        ({"id": "a", "source": "/etc/passwd"}, 422),
        ({"id": "taken"}, 409),
    ],
)
def test_a_stream_that_cannot_be_is_refused(client: Client, fields: dict[str, Any], status: int) -> None:
    client.create_stream(id="taken")
    refusal(status, client.create_stream, **fields)
    assert [stream["id"] for stream in client.streams()] == ["taken"]


def test_the_login_of_a_camera_is_never_shown(client: Client) -> None:
    made = client.create_stream(id="cam", source="rtsp://user:hunter2@192.0.2.1/live")
    shown = [made, client.stream("cam"), client.streams(), client.change_stream("cam", name="Cam")]
    assert "hunter2" not in str(shown)
    assert "192.0.2.1" in made["source"]


def test_pushed_frames_come_back_as_scores(client: Client) -> None:
    client.create_stream(id="gate", policy="every")
    said = send(client, "gate")
    assert said[0]["type"] == "hello"
    before = said[0]["newest"]
    assert [message["seq"] - before for message in said if message["type"] == "score"] == list(range(1, 21))
    assert said[-1]["type"] == "bye"
    view = client.stream("gate")
    assert (view["frames"], view["health"]) == (20, "ended")
    stored = list(client.scores("gate", limit=7))
    assert [score["seq"] - before for score in stored] == list(range(1, 21))
    assert client.stream_picture("gate").startswith(b"\xff\xd8")
    assert client.stream_heat_map("gate").startswith(b"\xff\xd8")


def test_frames_without_a_header_count_by_their_arrival(client: Client) -> None:
    client.create_stream(id="gate", policy="every")
    with client.ingest("gate") as sender:
        for image in pictures(5):
            sender.send(jpeg(image))
        said = list(sender.finish())
    assert "score" in types(said)
    assert abs(time.time() - client.stream("gate")["latest"]["pts"]) < 60


def test_a_bad_frame_is_told_and_costs_nothing_else(client: Client) -> None:
    client.create_stream(id="gate", policy="every")
    with client.ingest("gate", header=True) as sender:
        for n, image in enumerate(pictures(12)):
            sender.send(b"no picture" if n == 3 else png(image), captured=n * INTERVAL)
        said = list(sender.finish())
    dropped = [message for message in said if message["type"] == "dropped"]
    assert [(message["frame"], message["cause"]) for message in dropped] == [(3, "bad")]
    assert len([message for message in said if message["type"] == "score"]) == 11


def test_a_camera_whose_pictures_do_not_fit_the_model_is_not_just_live(client: Client) -> None:
    client.create_stream(id="gate", policy="every")
    said = client.follow("gate")
    next(said)
    with client.ingest("gate", header=True) as sender:
        for n in range(8):
            sender.send(png(np.zeros((64, 64), np.uint8)), captured=n * INTERVAL)
        told = next(message for message in said if message["type"] == "health" and message["reason"])
        view, hello = client.stream("gate"), next(client.follow("gate"))
        assert client.stream_picture("gate").startswith(b"\xff\xd8")
        for n, image in enumerate(pictures(3), start=8):
            sender.send(png(image), captured=n * INTERVAL)
        assert next(message for message in said if message["type"] == "health")["reason"] == ""
        list(sender.finish())
    reason = "picture is 64x64, the model was trained on 96x64: the aspect differs by 33% (at most 3%)"
    assert [one["health"] for one in (told, view, hello)] == ["live"] * 3
    assert all(one["reason"].startswith(reason) for one in (told, view, hello))


@pytest.mark.parametrize(
    ("message", "code"), [(b"x" * 30_000, 1009), ("no frame", 1003), (b"short", 1008), (b"\xff" * 40, 1008)]
)
def test_what_is_no_frame_ends_the_connection_with_a_reason(client: Client, message: bytes | str, code: int) -> None:
    client.create_stream(id="gate")
    url = f"{client._url.replace('http', 'ws')}/v1/streams/gate/ingest?header=1"
    with connect(url, proxy=None) as socket:
        socket.send(message)
        said = read(socket)
    assert '"type":"error"' in said[-1]
    assert socket.close_code == code


def test_a_stream_has_one_sender_at_a_time(client: Client) -> None:
    client.create_stream(id="gate")
    with client.ingest("gate"), pytest.raises(ServiceError) as error, client.ingest("gate"):
        pass
    assert error.value.status == 409


def test_frames_cannot_be_pushed_where_there_is_no_stream(client: Client) -> None:
    with pytest.raises(ServiceError) as error, client.ingest("nowhere"):
        pass
    assert error.value.status == 404
    with pytest.raises(InvalidStatus) as refused, connect(f"{client._url.replace('http', 'ws')}/v1/stream/gate/ingest"):
        pass
    assert refused.value.response.status_code == 404


def test_a_subscriber_gets_every_score_from_where_it_was(client: Client) -> None:
    client.create_stream(id="gate", policy="every")
    hello = send(client, "gate")[0]
    first = hello["newest"] + 6
    got = []
    for message in client.follow("gate", since=f"{hello['epoch']}:{first - 1}"):
        got.append(message)
        if message.get("seq") == first + 14:
            break
    assert got[0]["type"] == "hello"
    assert [message["seq"] for message in got if message["type"] == "score"] == list(range(first, first + 15))


def test_all_streams_can_be_followed_at_once_in_batches(client: Client) -> None:
    for name in ("gate", "yard"):
        client.create_stream(id=name, policy="every")
    following = client.follow(batch_ms=20)
    assert next(following)["type"] == "hello"
    send(client, "gate", 10)
    send(client, "yard", 10)
    streams = set()
    for message in following:
        if message["type"] == "score":
            streams.add(message["stream"])
        if len(streams) == 2:
            break
    following.close()


def test_event_streams_carry_the_position_to_resume_from(client: Client) -> None:
    client.create_stream(id="gate", policy="every")
    hello = send(client, "gate", 10)[0]
    epoch, first = hello["epoch"], hello["newest"] + 5
    url = f"{client._url}/v1/streams/gate/scores/sse"
    ids = []
    with httpx2.stream("GET", url, headers={"Last-Event-ID": f"{epoch}:{first - 1}"}, timeout=120) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line.startswith("id: "):
                ids.append(line[4:])
            if len(ids) == 6:
                break
    assert ids == [f"{epoch}:{seq}" for seq in range(first, first + 6)]


def test_a_deleted_stream_says_goodbye(client: Client) -> None:
    client.create_stream(id="gate")
    following = client.follow("gate")
    assert next(following)["type"] == "hello"
    client.delete_stream("gate")
    assert list(following)[-1]["type"] == "bye"


def test_events_are_found_and_labelled(client: Client) -> None:
    client.create_stream(id="gate", policy="every", threshold=1e-6, minimum=0, smoothing=0)
    said = send(client, "gate", 30)
    assert "event.opened" in types(said)
    (event,) = client.events(stream="gate")
    assert (event["label"], event["stream"]) == (None, "gate")
    assert client.label_event(event["id"], "false")["label"] == "false"
    assert [found["id"] for found in client.events(stream="gate", label="false")] == [event["id"]]


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("a.mp4", b"#EXTM3U\nhttp://169.254.169.254/", 415),
        ("a.mp4", b"", 415),
        ("a.jpg", jpeg(pictures(1)[0]), 415),
    ],
)
def test_what_is_no_video_is_refused(client: Client, name: str, content: bytes, status: int, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    refusal(status, client.put_video, path)
    refusal(status, client.post_videos, [path])
    folder = Path(str(tmp_path))
    assert folder.exists()


def test_a_damaged_video_fails_with_a_reason(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 5000)
    job = client.wait_for_job(client.put_video(path)["id"])
    assert job["state"] == "failed"
    assert "a.mp4" in job["error"]
    refusal(409, client.job_scores, job["id"])
    client.delete_job(job["id"])
    refusal(404, client.job, job["id"])


@pytest.mark.parametrize("options", [{"smooth": "x"}, {"fps": -1}, {"normalize": "all"}, {"colour": 1}])
def test_options_of_a_job_are_checked_at_once(client: Client, options: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 5000)
    refusal(422, client.put_video, path, **options)
    refusal(422, client.post_videos, [path], **options)


def test_the_description_needs_nothing_from_elsewhere(client: Client) -> None:
    page = client.request("GET", "/docs").text
    assert "http://" not in page and "https://" not in page
    assert client.request("GET", "/docs/assets/swagger-ui-bundle.js").status_code == 200
    described = client.request("GET", "/openapi.json").json()
    assert "/v1/streams/{id}" in described["paths"]


def test_metrics_of_a_removed_stream_are_gone(client: Client) -> None:
    client.create_stream(id="gate", policy="every")
    send(client, "gate", 10)
    text = client.metrics()
    assert 'framewatch_stream_frames_total{stream="gate"} 10.0' in text
    client.delete_stream("gate")
    assert 'stream="gate"' not in client.metrics()


def test_an_unknown_model_is_not_activated(client: Client) -> None:
    refusal(404, client.activate_model, "none")
    assert client.version()["model"] == "door"


def test_a_job_can_be_cancelled(tmp_path: Path, client: Client, service: Served) -> None:
    ids = [client.put_video(footage(tmp_path, 2000))["id"] for _ in range(2)]
    for id in reversed(ids):
        client.delete_job(id)
    assert [client.wait_for_job(id)["state"] for id in ids] == ["cancelled", "cancelled"]
    for id in ids:
        assert not (service.monitor.jobs.folder / id).exists()
