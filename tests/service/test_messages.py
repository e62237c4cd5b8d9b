"""Messages have one shape each, and are JSON whatever happens."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import orjson
import pytest

from model.states import State
from service import messages
from service.recorder.records import EventFiles
from service.records import Dropped, Event, Health, Score

SCORE = Score(
    stream="cam",
    seq=7,
    frame=70,
    pts=7.5,
    captured=1_700_000_000.25,
    scored=1_700_000_000.5,
    raw=0.2,
    score=0.75,
    smoothed=0.5,
    threshold=0.1,
    state=State.ANOMALOUS,
    dropped=3,
)
EVENT = Event(
    id=9,
    stream="cam",
    epoch=2,
    started=1_700_000_000.0,
    first_seq=5,
    peaked=1_700_000_001.0,
    peak=0.9,
    peak_seq=6,
    peak_frame=60,
)


def read(data: bytes) -> dict[str, Any]:
    parsed = orjson.loads(data)
    assert isinstance(parsed, dict)
    assert list(parsed)[:3] == ["v", "type", "stream"]
    assert parsed["v"] == 1
    return parsed


def test_score() -> None:
    message = messages.score(SCORE, 2)
    assert (message.stream, message.seq, message.kept) == ("cam", 7, True)
    assert read(message.data) == {
        "v": 1,
        "type": "score",
        "stream": "cam",
        "epoch": 2,
        "seq": 7,
        "frame": 70,
        "pts": 7.5,
        "captured": "2023-11-14T22:13:20.250000Z",
        "scored": "2023-11-14T22:13:20.500000Z",
        "raw": 0.2,
        "score": 0.75,
        "smoothed": 0.5,
        "threshold": 0.1,
        "state": "anomalous",
        "dropped": 3,
        "reason": "",
        "reliable": True,
    }


def test_score_that_could_not_be_stored_says_so() -> None:
    assert read(messages.score(SCORE, 2, durable=False).data)["durable"] is False


def test_score_while_warming_has_nulls() -> None:
    warming = replace(SCORE, raw=None, score=None, smoothed=None, state=State.WARMING, reason="gap")
    said = read(messages.score(warming, 2).data)
    assert (said["raw"], said["score"], said["smoothed"], said["reason"]) == (None, None, None, "gap")


def test_state_names_what_was_before_and_is_not_replayed() -> None:
    message = messages.state(SCORE, 2, State.NORMAL)
    said = read(message.data)
    assert (said["type"], said["seq"], said["state"], said["before"]) == ("state", 7, "anomalous", "normal")
    assert not message.kept and message.seq is None


def test_health() -> None:
    message = messages.health("cam", 2, Health.FAILED, reason="401", error_class="auth")
    said = read(message.data)
    assert (said["type"], said["health"], said["reason"], said["error_class"]) == ("health", "failed", "401", "auth")
    assert not message.kept


def test_events_are_replayed_and_carry_their_peak() -> None:
    opened = messages.event_opened(EVENT)
    closed = messages.event_closed(replace(EVENT, ended=1_700_000_002.0, last_seq=8, reason="gap"))
    assert opened.kept and closed.kept and opened.seq is None
    assert read(opened.data)["type"] == "event.opened"
    assert read(opened.data)["ended"] is None
    said = read(closed.data)
    assert (said["type"], said["id"], said["peak"], said["peak_frame"]) == ("event.closed", 9, 0.9, 60)
    assert (said["ended"], said["last_seq"], said["reason"]) == ("2023-11-14T22:13:22.000000Z", 8, "gap")


def test_files_of_an_event_are_told_with_their_paths_and_replayed() -> None:
    began = 1_700_000_000.0
    message = messages.event_files(EventFiles(9, "cam", "ready", "", began, began + 2, snapshot=True), 3, "/watch")
    said = read(message.data)
    assert (message.stream, message.kept, message.seq) == ("cam", True, None)
    assert (said["type"], said["epoch"], said["id"], said["clip_state"]) == ("event.files", 3, 9, "ready")
    assert (said["clip"], said["heatmap"]) == ("/watch/v1/events/9/clip.mp4", None)
    assert said["snapshot"] == "/watch/v1/events/9/snapshot.jpg"
    assert said["clip_started"] == "2023-11-14T22:13:20.000000Z"
    failed = read(messages.event_files(EventFiles(9, "cam", "failed", "the disk is full"), 3).data)
    assert (failed["clip"], failed["clip_reason"], failed["clip_ended"]) == (None, "the disk is full", None)


def test_hello_of_one_stream_and_of_all() -> None:
    one = read(messages.hello("cam", 2, oldest=3, newest=9, facts={"model": "door"}))
    assert (one["epoch"], one["oldest"], one["newest"], one["model"]) == (2, 3, 9, "door")
    every = read(messages.hello(None, 2, oldest=3, newest=9))
    assert (every["stream"], every["oldest_at"], every["newest_at"]) == (None, 3, 9)


def test_gap_gives_the_position_to_go_on_from() -> None:
    one = read(messages.gap("cam", first=(1, 5), last=(2, 9), missed=None, reason="expired"))
    assert (one["first_epoch"], one["first_seq"], one["epoch"], one["seq"]) == (1, 5, 2, 9)
    assert (one["missed"], one["others"], one["reason"]) == (None, 0, "expired")
    every = read(messages.gap(None, first=(2, 5), last=(2, 9), missed=5, others=1, reason="slow"))
    assert (every["first_at"], every["at"], every["missed"]) == (5, 9, 5)


def test_what_a_sender_of_frames_is_told() -> None:
    assert read(messages.dropped("cam", 4, Dropped.BAD, "cut short"))["cause"] == "bad"
    assert read(messages.credit("cam", 12))["frames"] == 12


def test_error_and_bye() -> None:
    assert read(messages.error("too_big", "over 16 MiB", stream="cam"))["code"] == "too_big"
    assert read(messages.bye("the service restarts"))["stream"] is None


@pytest.mark.parametrize("name", ['quote"', "line\nbreak", "日本", "</script>"])
def test_any_stream_name_is_escaped(name: str) -> None:
    assert read(messages.score(replace(SCORE, stream=name), 1).data)["stream"] == name


def test_numbers_that_json_does_not_have_become_null() -> None:
    assert read(messages.score(replace(SCORE, pts=math.inf), 1).data)["pts"] is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1_700_000_000.123456, "2023-11-14T22:13:20.123456Z"),
        (253_402_300_799.0, "9999-12-31T23:59:59.000000Z"),
    ],
)
def test_timestamps(seconds: float, text: str) -> None:
    assert messages.timestamp(seconds) == text
