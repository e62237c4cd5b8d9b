"""Subscribers get every score exactly once or learn what they missed, and cost nobody else anything."""

from __future__ import annotations

import asyncio
import gc
import random
import time
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service import messages
from service.hub import Hub
from service.messages import Message
from service.replay import Position
from service.subscription import Close, SubscriberLimits, Subscription
from tests.service.said import EPOCH, Publisher, Said, Stored, is_score, read, read_all, score, seqs, types


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class World:
    """A hub with one stream, its store and its publisher."""

    def __init__(self, *, kept: int = 20, kept_of_all: int = 40, limits: SubscriberLimits | None = None) -> None:
        self.clock = Clock()
        self.stored = Stored()
        self.hub = Hub(EPOCH, self.stored, kept=kept, kept_of_all=kept_of_all, limits=limits, monotonic=self.clock)
        self.hub.open("cam")
        self.cam = Publisher(self.hub, self.stored)

    def subscribe(self, since: tuple[int, int] | None = None, *, batch_ms: int = 0) -> Subscription:
        return self.hub.subscribe("cam", since=None if since is None else Position(*since), batch_ms=batch_ms)


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Runs a test in an event loop of its own."""

    def run() -> None:
        asyncio.run(test())

    return run


def reading(said: AsyncGenerator[bytes, None]) -> asyncio.Task[bytes]:
    """Waits for the next message aside."""

    async def one() -> bytes:
        return await anext(said)

    return asyncio.create_task(one())


async def attached(subscription: Subscription) -> None:
    """Until it has got what it missed."""
    while not subscription.listening:  # noqa: ASYNC110 (a test may look where users do not)
        await asyncio.sleep(0.001)


async def listening(subscription: Subscription, until: Callable[[Said], bool]) -> asyncio.Task[list[Said]]:
    """A reader that has got its hello and waits for more."""
    task = asyncio.create_task(read(subscription, until))
    await attached(subscription)
    return task


@in_loop
async def test_hello_comes_first_with_epoch_and_bounds() -> None:
    world = World()
    world.cam.say(7)
    (hello,) = await read(world.subscribe(), lambda said: True)
    assert hello == {"v": 1, "type": "hello", "stream": "cam", "epoch": EPOCH, "oldest": 1, "newest": 7}


@in_loop
async def test_what_is_said_after_hello_is_read_in_order() -> None:
    world = World()
    world.cam.say(3)
    reader = await listening(world.subscribe(), is_score(6))
    world.cam.say(3)
    assert seqs(await reader) == [4, 5, 6]


@in_loop
async def test_what_is_said_between_hello_and_the_next_read_is_not_missed() -> None:
    world = World()
    world.cam.say(3)
    async with aclosing(world.subscribe().__aiter__()) as said:
        assert orjson.loads(await anext(said))["newest"] == 3
        world.cam.say(2)
        assert [orjson.loads(await anext(said))["seq"] for _ in range(2)] == [4, 5]


@in_loop
async def test_all_subscribers_get_the_same_bytes() -> None:
    world = World()
    first, second = [world.subscribe().__aiter__() for _ in range(2)]
    for said in (first, second):
        await anext(said)
    one, two = reading(first), reading(second)
    await asyncio.sleep(0.01)
    world.cam.say()
    assert await one is await two
    for said in (first, second):
        await said.aclose()


@pytest.mark.parametrize(
    ("since", "expected", "reads"),
    [
        pytest.param((EPOCH, 50), [], 0, id="nothing missed"),
        pytest.param((EPOCH, 45), [46, 47, 48, 49, 50], 0, id="replayed out of memory"),
        pytest.param((EPOCH, 10), list(range(11, 51)), 1, id="replayed out of the store"),
        pytest.param((EPOCH, 0), list(range(1, 51)), 1, id="everything of this epoch"),
    ],
)
def test_missed_scores_are_replayed(since: tuple[int, int], expected: list[int], reads: int) -> None:
    @in_loop
    async def body() -> None:
        world = World()
        world.cam.say(50)
        reader = await listening(world.subscribe(since), is_score(51))
        world.cam.say()
        got = await reader
        assert seqs(got) == [*expected, 51]
        assert set(types(got)) == {"hello", "score"}
        assert world.stored.reads == reads

    body()


@in_loop
async def test_scores_of_earlier_epochs_are_replayed() -> None:
    world = World()
    world.stored.rows += [(1, score(n)) for n in range(1, 6)] + [(2, score(n)) for n in range(1, 4)]
    world.cam.say(2)
    got = await read(world.subscribe((1, 3)), lambda said: said.get("epoch") == EPOCH and said.get("seq") == 2)
    assert [(said["epoch"], said["seq"]) for said in got[1:]] == [
        (1, 4),
        (1, 5),
        (2, 1),
        (2, 2),
        (2, 3),
        (EPOCH, 1),
        (EPOCH, 2),
    ]


@in_loop
async def test_what_the_store_has_lost_is_a_gap_with_how_many() -> None:
    world = World()
    world.cam.say(50)
    world.stored.rows = [row for row in world.stored.rows if row[1].seq > 25]
    got = await read(world.subscribe((EPOCH, 5)), is_score(50))
    gap = got[1]
    assert (gap["type"], gap["first_seq"], gap["seq"], gap["missed"], gap["reason"]) == ("gap", 6, 25, 20, "expired")
    assert seqs(got) == list(range(26, 51))


@in_loop
async def test_a_hole_in_the_store_is_a_gap_where_it_is() -> None:
    world = World()
    world.cam.say(50)
    world.stored.rows = [row for row in world.stored.rows if row[1].seq not in (12, 13)]
    got = await read(world.subscribe((EPOCH, 10)), is_score(50))
    assert [said["type"] for said in got[1:4]] == ["score", "gap", "score"]
    assert (got[2]["first_seq"], got[2]["seq"], got[2]["missed"]) == (12, 13, 2)


@in_loop
async def test_an_empty_store_leaves_a_gap_up_to_the_memory() -> None:
    world = World()
    world.cam.say(50)
    world.stored.rows.clear()
    got = await read(world.subscribe((EPOCH, 5)), is_score(50))
    assert (got[1]["first_seq"], got[1]["seq"], got[1]["missed"]) == (6, 30, 25)
    assert seqs(got) == list(range(31, 51))


@in_loop
async def test_a_store_in_trouble_is_a_gap_and_no_error() -> None:
    world = World()
    world.cam.say(50)
    world.stored.broken = True
    got = await read(world.subscribe((EPOCH, 5)), is_score(50))
    assert types(got)[:2] == ["hello", "gap"]
    assert seqs(got) == list(range(31, 51))


@pytest.mark.parametrize("since", [(EPOCH, 99), (EPOCH + 1, 0)])
def test_a_position_that_never_was_is_a_gap_of_unknown_length(since: tuple[int, int]) -> None:
    @in_loop
    async def body() -> None:
        world = World()
        world.cam.say(5)
        reader = await listening(world.subscribe(since), is_score(6))
        world.cam.say()
        got = await reader
        assert (got[1]["type"], got[1]["missed"], got[1]["reason"]) == ("gap", None, "unknown")
        assert (got[1]["epoch"], got[1]["seq"]) == (EPOCH, 5)
        assert seqs(got) == [6]

    body()


@in_loop
async def test_an_epoch_that_is_not_stored_any_more_is_a_gap_of_unknown_length() -> None:
    world = World()
    world.stored.rows += [(2, score(n)) for n in range(4, 7)]
    world.cam.say(2)
    got = await read(world.subscribe((1, 3)), lambda said: said.get("epoch") == EPOCH and said.get("seq") == 2)
    assert (got[1]["type"], got[1]["missed"], got[1]["epoch"], got[1]["seq"]) == ("gap", None, 2, 3)
    assert seqs(got) == [4, 5, 6, 1, 2]


@in_loop
async def test_a_replay_has_a_bound() -> None:
    world = World(limits=SubscriberLimits(replayed=10))
    world.cam.say(50)
    got = await read(world.subscribe((EPOCH, 5)), is_score(50))
    assert seqs(got) == [*range(6, 16), *range(31, 51)]
    assert [said["missed"] for said in got if said["type"] == "gap"] == [15]


@in_loop
async def test_a_committed_score_that_is_not_published_yet_comes_once() -> None:
    world = World()
    world.cam.say(50)
    world.stored.rows.append((EPOCH, score(51)))
    reader = await listening(world.subscribe((EPOCH, 10)), is_score(51))
    world.hub.publish([messages.score(score(51), EPOCH)])
    assert seqs(await reader) == list(range(11, 52))


@in_loop
async def test_a_slow_subscriber_loses_the_oldest_and_is_told() -> None:
    world = World(kept=5, limits=SubscriberLimits(queued=5))
    async with aclosing(world.subscribe().__aiter__()) as said:
        await anext(said)
        first = reading(said)
        await asyncio.sleep(0.01)
        world.cam.say(1)
        assert orjson.loads(await first)["seq"] == 1
        world.cam.say(25)
        gap = orjson.loads(await anext(said))
        assert (gap["type"], gap["first_seq"], gap["seq"], gap["missed"], gap["reason"]) == ("gap", 2, 16, 15, "slow")
        assert [orjson.loads(await anext(said))["seq"] for _ in range(10)] == list(range(17, 27))
    assert world.hub.lost == 15


@in_loop
async def test_a_subscriber_that_never_reads_is_cut_off_with_1013_and_costs_nobody_anything() -> None:
    world = World(kept=5, limits=SubscriberLimits(queued=5, patience=10.0, calm=5.0))
    stuck = asyncio.Event()

    async def never(data: bytes) -> None:
        if b'"hello"' not in data:
            await stuck.wait()

    blocked = world.subscribe()
    delivery = asyncio.create_task(blocked.deliver(never))
    reader = await listening(world.subscribe(), is_score(200))
    await attached(blocked)
    for _ in range(200):
        world.cam.say()
        world.clock.now += 0.1
        await asyncio.sleep(0)
    assert seqs(await reader) == list(range(1, 201))
    async with asyncio.timeout(10):
        assert await delivery == Close(1013, "messages were not read fast enough")
    assert world.hub.subscribers == 0


@in_loop
async def test_a_subscriber_that_is_cut_off_while_it_waits_gets_an_error_first() -> None:
    world = World(kept=2, limits=SubscriberLimits(queued=2, patience=1.0))
    async with aclosing(world.subscribe().__aiter__()) as said:
        await anext(said)
        waiting = reading(said)
        await asyncio.sleep(0.01)
        for _ in range(10):
            world.cam.say()
            world.clock.now += 0.5
        rest = [orjson.loads(await waiting), *[orjson.loads(data) async for data in said]]
    assert types(rest)[-1] == "error" and rest[-1]["code"] == "too_slow"


@in_loop
async def test_a_burst_is_forgiven() -> None:
    world = World(kept=2, limits=SubscriberLimits(queued=2, patience=1.0, calm=5.0))
    subscription = world.subscribe()
    async with aclosing(subscription.__aiter__()) as said:
        await anext(said)
        waiting = reading(said)
        await asyncio.sleep(0.01)
        for _ in range(4):
            world.cam.say(10)
            world.clock.now += 6
        await waiting
    assert subscription.close is None


@in_loop
async def test_coalesced_messages_come_as_arrays() -> None:
    world = World()
    async with aclosing(world.subscribe(batch_ms=20).__aiter__()) as said:
        assert types(orjson.loads(await anext(said))) == ["hello"]
        waiting = reading(said)
        await asyncio.sleep(0.005)
        for _ in range(5):
            world.cam.say()
            await asyncio.sleep(0)
        assert seqs(orjson.loads(await waiting)) == [1, 2, 3, 4, 5]


@in_loop
async def test_events_between_scores_are_replayed_where_they_were() -> None:
    world = World()
    world.cam.say(2)
    world.hub.publish([Message("cam", b'{"type":"event.opened","id":7}', kept=True)])
    world.hub.publish([Message("cam", b'{"type":"health"}')])
    world.cam.say(1)
    got = await read(world.subscribe((EPOCH, 1)), is_score(3))
    assert types(got) == ["hello", "score", "event.opened", "score"]


@in_loop
async def test_all_streams_have_positions_of_their_own() -> None:
    world = World()
    world.hub.open("yard")
    yard = Publisher(world.hub, world.stored, "yard")
    for _ in range(5):
        world.cam.say()
        yard.say()
    got = await read(world.hub.subscribe(None, since=Position(EPOCH, 4)), lambda said: said.get("at") == 10)
    assert (got[0]["oldest_at"], got[0]["newest_at"]) == (1, 10)
    assert [(said["at"], said["stream"], said["seq"]) for said in got[1:]] == [
        (5, "cam", 3),
        (6, "yard", 3),
        (7, "cam", 4),
        (8, "yard", 4),
        (9, "cam", 5),
        (10, "yard", 5),
    ]


@in_loop
async def test_what_was_missed_of_all_streams_beyond_the_memory_is_a_gap() -> None:
    world = World(kept_of_all=10)
    world.cam.say(30)
    got = await read(world.hub.subscribe(None, since=Position(EPOCH, 5)), lambda said: said.get("at") == 30)
    assert (got[1]["type"], got[1]["first_at"], got[1]["at"], got[1]["missed"]) == ("gap", 6, 20, 15)
    assert [said["at"] for said in got[2:]] == list(range(21, 31))
    earlier = await read(world.hub.subscribe(None, since=Position(EPOCH - 1, 5)), lambda said: said["type"] == "gap")
    assert (earlier[1]["missed"], earlier[1]["at"]) == (None, 30)


@in_loop
async def test_the_end_of_a_stream_says_bye_after_what_was_said() -> None:
    world = World()
    reader = asyncio.create_task(read_all(subscription := world.subscribe()))
    await attached(subscription)
    world.cam.say(2)
    world.hub.end("cam")
    assert types(await reader) == ["hello", "score", "score", "bye"]
    assert subscription.close == Close(1000, "the stream was deleted")
    with pytest.raises(KeyError):
        world.subscribe()
    world.cam.say()  # a batch that was under way
    assert world.hub.streams == 0


@in_loop
async def test_a_service_that_stops_says_bye_also_to_newcomers() -> None:
    world = World()
    reader = asyncio.create_task(read_all(first := world.subscribe()))
    await asyncio.sleep(0.01)
    world.hub.close()
    await reader
    late = world.subscribe()
    assert types(await read_all(late)) == ["hello", "bye"]
    assert first.close == late.close == Close(1012, "the service restarts")


@in_loop
async def test_the_position_is_that_of_the_message_handed_out_last() -> None:
    world = World()
    world.cam.say(40)
    subscription = world.subscribe((EPOCH, 18))
    positions = []
    async with aclosing(subscription.__aiter__()) as said:
        async for data in said:
            positions.append((orjson.loads(data).get("seq"), str(subscription.position)))
            if len(positions) == 23:
                break
    assert positions == [(None, "3:18"), *[(seq, f"3:{seq}") for seq in range(19, 41)]]


@in_loop
async def test_subscription_to_a_stream_that_ends_before_it_is_read_says_bye() -> None:
    world = World()
    subscription = world.subscribe()
    world.hub.end("cam")
    assert types(await read_all(subscription)) == ["hello", "bye"]
    assert world.hub.subscribers == 0


@pytest.mark.parametrize(("text", "position"), [("3:17", (3, 17)), ("0:0", (0, 0))])
def test_position_is_read(text: str, position: tuple[int, int]) -> None:
    assert Position.parse(text) == position
    assert str(Position.parse(text)) == text


@pytest.mark.parametrize("text", ["", "3", "3:", ":3", "-1:2", "1:2:3", "1.5:2", "a:b", "1:" + "9" * 30, "１:2"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected epoch:seq"):
        Position.parse(text)


@in_loop
async def test_a_send_that_fails_ends_the_delivery_with_its_error() -> None:
    world = World()

    async def gone(data: bytes) -> None:
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        await world.subscribe().deliver(gone)
    assert world.hub.subscribers == 0


@in_loop
async def test_a_cancelled_delivery_leaves_nothing_behind() -> None:
    world = World()
    subscription = world.subscribe()

    async def send(data: bytes) -> None:
        pass

    delivery = asyncio.create_task(subscription.deliver(send))
    await asyncio.sleep(0.01)
    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivery
    assert world.hub.subscribers == 0


@in_loop
async def test_nothing_leaks_over_a_thousand_streams_and_subscribers() -> None:
    stored = Stored()
    hub = Hub(EPOCH, stored)
    watched = []
    for n in range(1000):
        hub.open(f"cam{n}")
        subscription = hub.subscribe(f"cam{n}")
        watched.append(weakref.ref(subscription))
        hub.publish([messages.score(score(1, f"cam{n}"), EPOCH)])
        hub.end(f"cam{n}")
        await read_all(subscription)
    del subscription
    gc.collect()
    assert (hub.streams, hub.subscribers) == (0, 0)
    assert not any(reference() is not None for reference in watched)


async def _cut_off(seed: int, *, cuts: int, kept: int) -> None:
    """A client that loses its connection at random, and asks for what it missed each time."""
    chance = random.Random(seed)
    world = World(kept=kept, limits=SubscriberLimits(queued=8))
    publishing = True

    async def publish() -> None:
        while publishing:
            if chance.random() < 0.3:
                world.cam.say(chance.randint(1, 6))
            if chance.random() < 0.02:  # retention
                world.stored.rows = world.stored.rows[chance.randint(0, 30) :]
            await asyncio.sleep(0)

    publisher = asyncio.create_task(publish())
    known: list[int] = []
    position = 0

    def take(said: Said) -> None:
        nonlocal position
        if said["type"] == "score":
            assert said["seq"] == position + 1, "a score twice, or missing without a gap"
            known.append(said["seq"])
            position = said["seq"]
        elif said["type"] == "gap":
            assert said["first_seq"] == position + 1
            assert said["missed"] == said["seq"] - position
            position = said["seq"]

    async with asyncio.timeout(60):
        for _ in range(cuts):
            left = chance.randint(1, 40)
            async with aclosing(world.subscribe((EPOCH, position)).__aiter__()) as stream:
                async for data in stream:
                    take(orjson.loads(data))
                    left -= 1
                    if left <= 0:
                        break
                    for _ in range(chance.choice((0, 0, 0, 1, 5))):
                        await asyncio.sleep(0)
        publishing = False
        await publisher
        for said in await read(world.subscribe((EPOCH, position)), _caught_up(world, position)):
            take(said)
    assert position == world.cam.seq
    assert len(known) > cuts


def _caught_up(world: World, position: int) -> Callable[[Said], bool]:
    return lambda said: world.cam.seq == position or said.get("seq") == world.cam.seq


@pytest.mark.parametrize("kept", [4, 64])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=3, deadline=None)
def test_a_client_cut_off_fifty_times_has_every_seq_once_or_a_gap(kept: int, seed: int) -> None:
    asyncio.run(_cut_off(seed, cuts=50, kept=kept))


@in_loop
async def test_publishing_does_not_wait_for_anybody() -> None:
    world = World(kept=256, limits=SubscriberLimits(queued=256))
    readers = [await listening(world.subscribe(), is_score(1000)) for _ in range(200)]
    began = time.process_time()
    world.cam.say(1000)
    assert time.process_time() - began < 5
    assert {seqs(await reader)[-1] for reader in readers} == {1000}
