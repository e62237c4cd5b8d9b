"""Few frames wait, in turn and counted; a source that is held back waits with them."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from model.pictures import Image
from service.readers.failures import ErrorClass
from service.readers.outbox import WINDOW, Outbox
from service.readers.protocol import Condition, Order, ReadOptions, Vitals, dropped_of, frame_message, frame_of
from service.records import Dropped, Health, IncomingFrame
from service.wire import Message, WireError
from tests.service.readers.servers import until


def frame(number: int) -> IncomingFrame:
    return IncomingFrame(number, number / 10, 1.7e9, b"x")


def taken(outbox: Outbox) -> list[tuple[int, int]]:
    """(camera, frame) of everything that may leave now."""
    found = []
    while (message := outbox.next(0)) is not None:
        found.append((message.number("key"), message.number("number")))
    return found


def test_latest_keeps_the_newest_and_counts_the_others() -> None:
    outbox = Outbox()
    queue = outbox.open(1, "latest")
    queue.drop(Dropped.BAD)
    for number in range(5):
        assert queue.put(frame(number))
    message = outbox.next(0)
    assert message is not None and message.number("number") == 3
    assert dropped_of(message) == {Dropped.BAD: 1, Dropped.OVERLOAD: 3}
    message = outbox.next(0)
    assert message is not None and message.number("number") == 4 and dropped_of(message) == {}
    assert outbox.next(0) is None


def test_every_waits_for_room_and_for_the_service() -> None:
    outbox = Outbox()
    queue = outbox.open(1, "every")
    feeder = threading.Thread(target=lambda: all(queue.put(frame(number)) for number in range(30)))
    feeder.start()
    found: list[tuple[int, int]] = []

    def come(count: int) -> bool:
        found.extend(taken(outbox))
        return len(found) >= count

    assert until(lambda: come(WINDOW)) and not until(lambda: come(WINDOW + 1), 0.2)
    queue.more(3)
    assert until(lambda: come(WINDOW + 3)) and not until(lambda: come(WINDOW + 4), 0.2)
    queue.more(WINDOW)
    assert until(lambda: come(2 * WINDOW + 3))
    queue.more(WINDOW)
    queue.more(WINDOW)
    assert until(lambda: come(2 * WINDOW + 3 + WINDOW))
    queue.more(WINDOW)
    assert until(lambda: come(30))
    assert found == [(1, number) for number in range(30)]
    assert queue.drain()
    feeder.join()


def test_cameras_leave_in_turn_and_messages_first() -> None:
    outbox = Outbox()
    for key in (1, 2, 3):
        queue = outbox.open(key, "latest")
        queue.put(frame(0))
        queue.put(frame(1))
    outbox.say(Message("condition", {"key": 9, "number": 0}))
    assert taken(outbox) == [(9, 0), (1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (3, 1)]


def test_a_camera_that_waits_for_the_service_holds_up_no_other() -> None:
    outbox = Outbox()
    held, other = outbox.open(1, "every"), outbox.open(2, "latest")
    for number in range(WINDOW):
        held.put(frame(number))
        taken(outbox)
    held.put(frame(WINDOW))
    other.put(frame(0))
    assert taken(outbox) == [(2, 0)]


def test_forgetting_a_camera_wakes_its_thread_and_drops_its_frames() -> None:
    outbox = Outbox()
    queue = outbox.open(1, "every")
    results: list[bool] = []
    feeder = threading.Thread(target=lambda: results.extend(queue.put(frame(number)) for number in range(4)))
    feeder.start()
    outbox.forget(queue)
    feeder.join(60)
    assert len(results) == 4 and not results[-1]
    assert outbox.next(0) is None and not queue.drain()


def test_a_policy_can_change_while_a_thread_waits() -> None:
    outbox = Outbox()
    queue = outbox.open(1, "every")
    feeder = threading.Thread(target=lambda: all(queue.put(frame(number)) for number in range(9)))
    feeder.start()
    queue.change("latest")
    feeder.join(60)
    assert taken(outbox) == [(1, 7), (1, 8)]


@pytest.mark.parametrize(
    "data",
    [b"JPEG", np.arange(12, dtype=np.uint8).reshape(3, 4), np.arange(24, dtype=np.uint8).reshape(2, 4, 3)[:, ::2]],
    ids=["JPEG", "luma", "colour"],
)
def test_frames_cross_as_they_are(data: bytes | Image) -> None:
    message = frame_message(1, IncomingFrame(7, 0.5, 1.7e9, data), {})
    found = frame_of(Message(message.kind, {**message.head}, bytearray(message.payload)))
    assert (found.number, found.pts, found.captured) == (7, 0.5, 1.7e9)
    assert np.array_equal(found.data, data) and type(found.data) is type(data)


@pytest.mark.parametrize(
    "head",
    [
        {},
        {"number": 1, "pts": 0.1},
        {"number": "1", "pts": 0.1, "captured": 1},
        {"number": 1, "pts": float("nan"), "captured": 1},
        {"number": 1, "pts": 1e400, "captured": 1},
        {"number": 1, "pts": 0, "captured": 1, "shape": [3, 5]},
        {"number": 1, "pts": 0, "captured": 1, "shape": [-3, -4]},
        {"number": 1, "pts": 0, "captured": 1, "shape": [3, 4, 1]},
        {"number": 1, "pts": 0, "captured": 1, "shape": "12"},
    ],
)
def test_frames_that_are_none_are_refused(head: dict[str, object]) -> None:
    with pytest.raises(WireError):
        frame_of(Message("frame", head, bytes(12)))


@pytest.mark.parametrize("dropped", [[], {"boredom": 1}, {"bad": None}])
def test_drops_that_are_none_are_refused(dropped: object) -> None:
    with pytest.raises(WireError):
        dropped_of(Message("frame", {"dropped": dropped}))


@pytest.mark.parametrize("health", ["happy", None])
def test_conditions_that_are_none_are_refused(health: object) -> None:
    with pytest.raises(WireError):
        Condition.of(Message("condition", {"health": health, "reason": "", "class": None}))


def test_words_cross_as_they_are() -> None:
    options, order = ReadOptions(networks=("10.0.0.0/8",)), Order(3, "url", "rtsp://u:p@cam/x", max_rate=2.5)
    condition, vitals = Condition(Health.FAILED, "why", ErrorClass.AUTH), Vitals(1, 2, 3, 4)
    assert ReadOptions.of(options.message()) == options
    assert Order.of(order.message()) == order
    assert Condition.of(condition.message(3)) == condition
    assert Vitals.of(vitals.message()) == vitals


def test_an_order_does_not_show_its_login() -> None:
    assert "secret" not in repr(Order(1, "url", "rtsp://u:secret@cam/"))
