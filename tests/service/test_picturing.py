"""Pictures for viewers: encoded once for all of them, never an old one as live, and at each one's own pace."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import orjson
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from model.pictures import PictureError
from model.states import State
from service.client import Client
from service.member import Member
from service.picturing import Pictures, StreamRemoved, encode, heat_png, picture_of
from service.recorder.ring import Ring
from service.records import Health, IncomingFrame, Score, StreamOptions
from service.stream import Latest
from tests.e2e.serving import Served, served
from tests.model.detectors import INTERVAL, pictures
from tests.service.live import jpeg, png

PICTURE = np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)


def latest(seq: int, *, scored: float = 100.0, data: bytes | None = None) -> Latest:
    score = Score("gate", seq, seq, 0.0, 100.0, scored, 1.0, 0.5, 0.5, 1.0, State.NORMAL)
    frame = IncomingFrame(seq, 0.0, 100.0, png(PICTURE) if data is None else data)
    return Latest(frame, score, np.ones((3, 4), np.float32))


def member(newest: Latest | None, *, health: Health = Health.LIVE, **options: Any) -> Member:
    """What looking at a stream needs of it."""
    record = SimpleNamespace(options=StreamOptions(**options))
    facts = {"id": "gate", "removed": False, "health": health, "latest": newest, "record": record, "ring": None}
    return cast(Member, SimpleNamespace(**facts, stream=object(), unusable=""))


def renew(one: Member, newest: Latest) -> None:
    cast(SimpleNamespace, one).latest = newest


@pytest.mark.parametrize(
    ("data", "width", "size"),
    [
        pytest.param(jpeg(PICTURE), 320, (160, 90), id="narrow enough"),
        pytest.param(jpeg(PICTURE), 80, (80, 45), id="half, by the decoder"),
        pytest.param(jpeg(PICTURE), 50, (50, 28), id="less than half"),
        pytest.param(png(PICTURE), 320, (160, 90), id="png"),
        pytest.param(PICTURE, 32, (32, 18), id="decoded"),
        pytest.param(PICTURE[..., 0], 200, (160, 90), id="luma"),
    ],
)
def test_a_picture_is_at_most_so_wide(data: Any, width: int, size: tuple[int, int]) -> None:
    made, told = encode(data, width)
    picture = cv2.imdecode(np.frombuffer(made, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert told == (picture.shape[1], picture.shape[0]) == size
    assert made is data or not isinstance(data, bytes) or width < 160 or data.startswith(b"\x89")


@pytest.mark.parametrize("data", [b"", b"no picture", jpeg(PICTURE)[:300]])
def test_what_is_no_picture_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(PictureError):
        encode(data, 40)


def test_a_heat_map_is_grey_128_at_the_threshold() -> None:
    heat = np.array([[0.0, 2.0, 1e9]], np.float32)
    found = cv2.imdecode(np.frombuffer(heat_png(heat, 2.0), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert found is not None
    assert found.tolist() == [[0, 128, 255]]


def test_a_source_that_is_scored_by_its_luma_is_shown_in_colour() -> None:
    one, newest = member(None), latest(1)
    luma = Latest(IncomingFrame(1, 0.0, 100.0, PICTURE[..., 0]), newest.score, None)
    one.ring = Ring(5.0)
    assert picture_of(one, luma) is luma.frame.data
    one.ring.add(100.1, jpeg(PICTURE))
    assert picture_of(one, luma) == jpeg(PICTURE)
    assert picture_of(one, newest) is newest.frame.data


def run(coroutine: Any) -> Any:
    async def soon() -> Any:
        return await asyncio.wait_for(coroutine, 60)

    return asyncio.run(soon())


def test_many_viewers_cost_one_picture() -> None:
    async def body() -> None:
        shower, one = Pictures(stalled_after=5, clock=lambda: 100.0), member(latest(1))
        try:
            with shower.viewer("gate", 80), shower.viewer("gate", 80):
                shown = await asyncio.gather(*(shower.after(one, None, 80, heat=False) for _ in range(20)))
                assert shower.encoded == 1
                assert len({id(each.jpeg) for each in shown}) == 1
                waiting = [asyncio.ensure_future(shower.after(one, shown[0], 80, heat=True)) for _ in range(20)]
                await asyncio.sleep(0)
                waiting[0].cancel()  # one that goes away takes nothing from the others
                renew(one, latest(2))
                shower.stir("gate")
                got = await asyncio.gather(*waiting[1:])
                assert {each.score.seq for each in got} == {2}
                assert all(each.heat is not None for each in got)
                assert len({id(each.heat) for each in got}) == 1
                assert shower.encoded == 3
        finally:
            shower.close()
        assert not shower._made
        assert not shower._news

    run(body())


@pytest.mark.parametrize(
    ("health", "age", "options", "expected"),
    [
        (Health.LIVE, 1, {}, Health.LIVE),
        (Health.LIVE, 6, {}, Health.STALLED),
        (Health.LIVE, 6, {"max_rate": 0.25}, Health.LIVE),
        (Health.LIVE, 9, {"max_rate": 0.25}, Health.STALLED),
        (Health.RECONNECTING, 1, {}, Health.RECONNECTING),
        (Health.ENDED, 100, {}, Health.ENDED),
    ],
)
def test_an_old_picture_is_not_live(health: Health, age: float, options: dict[str, Any], expected: Health) -> None:
    async def body() -> None:
        shower = Pictures(stalled_after=5, clock=lambda: 100.0 + age)
        try:
            with shower.viewer("gate", 80):
                shown = await shower.after(member(latest(1), health=health, **options), None, 80, heat=False)
                assert shown.health is expected
        finally:
            shower.close()

    run(body())


def test_a_picture_that_has_grown_old_is_shown_again_as_what_it_is() -> None:
    async def body() -> None:
        now = [100.0]
        shower, one = Pictures(stalled_after=5, clock=lambda: now[0]), member(latest(1))
        try:
            with shower.viewer("gate", 80):
                first = await shower.after(one, None, 80, heat=False)
                now[0] = 110.0
                shower.stir("gate")
                again = await shower.after(one, first, 80, heat=False)
                assert (again.score.seq, again.health, again.jpeg) == (1, Health.STALLED, first.jpeg)
                assert shower.encoded == 1
                one.removed = True
                shower.stir("gate")
                with pytest.raises(StreamRemoved):
                    await shower.after(one, again, 80, heat=False)
        finally:
            shower.close()

    run(body())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("data")) as running:
        yield running


def look(service: Served, query: str) -> ClientConnection:
    return connect(f"{service.ws}/v1/streams/gate/picture?{query}", proxy=None, compression=None)


def next_picture(socket: ClientConnection, parts: int) -> tuple[dict[str, Any], list[bytes]]:
    said = orjson.loads(socket.recv(timeout=60))
    found = [socket.recv(timeout=60) for _ in range(parts)]
    assert all(isinstance(part, bytes) for part in found)
    return said, cast(list[bytes], found)


def test_a_viewer_gets_the_newest_picture_when_it_asks(service: Served) -> None:
    with Client(service.url, timeout=60) as client:
        client.create_stream(id="gate", policy="every")
        with look(service, "width=64&heat=1") as socket:
            with client.ingest("gate", header=True) as sender:
                for n, image in enumerate(pictures(12)):
                    sender.send(png(image), captured=n * INTERVAL)
                said, (shown, heat) = next_picture(socket, 2)  # before the stream ends: then it is not live
                assert (said["type"], said["stream"], said["health"], said["width"]) == ("picture", "gate", "live", 64)
                list(sender.finish())
            assert shown.startswith(b"\xff\xd8")
            assert heat.startswith(b"\x89PNG")
            while said["seq"] < 12:  # those in between may be left out
                socket.send("next")
                before, (said, _) = said["seq"], next_picture(socket, 2)
                assert said["seq"] > before
            assert said["smoothed"] is not None
            client.delete_stream("gate")
            with suppress(ConnectionClosed):  # it may have been told before it asks
                socket.send("next")
            assert orjson.loads(socket.recv(timeout=60))["type"] == "bye"
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=60)
            assert socket.close_code == 1000


def test_a_viewer_that_asks_for_nothing_is_told_that_the_stream_was_deleted(service: Served) -> None:
    with Client(service.url, timeout=60) as client:
        client.create_stream(id="gate", policy="every")
        with look(service, "") as socket:
            with client.ingest("gate", header=True) as sender:
                sender.send(png(pictures(1)[0]), captured=0.0)
                list(sender.finish())
            assert next_picture(socket, 1)[0]["type"] == "picture"
            client.delete_stream("gate")
            assert orjson.loads(socket.recv(timeout=60))["type"] == "bye"
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=60)
            assert socket.close_code == 1000


@pytest.mark.parametrize(("query", "status"), [("width=4", 422), ("width=x", 422), ("heat=maybe", 422)])
def test_a_viewer_that_asks_for_what_there_is_not_is_refused(service: Served, query: str, status: int) -> None:
    with Client(service.url, timeout=60) as client:
        client.create_stream(id="gate")
        with pytest.raises(InvalidStatus) as error, look(service, query):
            pass
        assert error.value.response.status_code == status
        with look(service, "") as socket:
            socket.send("more")
            assert orjson.loads(socket.recv(timeout=60))["type"] == "error"
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=60)
            assert socket.close_code == 1003
        client.delete_stream("gate")
