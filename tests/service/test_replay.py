"""Who was away gets every score exactly once, or learns what is missing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service import messages
from service.hub import ENDED
from service.messages import Message
from service.replay import PAGE, Position
from service.subscription import REVOKED, SubscriberLimits
from tests.service.said import (
    EPOCH,
    Said,
    World,
    in_loop,
    is_score,
    listening,
    read,
    score,
    seqs,
    types,
)


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
async def test_from_the_beginning_nothing_is_missing_before_the_first_run() -> None:
    world = World()
    world.stored.rows += [(1, score(n)) for n in range(1, 4)]
    world.cam.say(2)
    got = await read(world.subscribe((0, 0)), lambda said: said.get("epoch") == EPOCH and said.get("seq") == 2)
    assert types(got) == ["hello"] + ["score"] * 5


@pytest.mark.parametrize("earlier", [[], [(2, 1), (2, 2)]], ids=["made in this run", "made in an earlier run"])
def test_whoever_has_no_position_is_told_of_no_gap_in_runs_before_the_stream(earlier: list[tuple[int, int]]) -> None:
    @in_loop
    async def body() -> None:
        world = World()
        world.stored.rows += [(epoch, score(n)) for epoch, n in earlier]
        world.cam.say(50)
        got = await read(world.subscribe((0, 0)), lambda said: said.get("epoch") == EPOCH and said.get("seq") == 50)
        assert set(types(got)) == {"hello", "score"}
        assert [(said["epoch"], said["seq"]) for said in got[1:]] == [*earlier, *[(EPOCH, n) for n in range(1, 51)]]

    body()


@in_loop
async def test_whoever_has_no_position_is_told_what_the_run_it_begins_with_has_lost() -> None:
    world = World()
    world.stored.rows += [(2, score(n)) for n in range(4, 7)]
    world.cam.say(2)
    got = await read(world.subscribe((0, 0)), lambda said: said.get("epoch") == EPOCH and said.get("seq") == 2)
    gap = got[1]
    assert (gap["first_epoch"], gap["first_seq"], gap["epoch"], gap["seq"], gap["missed"]) == (2, 1, 2, 3, 3)
    assert seqs(got) == [4, 5, 6, 1, 2]


@in_loop
async def test_whoever_has_no_position_is_told_of_a_gap_where_the_store_cannot_be_read() -> None:
    world = World()
    world.cam.say(2)
    world.stored.broken = True
    got = await read(world.subscribe((0, 0)), is_score(2))
    assert [said["missed"] for said in got if said["type"] == "gap"] == [None]
    assert seqs(got) == [1, 2]


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
async def test_a_history_of_any_length_is_replayed_to_its_end_while_more_is_said() -> None:
    world = World(kept=5)
    world.stored.rows += [(1, score(n)) for n in range(1, 20_501)]
    world.cam.say(50)
    got: list[Said] = []
    async with asyncio.timeout(120), aclosing(world.subscribe((0, 0)).__aiter__()) as said:
        async for data in said:
            got.append(orjson.loads(data))
            if len(got) % 1000 == 0:
                world.cam.say(10)  # more than the memory keeps, by the time that the next page is read
            if is_score(world.cam.seq)(got[-1]) and got[-1]["epoch"] == EPOCH:
                break
    assert world.cam.seq == 250
    assert set(types(got)) == {"hello", "score"}
    assert seqs(got) == [*range(1, 20_501), *range(1, 251)]


@pytest.mark.parametrize("batch_ms", [0, 10])
def test_a_subscriber_that_is_replayed_is_told_at_once_of_the_end(batch_ms: int) -> None:
    @in_loop
    async def body() -> None:
        world = World(kept=5)
        world.cam.say(5000)
        subscription = world.subscribe((EPOCH, 0), batch_ms=batch_ms)
        got: list[Said] = []
        ends = 2 if batch_ms else 50  # so many sendings later

        async def send(data: bytes) -> None:
            found = orjson.loads(data)
            got.extend(found if isinstance(found, list) else [found])
            nonlocal ends
            ends -= 1
            if not ends:
                world.hub.end("cam")

        async with asyncio.timeout(60):
            assert await subscription.deliver(send) == ENDED
        assert types(got)[-1] == "bye"
        assert 0 < len(seqs(got)) <= PAGE
        assert subscription.position == (EPOCH, seqs(got)[-1])

    body()


@in_loop
async def test_a_key_that_is_revoked_during_a_replay_ends_it() -> None:
    world = World(kept=5)
    world.cam.say(5000)
    subscription = world.subscribe((EPOCH, 0))
    got: list[Said] = []
    async with asyncio.timeout(60), aclosing(subscription.__aiter__()) as said:
        async for data in said:
            got.append(orjson.loads(data))
            if len(got) == 730:
                subscription.end(REVOKED)
    assert (len(got), got[-1]["type"], got[-1]["code"]) == (731, "error", "revoked")


@in_loop
async def test_a_long_replay_leaves_the_others_their_turn() -> None:
    world = World(kept=5)
    world.cam.say(5000)
    sent, at_once, most = 0, 0, 0

    async def look() -> None:
        nonlocal at_once
        while True:
            at_once = 0
            await asyncio.sleep(0)

    async def send(data: bytes) -> None:
        nonlocal sent, at_once, most
        sent, at_once = sent + 1, at_once + 1
        most = max(most, at_once)
        if sent == 5001:
            world.hub.end("cam")

    turns = asyncio.create_task(look())
    async with asyncio.timeout(60):
        await world.subscribe((EPOCH, 0)).deliver(send)
    turns.cancel()
    assert sent == 5002
    assert most <= PAGE


@in_loop
async def test_a_committed_score_that_is_not_published_yet_comes_once() -> None:
    world = World()
    world.cam.say(50)
    world.stored.rows.append((EPOCH, score(51)))
    reader = await listening(world.subscribe((EPOCH, 10)), is_score(51))
    world.hub.publish([messages.score(score(51), EPOCH)])
    assert seqs(await reader) == list(range(11, 52))


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
async def test_what_was_missed_of_all_streams_beyond_the_memory_is_a_gap() -> None:
    world = World(kept_of_all=10)
    world.cam.say(30)
    got = await read(world.hub.subscribe(None, since=Position(EPOCH, 5)), lambda said: said.get("at") == 30)
    assert (got[1]["type"], got[1]["first_at"], got[1]["at"], got[1]["missed"]) == ("gap", 6, 20, 15)
    assert [said["at"] for said in got[2:]] == list(range(21, 31))
    earlier = await read(world.hub.subscribe(None, since=Position(EPOCH - 1, 5)), lambda said: said["type"] == "gap")
    assert (earlier[1]["missed"], earlier[1]["at"]) == (None, 30)


@pytest.mark.parametrize(("said", "missed"), [(30, []), (50, [10])])
def test_whoever_has_no_position_gets_of_all_streams_what_the_memory_has_of_this_run(
    said: int, missed: list[int]
) -> None:
    @in_loop
    async def body() -> None:
        world = World(kept_of_all=40)
        world.cam.say(said)
        got = await read(world.hub.subscribe(None, since=Position(0, 0)), lambda one: one.get("at") == said)
        assert [one["missed"] for one in got if one["type"] == "gap"] == missed
        assert seqs(got) == list(range(1 + sum(missed), said + 1))

    body()


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


@pytest.mark.parametrize(("text", "position"), [("3:17", (3, 17)), ("0:0", (0, 0))])
def test_position_is_read(text: str, position: tuple[int, int]) -> None:
    assert Position.parse(text) == position
    assert str(Position.parse(text)) == text


@pytest.mark.parametrize("text", ["", "3", "3:", ":3", "-1:2", "1:2:3", "1.5:2", "a:b", "1:" + "9" * 30, "１:2"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected epoch:seq"):
        Position.parse(text)


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
