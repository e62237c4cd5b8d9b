"""Every stream gets its turn, in order, and what need not be decoded is not."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from model.sampler import Sampler
from service.engine.batching import Batcher, BatchLimits
from service.engine.tickets import StreamTicket
from service.records import Dropped, IncomingFrame
from tests.service.engine.batches import DOOR, PICTURE, PREPARED, Engine, World, clip, names, offer
from tests.service.live import stream


def test_streams_take_turns() -> None:
    world = World(size=6)
    for name in "abc":
        offer(world.stream(name), 4)
    assert names(world.decode()) == ["a0", "b0", "c0", "a1", "b1", "c1"]
    assert names(world.take()) == ["a0", "b0", "c0", "a1", "b1", "c1"]


def test_stream_with_a_backlog_does_not_hold_up_others() -> None:
    world = World(size=4)
    busy, calm = world.stream("busy"), world.stream("calm")
    offer(busy, 50)
    world.decode()
    offer(calm, 1)
    world.take()
    assert names(world.decode())[0] == "calm0"


def test_decoding_goes_one_batch_ahead_and_no_further() -> None:
    world = World(size=4)
    offer(world.stream("a"), 50)
    assert len(world.decode()) == 4
    assert world.decode() == []
    assert len(world.take()) == 4
    assert len(world.decode()) == 4


def test_decoded_frames_of_a_latest_stream_are_few() -> None:
    world = World()
    one = world.stream("a", policy="latest")
    offer(one, 50)
    assert names(world.decode()) == ["a0", "a1"]


def test_batch_holds_more_frames_of_a_stream_only_where_few_are_ready() -> None:
    world = World(size=4)
    streams = [world.stream(name) for name in "abcd"]
    for one in streams:
        offer(one, 2)
    world.decode()
    assert names(world.take()) == ["a0", "b0", "c0", "d0"]
    for one in streams[1:]:
        world.batcher.unseat(one)
    offer(streams[0], 3, first=2)
    world.decode()
    assert names(world.take()) == ["a1", "a2", "a3", "a4"]


def test_streams_come_before_clips_of_which_one_frame_goes_on_even_so() -> None:
    world = World(size=4)
    clip(world, 8)
    for name in "abcdef":
        offer(world.stream(name), 1)
    world.decode()
    assert names(world.take()) == ["a0", "b0", "c0", "clip"]
    world.decode()
    assert names(world.take()) == ["d0", "e0", "f0", "clip"]
    assert names(world.take()) == ["clip"] * 4


def test_clips_share_what_is_left() -> None:
    world = World(size=4)
    first, second = clip(world, 4), clip(world, 4)
    taken = world.take()
    assert [ticket.slot for ticket in taken] == [first.slot, second.slot] * 2


def test_removed_clip_leaves_nothing() -> None:
    world = World()
    world.batcher.remove(clip(world, 8))
    assert world.take() == []
    assert world.batcher.idle


def test_thinned_frames_are_not_decoded_and_keep_their_place() -> None:
    world = World()
    offer(world.stream("a"), 5, step=0.05)
    assert names(world.decode()) == ["a0", "a2", "a4"]
    batch = world.take()
    assert names(batch) == ["a0", "a1", "a2", "a3", "a4"]
    assert [ticket.taken for ticket in batch] == [True, False, True, False, True]


def test_frames_that_need_no_scoring_wait_for_the_one_before_them() -> None:
    world = World()
    offer(world.stream("a"), 2, step=0.05)
    (first,) = world.pull()
    assert world.take() == []
    world.batcher.decoded(first, PREPARED)
    assert names(world.take()) == ["a0", "a1"]


def test_bad_header_is_refused_without_decoding() -> None:
    world = World()
    one = world.stream("a")
    offer(one, 1, data=b"junk")
    assert world.pull() == []
    (ticket,) = world.take()
    assert isinstance(ticket, StreamTicket)
    assert ticket.refused == (Dropped.BAD, "neither JPEG nor PNG")


def test_frame_that_cannot_be_decoded_is_as_if_it_had_never_come() -> None:
    world = World()
    offer(world.stream("a"), 4, step=0.05)
    first, third = world.pull()
    world.batcher.decoded(third, PREPARED)
    world.batcher.refused(first, Dropped.BAD, "damaged")
    assert names(world.decode()) == ["a1", "a3"]
    batch = world.take()
    assert names(batch) == ["a0", "a1", "a2", "a3"]
    assert [ticket.taken for ticket in batch] == [False, True, False, True]
    assert [ticket.restart for ticket in batch] == [False, True, False, False]


STEPS = st.lists(st.sampled_from([0.04, 0.05, 0.1, 0.15, 0.5]), min_size=1, max_size=25)


@given(steps=STEPS, seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_taken_frames_are_those_of_a_replay_of_the_accepted_ones(steps: list[float], seed: int) -> None:
    chance = random.Random(seed)
    world = World(size=4)
    one = world.stream("a")
    stamps = [sum(steps[:n]) for n in range(len(steps))]
    bad = {n for n in range(len(stamps)) if chance.random() < 0.3}
    for number, pts in enumerate(stamps):
        one.offer(IncomingFrame(number, pts, 1.7e9, PICTURE))
    taken: list[tuple[int, bool]] = []
    seen: list[int] = []
    refused: set[int] = set()
    decoding: list[StreamTicket] = []
    while len(seen) < len(stamps):
        decoding += world.pull()
        if decoding:
            ticket = decoding.pop(chance.randrange(len(decoding)))
            if ticket.frame.number in bad:
                world.batcher.refused(ticket, Dropped.BAD, "damaged")
            else:
                world.batcher.decoded(ticket, PREPARED)
        for done in world.take():
            assert isinstance(done, StreamTicket)
            seen.append(done.frame.number)
            if done.taken:
                taken.append((done.frame.number, done.restart))
            if done.refused:
                refused.add(done.frame.number)
    sampler = Sampler(DOOR.detector.config.frame_interval)
    expected = []
    for number, pts in enumerate(stamps):
        if number not in refused:
            decision = sampler.offer(pts, (64, 96))
            if decision.take:
                expected.append((number, decision.restart))
    assert seen == list(range(len(stamps)))
    assert taken == expected
    assert refused <= bad and not bad & {number for number, _ in taken}
    assert world.batcher.idle


def test_streams_share_a_capacity_that_does_not_suffice_by_turns_long_enough_for_windows() -> None:
    now = [0.0]
    batcher = Batcher(BatchLimits(size=4, rotation=5.0), monotonic=lambda: now[0])
    cams = [stream(DOOR, f"cam{n}", policy="latest") for n in range(20)]
    for cam in cams:
        cam.engine = Engine(batcher)
        batcher.seat(cam)
    unbroken: Counter[str] = Counter()
    full: Counter[str] = Counter()
    for number in range(600):  # a minute at 10 frames a second, with a capacity of 2 frames a second for each stream
        now[0] = number / 10
        for cam in cams:
            cam.offer(IncomingFrame(number, number / 10, 1.7e9, PICTURE))
        while (ticket := batcher.pull(wait=False)) is not None:
            batcher.decoded(ticket, PREPARED)
        for done in batcher.take(size=4, timeout=0.0, patience=0.0):
            assert isinstance(done, StreamTicket)
            name = done.stream.id
            unbroken[name] = 1 if done.restart else unbroken[name] + done.taken
            full[name] += done.taken and unbroken[name] >= 6
    assert len(full) == 20 and min(full.values()) > 20
    assert sum(full.values()) > 0.6 * 4 * 600
    assert max(full.values()) < 4 * min(full.values())
