"""No message is lost, each is known by its key, and a receiver that is down is neither forgotten nor pestered."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.alerts.dispatcher import LASTS, Dispatcher
from service.alerts.posting import Poster, Reply
from service.alerts.signing import verify
from service.networks import Networks
from service.records import StreamRecord
from service.store import Store
from tests.service.alerts.outbox import SECRET, all_of, happen, webhook
from tests.service.alerts.receiver import LOOPBACK, receiving
from tests.service.stored import T0, event
from tests.waiting import wait_for


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
