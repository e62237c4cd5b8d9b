"""A subscriber that is cut off again and again has every score once in the end, or was told what it misses."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import orjson
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from service.client import Client, Message
from tests.e2e.given import FRAMES, send
from tests.e2e.serving import Served, served, vanish
from tests.model.detectors import INTERVAL
from tests.waiting import wait_for

CUTS = 50
COUNT = 400
"""Frames; so many that the last cut comes before the last score."""


def connections(service: Served, dice: random.Random, cuts: int, *, kept: bool) -> Iterator[Message]:
    """What many connections are told, one after the other; each but the last is cut off.

    A cut loses what is on its way: the client goes on from the last message that it has read. What is not kept is
    deleted before each connection, as retention does it.
    """
    since = "1:0"
    for number in range(cuts + 1):
        if not kept:
            service.monitor.store.upkeep.delete_scores(time.time(), COUNT)
        left = dice.randint(0, 2 * COUNT // cuts) if number < cuts else COUNT
        with (
            connect(f"{service.ws}/v1/streams/gate/scores?since={since}", proxy=None) as end,
            suppress(ConnectionClosed),
        ):
            while left >= 0:
                message: Message = orjson.loads(end.recv(timeout=120))
                if message["type"] in ("score", "gap"):
                    since = f"{message['epoch']}:{message['seq']}"
                    yield message
                    if message["seq"] == COUNT:
                        return
                left -= 1
            vanish(end)


@pytest.mark.parametrize("kept", [True, False], ids=["everything kept", "little kept"])
def test_after_fifty_cuts_every_seq_has_come_once_or_a_gap_said_which(tmp_path: Path, kept: bool) -> None:
    dice = random.Random(11)
    with served(tmp_path, replay_count=1000 if kept else 5) as running, Client(running.url, timeout=120) as client:
        client.create_stream(id="gate", policy="every")

        def push() -> None:
            with Client(running.url, timeout=120) as other, other.ingest("gate", header=True, scores=False) as sender:
                for n in range(COUNT):
                    sender.send(FRAMES[n % len(FRAMES)], captured=n * INTERVAL, number=n)
                list(sender.finish())

        pushing = threading.Thread(target=push)
        pushing.start()
        if not kept:  # otherwise one who reads as fast as frames are scored misses nothing
            wait_for(lambda: any(score["seq"] >= COUNT // 8 for score in client.scores("gate", since="1:0")))
        got: list[int] = []
        missed: list[int] = []
        for message in connections(running, dice, CUTS, kept=kept):
            if message["type"] == "gap":
                missed += range(message["first_seq"], message["seq"] + 1)
                assert message["missed"] in (None, message["seq"] - message["first_seq"] + 1)
            else:
                got.append(message["seq"])
        pushing.join(120)
    assert sorted(got + missed) == list(range(1, COUNT + 1))
    assert got == sorted(got)
    assert bool(missed) is not kept


@pytest.mark.parametrize(("since", "missed"), [(5, [5]), (10, []), (12, [])])
def test_the_numbers_of_a_purged_stream_go_on_when_it_is_made_again(
    tmp_path: Path, since: int, missed: list[int]
) -> None:
    with served(tmp_path) as running, Client(running.url, timeout=120) as client:
        client.create_stream(id="gate", policy="every")
        send(client, "gate", 10)
        client.delete_stream("gate", purge=True)
        client.create_stream(id="gate", policy="every")
        assert [message["seq"] for message in send(client, "gate", 5) if message["type"] == "score"] == [*range(11, 16)]
        got = []
        with closing(client.follow("gate", since=f"1:{since}")) as following:
            for message in following:
                got.append(message)
                if message["type"] == "score" and message["seq"] == 15:
                    break
    assert [message["missed"] for message in got if message["type"] == "gap"] == missed
    assert [message["seq"] for message in got if message["type"] == "score"] == list(range(max(10, since) + 1, 16))
