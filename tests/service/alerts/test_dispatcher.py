"""No message is lost, each is known by its key, and a receiver that is down is neither forgotten nor pestered."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.alerts.dispatcher import LASTS, Dispatcher
from service.alerts.posting import Poster, Reply
from service.alerts.records import Alert, AlertState, Webhook
from service.alerts.signing import verify
from service.networks import Networks
from service.records import Event, StreamRecord
from service.store import Store
from tests.conftest import ROOT
from tests.service.alerts.receiver import LOOPBACK, receiving
from tests.service.stored import T0, event
from tests.waiting import wait_for

SECRET = "a secret of theirs"  # noqa: S105


class Clock:
    now = T0

    def __call__(self) -> float:
        return self.now


class Posts:
    """Stands for the way to receivers: what it answers, and what came."""

    def __init__(self) -> None:
        self.reply = Reply(200)
        self.refused: set[str] = set()
        self.got: list[tuple[str, bytes, dict[str, str]]] = []

    def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> Reply:
        self.got.append((url, body, headers))
        return Reply(500, "the receiver answered 500") if headers["Idempotency-Key"] in self.refused else self.reply


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with Store.open(tmp_path, clock) as opened:
        opened.put_stream(StreamRecord("door", "Front door", None))
        yield opened


def webhook(id: str = "one", url: str = "http://192.0.2.1/", **fields: Any) -> Webhook:
    return Webhook(id, id, url, SECRET, created=T0, **fields)


def happen(store: Store, **fields: Any) -> Event:
    """An event opens and closes."""
    opened = store.open_event(replace(event(), **fields))
    assert store.update_event(replace(opened, ended=opened.started + 1, last_seq=9)).result()
    return opened


def all_of(store: Store, state: AlertState | None = None) -> list[Alert]:
    return store.outbox.alerts(state, None, 200)[0]


def dispatcher(store: Store, post: Any, clock: Clock, **changes: Any) -> Dispatcher:
    changes.setdefault("uniform", lambda low, high: high)
    return Dispatcher(store.outbox, post, clock=clock, base="https://monitor.example/cameras", **changes)


def test_the_begin_and_the_end_of_an_event_are_said_once_each(store: Store, clock: Clock) -> None:
    with receiving() as receiver:
        store.outbox.put_webhook(webhook(url=receiver.url))
        happened = happen(store)
        store.update_event(replace(happened, ended=happened.started + 1, last_seq=9)).result()
        sending = dispatcher(store, Poster(Networks(LOOPBACK)).post, clock)
        for _ in range(4):
            sending.round()
        opened, closed = receiver.said
    assert [opened["type"], closed["type"]] == ["event.opened", "event.closed"]
    assert opened["stream"] == {"id": "door", "name": "Front door"}
    assert (opened["event"]["ended"], closed["event"]["ended"]) == (None, "2023-11-14T22:13:21.500000Z")
    assert closed["links"] == {
        "event": f"https://monitor.example/cameras/#/events/{happened.id}",
        "clip": f"https://monitor.example/cameras/v1/events/{happened.id}/clip.mp4",
        "snapshot": f"https://monitor.example/cameras/v1/events/{happened.id}/snapshot.jpg",
        "heatmap": f"https://monitor.example/cameras/v1/events/{happened.id}/heatmap.png",
    }
    for headers, body in receiver.got:
        assert verify(SECRET, body, headers["framewatch-signature"], clock())
    assert len(set(receiver.keys)) == 2
    assert [one["id"] for one in receiver.said] == receiver.keys
    assert {alert.state for alert in all_of(store)} == {"sent"}


def test_a_receiver_that_is_down_for_a_while_gets_everything_in_order(store: Store, clock: Clock) -> None:
    with receiving() as receiver:
        port = receiver.port
    store.outbox.put_webhook(webhook(url=receiver.url))
    sending = dispatcher(store, Poster(Networks(LOOPBACK)).post, clock)
    tried = []
    events = []
    for second in range(0, 60, 4):
        clock.now = T0 + second
        events.append(happen(store, first_seq=5 + second).id)
        before = sending.failed
        sending.round()
        tried.append(sending.failed - before)
    assert sum(tried) == 4 and not all_of(store, "sent")  # after 0, 5, 15 and 35 seconds
    with receiving(port) as receiver:
        for second in range(60, 140):
            clock.now = T0 + second
            sending.round()
        said = receiver.said
    assert len(said) == 2 * len(events) == len(set(receiver.keys))
    for id in events:
        assert [one["type"] for one in said if one["event"]["id"] == id] == ["event.opened", "event.closed"]
    assert not all_of(store, "waiting")


def test_a_message_that_is_sent_again_has_the_same_key_and_body(store: Store, clock: Clock) -> None:
    with receiving() as receiver:
        store.outbox.put_webhook(webhook(url=receiver.url))
        happen(store)
        sending = dispatcher(store, Poster(Networks(LOOPBACK)).post, clock)
        receiver.status = 500
        sending.round()
        clock.now += 5
        receiver.status = 200
        sending.round()  # of the two, the one that was tried least often: but it waits for the other
        (first, second), keys = receiver.got[:2], receiver.keys[:2]
    assert keys[0] == keys[1] and first[1] == second[1]
    assert [first[0]["framewatch-attempt"], second[0]["framewatch-attempt"]] == ["1", "2"]
    assert first[0]["framewatch-signature"] != second[0]["framewatch-signature"]


def test_waits_double_up_to_an_hour_and_end_after_a_day(store: Store, clock: Clock) -> None:
    store.outbox.put_webhook(webhook())
    posts = Posts()
    posts.reply = Reply(None, "the receiver cannot be reached, or ended the connection")
    sending = dispatcher(store, posts, clock)
    store.open_event(event())
    store.commit_scores([]).result()
    waits: list[float] = []
    while all_of(store, "waiting"):
        before = clock.now
        clock.now = max(clock.now, all_of(store)[0].due)
        waits.append(clock.now - before)
        sending.round()
    assert waits[:5] == [0, 5, 10, 20, 40] and max(waits) == 3600
    (dead,) = all_of(store, "dead")
    assert LASTS - 3600 <= clock.now - T0 <= LASTS
    assert (dead.attempts, dead.error, sending.dead) == (len(posts.got), posts.reply.error, 1)


def test_what_was_given_up_can_be_sent_again_with_its_key(store: Store, clock: Clock) -> None:
    store.outbox.put_webhook(webhook())
    posts = Posts()
    posts.reply = Reply(410, "the receiver answered 410")
    sending = dispatcher(store, posts, clock)
    store.open_event(event())
    store.commit_scores([]).result()
    sending.round()
    (dead,) = all_of(store, "dead")
    posts.reply = Reply(200)
    store.outbox.settle(replace(dead, state="waiting", due=clock.now, since=clock.now))
    sending.release("one")
    sending.round()
    assert [one.state for one in all_of(store)] == ["sent"]
    assert len({headers["Idempotency-Key"] for _, _, headers in posts.got}) == 1


def test_a_receiver_that_is_tried_again_at_once_does_not_get_what_is_under_way_twice(store: Store) -> None:
    store.outbox.put_webhook(webhook())
    store.open_event(event())
    store.commit_scores([]).result()
    entered, answered = threading.Event(), threading.Event()
    keys: list[str] = []

    def post(url: str, body: bytes, headers: dict[str, str]) -> Reply:
        keys.append(headers["Idempotency-Key"])
        entered.set()
        assert answered.wait(120)
        return Reply(200)

    sending = Dispatcher(store.outbox, post)
    sending.start()
    try:
        sending.wake()
        assert entered.wait(120)
        sending.release("one")
        sending._hand_out()  # the round that this brings about
        answered.set()
        happened = time.monotonic() + 120
        while not all_of(store, "sent"):
            assert time.monotonic() < happened
            time.sleep(0.01)
    finally:
        sending.stop()
    assert len(keys) == 1


def test_a_message_that_is_never_taken_keeps_none_back(store: Store, clock: Clock) -> None:
    store.outbox.put_webhook(webhook())
    for number in range(5):
        store.open_event(event(first_seq=5 + number))
    store.commit_scores([]).result()
    posts = Posts()
    posts.refused = {all_of(store)[-1].key}
    sending = dispatcher(store, posts, clock)
    for second in range(60):
        clock.now = T0 + second
        sending.round()
    assert [one.state for one in all_of(store)] == ["sent"] * 4 + ["waiting"]


def test_a_receiver_that_fails_does_not_hold_up_another(store: Store, clock: Clock) -> None:
    store.outbox.put_webhook(webhook("bad", "http://192.0.2.1/"))
    store.outbox.put_webhook(webhook("good", "http://192.0.2.2/"))
    happen(store)

    def post(url: str, body: bytes, headers: dict[str, str]) -> Reply:
        return Reply(200) if url.endswith(".2/") else Reply(503, "the receiver answered 503", retry_after=100.0)

    sending = dispatcher(store, post, clock)
    for _ in range(3):
        sending.round()
    assert {one.webhook for one in all_of(store, "sent")} == {"good"}
    (tried,) = [one for one in all_of(store, "waiting") if one.attempts]
    assert tried.due == T0 + 100
    assert sending.error("bad") == "the receiver answered 503" and sending.error("good") == ""


@pytest.mark.parametrize(
    ("fields", "events", "expected"),
    [
        ({}, [{}], 2),
        ({"streams": ("door",)}, [{}, {"stream": "yard"}], 2),
        ({"kinds": ("tampering",)}, [{}, {"kind": "tampering"}], 2),
        ({"enabled": False}, [{}], 0),
        ({}, [{"muted": True}], 0),
    ],
)
def test_a_webhook_gets_what_it_wants(
    store: Store, fields: dict[str, Any], events: list[dict[str, Any]], expected: int
) -> None:
    store.outbox.put_webhook(webhook(**fields))
    for one in events:
        happen(store, **one)
    assert len(all_of(store)) == expected


def test_a_test_says_what_came_of_it_and_is_signed(store: Store, clock: Clock) -> None:
    with receiving() as receiver:
        sending = dispatcher(store, Poster(Networks(LOOPBACK)).post, clock)
        assert sending.test(webhook(url=receiver.url)).error == ""
        ((headers, body),) = receiver.got
        assert receiver.said[0]["type"] == headers["framewatch-event"] == "test"
        assert verify(SECRET, body, headers["framewatch-signature"], clock())
        receiver.status = 401
        assert sending.test(webhook(url=receiver.url)).error == "the receiver answered 401"
    assert not all_of(store)


def test_old_messages_that_are_done_are_removed(store: Store, clock: Clock) -> None:
    store.outbox.put_webhook(webhook())
    for _ in range(5):
        happen(store)
    alerts = all_of(store)
    for alert in alerts[2:]:
        store.outbox.settle(replace(alert, state="sent"))
    assert store.outbox.prune(T0 - 1, most=6, limit=100) == 2
    assert store.outbox.prune(T0 + 1, most=6, limit=100) == 6
    assert [one.id for one in all_of(store)] == [one.id for one in alerts[:2]]


def test_a_removed_webhook_takes_its_messages_along(store: Store) -> None:
    store.outbox.put_webhook(webhook())
    happen(store)
    assert store.outbox.delete_webhook("one") and not store.outbox.delete_webhook("one")
    assert not all_of(store)


def test_a_purged_stream_is_forgotten_but_what_waits_is_said(store: Store) -> None:
    store.outbox.put_webhook(webhook())
    happen(store)
    store.outbox.settle(replace(all_of(store)[1], state="sent"))
    store.delete_stream("door", purge=True)
    assert [(one.type, one.state) for one in all_of(store)] == [("event.closed", "waiting")]


_CRASH = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from service.alerts.records import Webhook
from service.store import Store
from tests.service.stored import event
store = Store.open(Path(sys.argv[1]))
store.outbox.put_webhook(Webhook("one", "one", "http://192.0.2.1/", "secret"))
closed = store.open_event(event())
store.update_event(replace(closed, ended=closed.started + 1, last_seq=9))
store.open_event(event(first_seq=50))
store.commit_scores([]).result()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_is_stored_survives_a_kill_and_an_event_left_open_is_closed(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _CRASH, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    with Store.open(tmp_path) as store:
        said = [(one.event, one.type, one.state) for one in reversed(all_of(store))]
        reason = all_of(store)[0].facts["event"]["reason"]
    assert said == [
        (1, "event.opened", "waiting"),
        (1, "event.closed", "waiting"),
        (2, "event.opened", "waiting"),
        (2, "event.closed", "waiting"),
    ]
    assert reason == "restart"


def test_the_thread_sends_what_comes_and_ends(store: Store) -> None:
    with receiving() as receiver:
        store.outbox.put_webhook(webhook(url=receiver.url))
        sending = Dispatcher(store.outbox, Poster(Networks(LOOPBACK)).post)
        sending.start()
        try:
            happen(store)
            sending.wake()
            wait_for(lambda: len(receiver.got) >= 2, lambda: receiver.said)
        finally:
            sending.stop()
    assert [one.state for one in all_of(store)] == ["sent", "sent"]
