"""Clients that push frames and read scores, as many streams as wanted in one event loop."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.live_material import INTERVAL
from bench.running import cpu_seconds
from service.ingest import HEADER

_QUIET: dict[str, Any] = {"proxy": None, "compression": None, "ping_interval": None, "open_timeout": 120}


@dataclass(slots=True)
class Load:
    """What came of sending frames for a while.

    Attributes:
        seconds: that count.
        scored: scores that came back in them, of full windows or not.
        sent: frames that were sent in them.
        client: processor seconds of the clients in them.
        service: of the service, where its process is known.
        latencies: seconds from a frame's capture to its score at the client, in order of coming.
        dropped: frames that the service says it dropped.
    """

    seconds: float = 0.0
    scored: int = 0
    sent: int = 0
    client: float = 0.0
    service: float = 0.0
    latencies: list[float] = field(default_factory=list)
    dropped: int = 0

    @property
    def rate(self) -> float:
        """Scores a second."""
        return self.scored / self.seconds


class _Counting:
    """What counts: between two moments, after every client is connected."""

    def __init__(self, clients: int, warm: float, seconds: float, pid: int | None = None) -> None:
        self.load = Load(seconds)
        self.begin = self.end = float("inf")
        self.over = asyncio.Event()
        self._warm = warm
        self._pid = pid
        self._missing = clients
        self._connected = asyncio.Event()

    def connected(self) -> None:
        """One client more is."""
        self._missing -= 1
        if not self._missing:
            self._connected.set()

    @property
    def on(self) -> bool:
        return self.begin <= time.perf_counter() < self.end

    async def run(self) -> None:
        async with asyncio.timeout(120):
            await self._connected.wait()
        self.begin = time.perf_counter() + self._warm
        self.end = self.begin + self.load.seconds
        await asyncio.sleep(max(0.0, self.begin - time.perf_counter()))
        before = _cpu(), self._served()
        await asyncio.sleep(max(0.0, self.end - time.perf_counter()))
        self.load.client, self.load.service = _cpu() - before[0], self._served() - before[1]
        self.over.set()

    def _served(self) -> float:
        return 0.0 if self._pid is None else cpu_seconds(self._pid)


def saturate(
    ws: str,
    streams: Sequence[str],
    frames: Sequence[bytes],
    *,
    warm: float,
    seconds: float,
    pid: int | None = None,
    interval: float = INTERVAL,
) -> Load:
    """Sends the frames of streams with the policy `every` as fast as they are taken.

    Args:
        ws: URL of the service, with ws.
        streams: ids.
        frames: JPEGs, again and again; each stream begins with another one.
        warm: seconds before it counts.
        seconds: that count.
        pid: of the service, to have its processor time counted.
        interval: seconds between two frames by their time stamps; the model's.
    """
    return _run(_saturate(ws, streams, frames, interval, _Counting(len(streams), warm, seconds, pid)))


def pace(ws: str, streams: Sequence[str], frames: Sequence[bytes], *, rate: float, warm: float, seconds: float) -> Load:
    """Sends so many frames a second of each stream whatever comes back, as cameras do; spread evenly over time."""
    return _run(_pace(ws, streams, frames, rate, _Counting(len(streams), warm, seconds)))


def _run(running: Any) -> Load:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        load: Load = runner.run(running)
        return load


async def _saturate(
    ws: str, streams: Sequence[str], frames: Sequence[bytes], interval: float, counting: _Counting
) -> Load:
    async def one(number: int, id: str) -> None:
        async with _sending(ws, id, counting) as end:
            at = 0
            while not counting.over.is_set():
                micros = round(at * interval * 1e6)
                await end.send(HEADER.pack(micros, at, 0) + frames[(at + 7 * number) % len(frames)])
                counting.load.sent += counting.on
                at += 1

    await _all(counting, [one(number, id) for number, id in enumerate(streams)])
    return counting.load


async def _pace(ws: str, streams: Sequence[str], frames: Sequence[bytes], rate: float, counting: _Counting) -> Load:
    async def one(number: int, id: str) -> None:
        captured: dict[int, float] = {}
        async with _sending(ws, id, counting, captured) as end:
            due = time.perf_counter() + number / len(streams) / rate
            at = 0
            while not counting.over.is_set():
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                captured[at] = due  # a client that is late has waited too
                frame = frames[(at + 7 * number) % len(frames)]
                await end.send(HEADER.pack(round(time.time() * 1e6), at, 0) + frame)
                counting.load.sent += counting.on
                at += 1
                due += 1 / rate

    await _all(counting, [one(number, id) for number, id in enumerate(streams)])
    return counting.load


async def _all(counting: _Counting, sending: Sequence[Any]) -> None:
    tasks = [asyncio.create_task(one) for one in sending]
    await counting.run()
    done, _ = await asyncio.wait(tasks, timeout=5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        if not task.cancelled() and task.exception() is not None:
            raise RuntimeError("a client failed") from task.exception()


@asynccontextmanager
async def _sending(
    ws: str, id: str, counting: _Counting, captured: dict[int, float] | None = None
) -> AsyncGenerator[ClientConnection, None]:
    """A socket that frames are sent on; what comes back is counted aside."""
    async with connect(f"{ws}/v1/streams/{id}/ingest?header=1", **_QUIET) as end:
        counting.connected()
        reading = asyncio.create_task(_read(end, counting, captured))
        try:
            with suppress(ConnectionClosed):
                yield end
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _read(end: ClientConnection, counting: _Counting, captured: dict[int, float] | None) -> None:
    load = counting.load
    with suppress(ConnectionClosed):
        async for text in end:
            if b'"score"' not in (text if isinstance(text, bytes) else text[:60].encode()):
                continue
            said = orjson.loads(text)
            if said["type"] != "score" or not counting.on:
                continue
            load.scored += 1
            load.dropped += said["dropped"]
            if captured is not None:
                load.latencies.append(time.perf_counter() - captured.pop(said["frame"]))


@asynccontextmanager
async def idle(ws: str, path: str, count: int) -> AsyncGenerator[None, None]:
    """So many subscribers that hear nothing and say nothing."""
    opened: list[ClientConnection] = []
    try:
        for first in range(0, count, 50):
            some = [connect(f"{ws}{path}", **_QUIET) for _ in range(min(50, count - first))]
            opened += await asyncio.gather(*some)
        yield
    finally:
        await asyncio.gather(*(end.close() for end in opened), return_exceptions=True)


def _cpu() -> float:
    """Processor seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
