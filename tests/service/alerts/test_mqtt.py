"""A real broker knows how each stream is, also after it or the service was away; Home Assistant finds the cameras."""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.alerts.mqtt import Broker, Mqtt, StreamState
from service.alerts.topics import Camera, Topics
from service.faults import InputError
from tests.service.alerts.broker import PASSWORD, USER, broker, ear
from tests.service.alerts.receiver import free_port
from tests.service.stored import event, score
from tests.waiting import wait_for

DOOR = StreamState("door", "Front door", True)


@contextmanager
def telling(port: int, streams: list[StreamState], **changes: Any) -> Iterator[Mqtt]:
    topics = Topics("framewatch", "homeassistant", "https://monitor.example")
    mqtt = Mqtt(Broker("127.0.0.1", port, **changes), topics, lambda: streams, every=0.05)
    mqtt.start()
    try:
        yield mqtt
    finally:
        mqtt.stop()


def test_a_stream_is_shown_as_it_is(tmp_path: Path) -> None:
    streams = [DOOR]
    with broker(tmp_path) as port, ear(port) as heard:
        with telling(port, streams) as mqtt:
            heard.wait(framewatch__status="online", framewatch__streams__door__availability="online")
            heard.wait(framewatch__streams__door__problem="OFF", framewatch__streams__door__score="None")
            mqtt.scores([score("door", 1, smoothed=0.3), score("door", 2, smoothed=0.51234)])
            heard.wait(framewatch__streams__door__score="0.512")
            opened = replace(event(), id=7)
            mqtt.opened(opened, None)
            heard.wait(framewatch__streams__door__problem="ON")
            mqtt.closed(replace(opened, ended=opened.started + 1))
            heard.wait(framewatch__streams__door__problem="OFF")
            streams[0] = replace(DOOR, live=False)
            heard.wait(framewatch__streams__door__availability="offline", framewatch__streams__door__score="None")
        heard.wait(framewatch__status="offline")
    said = [json.loads(payload) for topic, payload in heard.all if topic == "framewatch/streams/door/event"]
    assert [one["type"] for one in said] == ["event.opened", "event.closed"]
    assert said[1]["links"]["clip"] == "https://monitor.example/v1/events/7/clip.mp4"


def test_what_is_said_is_kept_for_those_who_come_later(tmp_path: Path) -> None:
    with broker(tmp_path) as port, telling(port, [DOOR]):
        with ear(port) as first:
            first.wait(framewatch__streams__door__score="None")
        with ear(port) as later:
            later.wait(framewatch__status="online", framewatch__streams__door__problem="OFF")
            assert "homeassistant/binary_sensor/framewatch_door/problem/config" in later.kept


def test_a_muted_event_is_no_problem(tmp_path: Path) -> None:
    with broker(tmp_path) as port, ear(port) as heard, telling(port, [DOOR]) as mqtt:
        muted = replace(event(), id=7, muted=True)
        mqtt.opened(muted, None)
        mqtt.closed(replace(muted, ended=muted.started))
        mqtt.scores([score("door", 1, smoothed=0.9)])
        heard.wait(framewatch__streams__door__score="0.900", framewatch__streams__door__problem="OFF")
        assert not [topic for topic, _ in heard.all if topic.endswith("/event")]


def test_a_service_that_dies_is_told_to_be_offline_by_the_broker(tmp_path: Path) -> None:
    with broker(tmp_path) as port, ear(port) as heard, telling(port, [DOOR]) as mqtt:
        heard.wait(framewatch__status="online")
        sock: Any = mqtt._client.socket()
        assert sock is not None
        mqtt._client.reconnect_delay_set(60, 60)
        sock.shutdown(2)
        heard.wait(framewatch__status="offline")


def test_a_broker_that_was_away_is_told_everything_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    with caplog.at_level(logging.WARNING), telling(port, [DOOR]) as mqtt:
        wait_for(lambda: "cannot be reached; it is tried again" in caplog.text)
        mqtt.opened(replace(event(), id=7), None)
        reconnect, listening = mqtt._client.reconnect, threading.Event()

        def when_heard() -> Any:
            if not listening.is_set():
                raise ConnectionRefusedError
            return reconnect()

        monkeypatch.setattr(mqtt._client, "reconnect", when_heard)  # events are told once, and kept by no broker
        with broker(tmp_path, port=port), ear(port) as heard:
            listening.set()
            heard.wait(framewatch__streams__door__problem="ON")
            wait_for(lambda: any(topic.endswith("/event") for topic, _ in heard.all))
        wait_for(lambda: not mqtt.connected)
        with broker(tmp_path, port=port), ear(port) as heard:  # it has kept nothing
            heard.wait(framewatch__status="online", framewatch__streams__door__problem="ON")


def test_a_removed_stream_is_removed_at_the_broker(tmp_path: Path) -> None:
    streams = [DOOR, StreamState("yard", "Yard", True)]
    with broker(tmp_path) as port, ear(port) as heard:
        with telling(port, streams):
            heard.wait(framewatch__streams__yard__problem="OFF", framewatch__streams__door__problem="OFF")
            del streams[1]
            wait_for(lambda: not [topic for topic in heard.kept if "yard" in topic])
        with telling(port, []):  # the other was removed while the service was not connected
            wait_for(lambda: list(heard.kept) == ["framewatch/status"])


def test_a_broker_may_ask_for_a_password(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with broker(tmp_path, password=True) as port, ear(port, password=True) as heard:
        with caplog.at_level(logging.DEBUG), telling(port, [DOOR], user=USER, password="wrong-hunter3"):  # noqa: S106
            wait_for(lambda: "refuses the service: Not authorized" in caplog.text)
        with telling(port, [DOOR], user=USER, password=PASSWORD) as mqtt:
            heard.wait(framewatch__status="online")
            assert PASSWORD not in repr(mqtt._broker)
    assert "hunter" not in caplog.text


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    try:
        made = [*words.split(), "-out", str(paths[0]), "-keyout", str(paths[1])]
        subprocess.run(made, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl")
    return paths


# the library leaves the socket of a failed handshake to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_with_tls_only_a_trusted_broker_is_told(
    tmp_path: Path, certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    with broker(tmp_path, tls=certificate) as port:
        with caplog.at_level(logging.WARNING), telling(port, [DOOR], tls=True):
            wait_for(lambda: "cannot be reached" in caplog.text)
        with telling(port, [DOOR], tls=True, ca_file=certificate[0]) as mqtt:
            wait_for(lambda: mqtt.connected)


def test_certificates_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mqtt_ca_file .* cannot be used"):
        Mqtt(Broker("127.0.0.1", tls=True, ca_file=tmp_path / "none.pem"), Topics(), lambda: [])


def test_home_assistant_learns_of_a_problem_sensor_and_a_score() -> None:
    states = dict(Topics("yard/fw", "homeassistant").states(Camera("north.gate", "North gate", True, False, 0.25)))
    problem = json.loads(states["homeassistant/binary_sensor/yard_fw_north_2e_gate/problem/config"])
    value = json.loads(states["homeassistant/sensor/yard_fw_north_2e_gate/score/config"])
    assert (problem["device_class"], problem["state_topic"]) == ("problem", "yard/fw/streams/north.gate/problem")
    assert states[problem["state_topic"]] == problem["payload_off"].encode()
    assert states[value["state_topic"]] == b"0.250"
    assert problem["device"] == value["device"] and problem["device"]["name"] == "North gate"
    assert {problem["unique_id"], value["unique_id"]} == {"yard_fw_north.gate_problem", "yard_fw_north.gate_score"}
    assert [one["topic"] for one in problem["availability"]] == [
        "yard/fw/status",
        "yard/fw/streams/north.gate/availability",
    ]


def test_without_a_discovery_topic_home_assistant_is_not_told() -> None:
    states = dict(Topics("framewatch", "").states(Camera("door", "Door", False, True, None)))
    assert states == {
        "framewatch/streams/door/availability": b"offline",
        "framewatch/streams/door/problem": b"ON",
        "framewatch/streams/door/score": b"None",
    }
