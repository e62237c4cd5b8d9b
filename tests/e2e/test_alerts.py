"""Clips and alerts from outside: a stream is pushed, and what becomes of its event is fetched and received."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import httpx2
import orjson
import pytest

from service.alerts.signing import verify
from service.client import Client, ServiceError
from tests.e2e.serving import Served, served
from tests.model.detectors import INTERVAL, pictures
from tests.service.alerts.broker import broker, ear
from tests.service.alerts.receiver import LOOPBACK, receiving
from tests.service.live import jpeg
from tests.waiting import wait_for

START = 1_700_000_000.0


@pytest.fixture(scope="module")
def changes() -> dict[str, Any]:
    return {"clip_before_s": 1.0, "clip_after_s": 0.4, "webhook_networks": LOOPBACK}


@pytest.fixture
def client(client: Client) -> Iterator[Client]:
    yield client
    for webhook in client.webhooks():
        client.delete_webhook(webhook["id"])


def excite(client: Client, id: str, *, count: int = 60, start: float = START) -> None:
    """Pushes frames in which something moves after a while, to a stream for which everything that moves is odd."""
    client.create_stream(id=id, policy="every", threshold=1e-6, minimum=0, smoothing=0)
    still, *moving = pictures(count)
    with client.ingest(id, header=True, scores=False) as sender:
        for n in range(count):
            image = moving[n - 1] if n > count // 2 else still
            sender.send(jpeg(image), captured=start + n * INTERVAL, number=n)
        list(sender.finish())


def settled(client: Client, stream: str) -> dict[str, Any]:
    def done() -> dict[str, Any] | None:
        events = list(client.events(stream=stream))
        return events[-1] if events and events[-1]["ended"] and events[-1]["clip_state"] != "waiting" else None

    found: dict[str, Any] = wait_for(done, seconds=200)
    return found


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_an_event_has_a_clip_of_its_span_that_can_be_played_in_parts(client: Client, tmp_path: Path) -> None:
    excite(client, "gate")
    event = settled(client, "gate")
    assert (event["clip_state"], event["clip_reason"]) == ("ready", "")
    data = client.event_clip(event["id"])
    assert client.request("GET", event["clip"]).content == data
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    with av.open(str(path)) as container:
        shown = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]  # type: ignore[operator]
    began, ended = seconds(event["clip_started"]), seconds(event["clip_ended"])
    captured = [START + n * INTERVAL for n in range(60)]
    expected = [at for at in captured if seconds(event["started"]) - 1.001 <= at <= seconds(event["ended"]) + 0.401]
    assert [began, ended] == pytest.approx([expected[0], expected[-1]])
    assert shown == pytest.approx([at - expected[0] for at in expected], abs=1e-3)
    part = client.request("GET", event["clip"], headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, data[10:20])
    kept = client.request("GET", event["clip"], params={"download": True})
    assert f"framewatch-gate-{event['id']}.mp4" in kept.headers["content-disposition"]
    assert client.event_snapshot(event["id"]).startswith(b"\xff\xd8")
    assert client.event_heat_map(event["id"]).startswith(b"\x89PNG")


def test_an_event_ends_and_has_its_clip_although_its_camera_has_fallen_silent(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.endings.SILENT", 0.5)
    client.create_stream(id="gate", policy="every", threshold=1e-6, minimum=0, smoothing=0)
    with client.ingest("gate", header=True, scores=False) as sender:
        for n, image in enumerate(pictures(40)):
            sender.send(jpeg(image), captured=START + n * INTERVAL, number=n)
        event = settled(client, "gate")  # the sender is there, and sends nothing more
        list(sender.finish())
    assert (event["reason"], event["clip_state"]) == ("gap", "ready")


def test_whoever_follows_is_told_when_the_clip_is_there(client: Client) -> None:
    live = client.follow(None)
    epoch = next(live)["epoch"]
    excite(client, "gate")
    told = next(message for message in live if message["type"] == "event.files")
    live.close()
    event = settled(client, "gate")
    facts = ("id", "stream", "clip", "clip_state", "clip_reason", "clip_started", "clip_ended", "snapshot", "heatmap")
    assert [told[name] for name in facts] == [event[name] for name in facts]
    assert (told["clip_state"], told["epoch"]) == ("ready", epoch)
    missed = client.follow("gate", since=f"{epoch}:0")
    again = next(message for message in missed if message["type"] == "event.files")
    missed.close()
    assert {**again, "at": told["at"]} == told
    with httpx2.stream("GET", f"{client._url}/v1/scores/sse", params={"since": f"{epoch}:{told['at'] - 1}"}) as sse:
        said = (orjson.loads(line[6:]) for line in sse.iter_lines() if line.startswith("data: "))
        assert next(message for message in said if message["type"] != "hello") == told


def test_a_purged_stream_takes_its_clips_along(client: Client, service: Served) -> None:
    excite(client, "gate")
    event = settled(client, "gate")
    folder = service.monitor.settings.data_dir / "events" / str(event["id"])
    assert folder.exists()
    client.delete_stream("gate", purge=True)
    with pytest.raises(ServiceError) as error:
        client.event_clip(event["id"])
    assert error.value.status == 404
    wait_for(lambda: not folder.exists(), seconds=200)


@pytest.mark.parametrize("id", ["0", "999999", "..%2f1", "1%2f..%2f1"])
def test_files_of_no_event_are_not_there(client: Client, id: str) -> None:
    assert httpx2.get(f"{client._url}/v1/events/{id}/clip.mp4").status_code in (404, 422)


def test_a_webhook_is_told_of_begin_and_end_with_links(client: Client) -> None:
    with receiving() as receiver:
        made = client.create_webhook(receiver.url, name="Chat", streams=["gate"])
        assert made["url"] == f"http://127.0.0.1:{receiver.port}/***"
        assert client.test_webhook(made["id"])["ok"] is True
        excite(client, "gate")
        excite(client, "yard")
        event = settled(client, "gate")
        wait_for(lambda: len(receiver.got) >= 3, seconds=200)
        test, opened, closed = receiver.said
    assert [test["type"], opened["type"], closed["type"]] == ["test", "event.opened", "event.closed"]
    assert opened["event"]["id"] == closed["event"]["id"] == event["id"]
    assert client.request("GET", closed["links"]["clip"]).headers["content-type"] == "video/mp4"
    assert all(
        verify(made["secret"], body, headers["framewatch-signature"], time.time()) for headers, body in receiver.got
    )
    sent = wait_for(lambda: len(found := list(client.alerts(state="sent"))) == 2 and found, seconds=200)
    assert {alert["key"] for alert in sent} == set(receiver.keys[1:])
    assert "framewatch_alerts_sent 2.0" in client.metrics()


def test_what_was_given_up_is_listed_and_sent_again(client: Client) -> None:
    with receiving() as receiver:
        receiver.status = 410
        client.create_webhook(receiver.url)
        excite(client, "gate")
        dead = wait_for(lambda: list(client.alerts(state="dead")), seconds=200)[0]
        assert (dead["stream"], dead["error"], dead["attempts"]) == ("gate", "the receiver answered 410", 1)
        receiver.status = 200
        assert client.resend_alert(dead["id"])["state"] == "waiting"
        wait_for(lambda: dead["id"] in [one["id"] for one in client.alerts(state="sent")], seconds=200)
    assert receiver.keys.count(dead["key"]) == 2


def test_a_muted_stream_is_recorded_and_not_announced(client: Client) -> None:
    with receiving() as receiver:
        client.create_webhook(receiver.url)
        client.create_stream(
            id="gate", policy="every", threshold=1e-6, minimum=0, smoothing=0, muted_until="2999-01-01T00:00:00Z"
        )
        with client.ingest("gate", header=True, scores=False) as sender:
            for n, image in enumerate(pictures(20)):
                sender.send(jpeg(image), captured=START + n * INTERVAL)
            list(sender.finish())
        assert settled(client, "gate")["muted"] is True
        assert list(client.alerts()) == []
    assert receiver.got == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "http://169.254.169.254/"}, "alerts may not be sent to this address"),
        ({"url": "http://10.0.0.1/"}, "alerts may not be sent to this address"),
        ({"url": "rtsp://127.0.0.1/"}, "begins with https:// or http://"),
        ({"url": "http://127.0.0.1/", "secret": "short"}, "at least 16"),
        ({"url": "http://127.0.0.1/", "kinds": ["all"]}, "kinds"),
        ({"url": "http://127.0.0.1/", "streams": ["../x"]}, "streams"),
        ({}, "url"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(client: Client, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ServiceError, match=said) as error:
        client.request("POST", "/v1/webhooks", json=fields)
    assert error.value.status == 422
    assert client.webhooks() == []


def test_the_secrets_of_a_webhook_are_never_shown(client: Client) -> None:
    url, secret = "http://me:hunter2@127.0.0.1:1/hooks/hunter3?a=hunter4", "hunter5-hunter5-hunter5"
    made = client.request("POST", "/v1/webhooks", json={"url": url, "secret": secret})
    id = made.json()["id"]
    shown = [
        made,
        client.request("GET", "/v1/webhooks"),
        client.request("GET", f"/v1/webhooks/{id}"),
        client.request("PATCH", f"/v1/webhooks/{id}", json={"name": "Chat", "secret": "hunter6-hunter6-hunter6"}),
        client.request("POST", f"/v1/webhooks/{id}/test"),
    ]
    assert "hunter" not in "".join(one.text for one in shown)
    assert shown[-1].json()["reason"] == "the receiver refuses the connection; is the port right?"
    assert client.webhook(id)["name"] == "Chat"


def test_a_stream_shows_up_at_an_mqtt_broker(tmp_path: Path) -> None:
    with broker(tmp_path) as port, ear(port) as heard:
        with served(tmp_path / "data", mqtt_host="127.0.0.1", mqtt_port=port) as running, Client(running.url) as one:
            excite(one, "gate")
            settled(one, "gate")
            wait_for(lambda: "framewatch/streams/gate/problem" in heard.kept, seconds=200)
            topic = "framewatch/streams/gate/event"
            told = wait_for(lambda: [payload for where, payload in heard.all if where == topic], seconds=200)
            assert '"type":"event.opened"' in told[0]
            assert "framewatch_mqtt_connected 1.0" in one.metrics()
            one.delete_stream("gate", purge=True)
            wait_for(lambda: not [topic for topic in heard.kept if "gate" in topic], seconds=200)
        wait_for(lambda: heard.kept == {"framewatch/status": "offline"}, seconds=200)
