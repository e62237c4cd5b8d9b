"""Subscribers get what is said, in order and once encoded, and cost nobody else anything."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from contextlib import aclosing

import orjson
import pytest
from starlette.types import Message

from service import messages
from service.api import scores
from service.hub import Hub
from service.replay import Position
from service.subscription import Close, SubscriberLimits
from tests.service.said import (
    EPOCH,
    Publisher,
    Stored,
    World,
    attached,
    in_loop,
    is_score,
    listening,
    read,
    read_all,
    reading,
    score,
    seqs,
    types,
)


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
    async with asyncio.timeout(120):
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
async def test_an_event_stream_that_is_never_read_is_given_up_when_it_has_ended() -> None:
    world, left, stuck = World(), list[str](), asyncio.Event()
    subscription = world.subscribe()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            stuck.set()
            await asyncio.Event().wait()

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {}

    response = scores._EventStream(subscription, lambda: left.append("gone"))
    answering = asyncio.create_task(response({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send))
    await stuck.wait()
    assert left == []
    subscription.end(Close(1013, "messages were not read fast enough"))
    await asyncio.wait_for(answering, 60)
    assert left == ["gone"]
    assert world.hub.subscribers == 0


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
async def test_subscription_to_a_stream_that_ends_before_it_is_read_says_bye() -> None:
    world = World()
    subscription = world.subscribe()
    world.hub.end("cam")
    assert types(await read_all(subscription)) == ["hello", "bye"]
    assert world.hub.subscribers == 0


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


@in_loop
async def test_publishing_does_not_wait_for_anybody() -> None:
    world = World(kept=256, limits=SubscriberLimits(queued=256))
    readers = [await listening(world.subscribe(), is_score(1000)) for _ in range(200)]
    began = time.process_time()
    world.cam.say(1000)
    assert time.process_time() - began < 5
    assert {seqs(await reader)[-1] for reader in readers} == {1000}
