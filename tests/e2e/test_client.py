"""The client for Python says everything that the service understands."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.client import Client, ServiceError
from tests.e2e.serving import served
from tests.model.detectors import INTERVAL, pictures
from tests.model.drawn import write_video
from tests.service.alerts.receiver import LOOPBACK, receiving
from tests.service.live import png
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    sources = {"yard": write_video(tmp_path_factory.mktemp("sources") / "yard.mp4", 40)}
    return {"sources": sources, "webhook_networks": LOOPBACK, "clip_after_s": 0}


def excite(client: Client, id: str) -> None:
    with client.ingest(id, header=True) as sender:
        for n, image in enumerate(pictures(20)):
            sender.send(png(image), captured=n * INTERVAL)
        list(sender.finish())


def test_streams_are_put_shown_and_asked_about(client: Client) -> None:
    made = client.create_stream(request="one", name="Gate", policy="every", threshold=1e-6, minimum=0)
    id = made["id"]
    assert client.create_stream(request="one", name="Gate", policy="every", threshold=1e-6, minimum=0)["id"] == id
    excite(client, id)
    assert {one["name"]: one["streams"] for one in client.models()} == {"door": [id]}
    assert client.activate_model("door")["active"]
    shown = next(client.pictures(id, width=64, heat=True))
    assert (shown.message["seq"], shown.message["health"]) == (20, "ended")
    assert shown.jpeg.startswith(b"\xff\xd8")
    assert shown.heat is not None
    assert client.stream_picture(id).startswith(b"\xff\xd8")
    assert client.stream_heat_map(id).startswith(b"\xff\xd8")
    assert len(client.timeline(id, seconds=5)["time"]) == 20
    assert client.what_if(id)["events"] == 1
    assert client.what_if(id, threshold=1e6, seconds=10)["events"] == 0
    assert client.put_stream(id, name="North gate")["name"] == "North gate"
    client.delete_stream(id, purge=True)


def test_an_event_is_told_labelled_and_has_files(client: Client) -> None:
    with receiving() as receiver:
        webhook = client.create_webhook(receiver.url, name="Chat", streams=["gate"])
        assert [one["name"] for one in client.webhooks()] == ["Chat"]
        assert client.test_webhook(webhook["id"])["ok"]
        client.create_stream(id="gate", policy="every", threshold=1e-6, minimum=0)
        excite(client, "gate")
        wait_for(lambda: [alert["type"] for alert in client.alerts(state="sent")] == ["event.closed", "event.opened"])
        (event,) = client.events(stream="gate", label="none")
        wait_for(lambda: client.event(event["id"])["clip_state"] == "ready")
        assert b"ftyp" in client.event_clip(event["id"])[:12]
        assert client.event_snapshot(event["id"]).startswith(b"\xff\xd8")
        assert client.event_heat_map(event["id"]).startswith(b"\x89PNG")
        assert client.label_event(event["id"], "false")["label"] == "false"
        assert len(client.events_table(stream="gate", label="false").splitlines()) == 2
        assert client.resend_alert(next(client.alerts())["id"])["state"] == "waiting"
        wait_for(lambda: len(receiver.got) == 4)
    assert client.change_webhook(webhook["id"], enabled=False)["enabled"] is False
    client.delete_webhook(webhook["id"])
    client.delete_stream("gate", purge=True)
    with pytest.raises(ServiceError, match="404"):
        client.event_clip(event["id"])


def test_a_camera_is_tried_and_a_job_followed(client: Client, tmp_path: Path) -> None:
    assert client.test_source("yard")["ok"]
    assert client.test_source("none")["error_class"] == "unknown_source"
    video = write_video(tmp_path / "v.mp4", 12)
    id = client.post_videos([video], request="two")["id"]
    assert client.put_video(video, request="three")["id"] == client.put_video(video, request="three")["id"]
    assert list(client.follow_job(id))[-1]["state"] == "done"
    assert id in [job["id"] for job in client.jobs()]
    with pytest.raises(ServiceError, match=r"whole numbers.*'v'") as error:  # clips of the competition have numbers
        client.job_table(id, "submission.csv")
    assert error.value.status == 409


def test_one_who_has_heard_enough_leaves_at_once(client: Client) -> None:
    client.create_stream(id="gate", policy="every")
    excite(client, "gate")
    following = client.follow("gate", since="0:0")
    assert next(following)["type"] == "hello"
    before = time.monotonic()
    following.close()
    assert time.monotonic() - before < 9  # the library would wait for ten seconds behind what was not read
    client.delete_stream("gate", purge=True)


def test_lists_come_page_by_page(client: Client) -> None:
    hooks = {client.create_webhook(f"http://127.0.0.1:9/{number}")["id"] for number in range(3)}
    assert {one["id"] for one in client.webhooks()} == hooks
    for id in hooks:
        client.delete_webhook(id)


def test_a_login_stands_for_the_key_over_http_and_websockets_until_it_ends(tmp_path: Path) -> None:
    with served(tmp_path, auth="on") as running, Client(running.url) as client:
        with pytest.raises(ServiceError, match="401"):
            client.log_in("fw_not_a_key")
        key = (tmp_path / "admin.key").read_text(encoding="ascii").strip()
        assert client.log_in(key)["scopes"] == client.session()["scopes"]
        client.create_stream(id="gate")
        assert next(client.follow("gate"))["type"] == "hello"
        ticket = client.create_ticket()["ticket"]
        with httpx2.stream("GET", f"{running.url}/v1/scores/sse", params={"ticket": ticket}) as answer:
            assert answer.status_code == 200
        client.log_out()
        with pytest.raises(ServiceError, match="401"):
            client.streams()
        with pytest.raises(ServiceError, match="401"):
            next(client.follow("gate"))


def test_a_key_says_whose_it_is_and_what_it_may(tmp_path: Path) -> None:
    with served(tmp_path, auth="on") as running:
        key = (tmp_path / "admin.key").read_text(encoding="ascii").strip()
        with Client(running.url, key=key) as client:
            assert "admin" in client.session()["scopes"]
