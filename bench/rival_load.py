"""Clients of the other ways to serve: what they score in a second, and in this process without any server."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import uvloop
from websockets.asyncio.client import connect

from bench.rival_fastapi import detector_of, window_scores
from bench.running import ROOT
from model.pictures import Image, decode_image
from model.workers import available_cores, torch_threads

Step = Callable[[bytes], Awaitable[object]]


def loop_rate(model: Path, device: str, frames: Sequence[bytes], *, streams: int, seconds: float) -> float:
    """The way this project began: no server, one loop, one window a call; torch splits each call over the cores."""
    detector = detector_of(model, device, workers=False)
    windows: list[deque[Image]] = [deque(maxlen=detector.config.window) for _ in range(streams)]
    scored, at = 0, 0
    with torch_threads(available_cores()):
        until = float("inf")
        while time.perf_counter() < until:
            for number, window in enumerate(windows):
                window.append(detector.prepare(decode_image(frames[(at + 7 * number) % len(frames)])).image)
                if len(window) == window.maxlen:
                    until = min(until, time.perf_counter() + seconds)
                    window_scores(detector, [list(window)])
                    scored += 1
            at += 1
        return scored / (time.perf_counter() - until + seconds)


def fastapi_rate(url: str, frames: Sequence[bytes], *, streams: int, warm: float, seconds: float) -> float:
    """One websocket a stream, the next frame when the last one is scored."""

    async def stream(number: int, run: Callable[[int, Step], Awaitable[None]]) -> None:
        async with connect(f"ws{url.removeprefix('http')}/score", proxy=None, compression=None) as end:

            async def step(frame: bytes) -> None:
                await end.send(frame)
                await end.recv()

            await run(number, step)

    return _rate(stream, frames, streams, warm, seconds)


def litserve_rate(url: str, frames: Sequence[bytes], *, streams: int, warm: float, seconds: float) -> float:
    """One kept connection a stream, a form for each frame, written by hand: a client library would cost more."""
    place = urlsplit(url)

    async def stream(number: int, run: Callable[[int, Step], Awaitable[None]]) -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)

        async def step(frame: bytes) -> None:
            writer.write(_form(str(number), frame))
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
            )
            body = await reader.readexactly(length)
            if b" 200 " not in head.split(b"\r\n")[0]:
                raise RuntimeError(f"LitServe answers {head[:60]!r} {body[:200]!r}")
            json.loads(body)

        try:
            await run(number, step)
        finally:
            writer.close()

    return _rate(stream, frames, streams, warm, seconds)


def _form(stream: str, frame: bytes) -> bytes:
    body = b"".join(
        [
            b'--b\r\nContent-Disposition: form-data; name="stream"\r\n\r\n%b\r\n' % stream.encode(),
            b'--b\r\nContent-Disposition: form-data; name="frame"; filename="f.jpg"\r\n',
            b"Content-Type: image/jpeg\r\n\r\n%b\r\n--b--\r\n" % frame,
        ]
    )
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def _rate(
    stream: Callable[[int, Callable[[int, Step], Awaitable[None]]], Awaitable[None]],
    frames: Sequence[bytes],
    streams: int,
    warm: float,
    seconds: float,
) -> float:
    """Frames a second that all streams together get answers to, after a while of warming up."""
    scored = 0

    async def together() -> None:
        begin = time.perf_counter() + warm

        async def run(number: int, step: Step) -> None:
            nonlocal scored
            at = 0
            while (now := time.perf_counter()) < begin + seconds:
                await step(frames[(at + 7 * number) % len(frames)])
                scored += begin <= now
                at += 1

        await asyncio.gather(*(stream(number, run) for number in range(streams)))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(together())
    return scored / seconds


@contextmanager
def rival(kind: str, model: Path, device: str, log: Path) -> Iterator[str]:
    """Another server in a process of its own; its URL when it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", f"bench.rival_{kind}", "--model", str(model), "--port", str(port)]
    with log.open("wb") as file:
        process = subprocess.Popen([*command, "--device", device], cwd=ROOT, stdout=file, stderr=file)
    try:
        until = time.monotonic() + 240
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{kind} does not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health", timeout=30).status_code in (200, 404)
    except httpx2.TransportError:
        return False
