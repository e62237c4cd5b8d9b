"""Who waits at the batcher is woken; streams come, change and go while it runs."""

from __future__ import annotations

import threading
import time

import pytest

from service.engine.seats import ClipSeat
from service.engine.slots import Slot
from service.plan import make_plan
from service.records import Dropped, StreamOptions
from tests.service.engine.batches import DOOR, PREPARED, World, clip, names, offer
from tests.service.live import sibling


def test_take_waits_for_a_frame() -> None:
    world = World()
    one = world.stream("a")

    def later() -> None:
        time.sleep(0.05)
        offer(one, 1)
        world.decode()

    thread = threading.Thread(target=later)
    thread.start()
    assert names(world.batcher.take(size=8, timeout=30.0, patience=0.0)) == ["a0"]
    thread.join()


def test_busy_engine_waits_for_frames_that_are_being_decoded_and_no_longer() -> None:
    world = World()
    for name in "ab":
        offer(world.stream(name), 1)
    first, second = world.pull()
    world.batcher.decoded(first, PREPARED)
    thread = threading.Timer(0.05, world.batcher.decoded, (second, PREPARED))
    thread.start()
    assert names(world.batcher.take(size=8, timeout=0.0, patience=30.0)) == ["a0", "b0"]
    thread.join()


def test_idle_engine_does_not_wait() -> None:
    world = World()
    for name in "ab":
        offer(world.stream(name), 1)
    world.batcher.decoded(world.pull()[0], PREPARED)
    assert names(world.batcher.take(size=8, timeout=30.0, patience=0.0)) == ["a0"]


@pytest.mark.parametrize("end", ["nudge", "close"])
def test_waiting_ends(end: str) -> None:
    world = World()
    threading.Timer(0.05, getattr(world.batcher, end)).start()
    assert world.batcher.take(size=8, timeout=30.0, patience=0.0) == []


def test_closing_ends_the_decoders_and_gives_back_the_clips_frames() -> None:
    world = World()
    clip(world, 3)
    assert len(world.batcher.close()) == 3
    assert world.batcher.pull() is None
    assert not world.batcher.put(ClipSeat(Slot(DOOR)), [])


def test_unseated_stream_leaves_nothing() -> None:
    world = World(size=4)
    gone, other = world.stream("gone"), world.stream("other")
    offer(gone, 20)
    pulled = world.pull()
    world.batcher.decoded(pulled[0], PREPARED)
    (run,) = world.batcher.unseat(gone)
    assert run is pulled[0].run
    world.batcher.decoded(pulled[1], PREPARED)
    world.batcher.refused(pulled[2], Dropped.BAD, "damaged")
    assert world.take() == []
    offer(other, 4)
    assert names(world.decode()) == ["other0", "other1", "other2", "other3"]
    assert len(world.take()) == 4
    world.batcher.decoded(pulled[3], PREPARED)
    assert world.batcher.idle and len(world.batcher) == 1
    assert world.batcher.unseat(gone) == []


def test_stream_is_seated_once() -> None:
    world = World()
    one = world.stream("a")
    with pytest.raises(ValueError, match="attached already"):
        world.batcher.seat(one)


def test_source_that_is_held_back_is_told_of_room() -> None:
    world = World()
    one = world.stream("a")
    told: list[int] = []
    one.on_room = told.append
    offer(one, 3)
    world.pull()
    assert told and told[-1] == one.credit


def test_source_that_cannot_be_told_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    one = world.stream("a")
    one.on_room = lambda credit: 1 / 0
    offer(one, 3)
    assert len(world.decode()) == 3
    assert "could not be told" in caplog.text


def test_new_model_counts_for_frames_that_are_not_decided_about_yet() -> None:
    world = World(size=2)
    one = world.stream("a")
    offer(one, 4)
    world.decode()
    yard = sibling(DOOR, seed=1)
    assert world.batcher.change(one, make_plan(yard, StreamOptions())) is None
    assert world.batcher.idle_runs([one]) == []
    assert [ticket.slot.model for ticket in world.take()] == [DOOR, DOOR]
    (old,) = world.batcher.idle_runs([one])
    assert old.plan.model is DOOR
    world.decode()
    batch = world.take()
    assert [ticket.slot.model for ticket in batch] == [yard, yard]
    assert [ticket.restart for ticket in batch] == [True, False]


def test_other_options_leave_the_window_as_it_is() -> None:
    world = World()
    one = world.stream("a")
    offer(one, 2)
    world.decode()
    run = world.batcher.change(one, make_plan(DOOR, StreamOptions(threshold=0.7)))
    assert run is not None and run.chain.theta == 0.7
    offer(one, 2, first=2)
    world.decode()
    assert [ticket.restart for ticket in world.take()] == [True, False, False, False]
