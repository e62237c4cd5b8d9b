"""`make bench-serve`: from JPEGs on sockets to scores on sockets, as a ratio to decoding the same JPEGs alone.

    python -m bench.serve --write

The service runs in a process of its own, the clients in this one, on the same cores: their share is told.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.live_load import Load, idle, pace, saturate
from bench.live_material import INTERVAL, decode_rate, jpegs, write_model
from bench.machine import this_host
from bench.page import PAGE, command_of, put_section
from bench.rival_load import fastapi_rate, rival
from bench.running import Running
from model.device import choose_device
from service.client import Client
from service.commands.serve import allow_descriptors

WINDOW = 8
"""Frames that a stream of the packaged model needs before it has scores: those before them cost less."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Throughput with so many streams, the median round.

    Attributes:
        streams: that send as fast as their frames are taken.
        rate: scores a second.
        lowest, highest: of the rounds.
        share: of the processor time, the clients'.
        busy: cores that service and clients used together.
        batch: frames of a batch, in the mean.
    """

    streams: int
    rate: float
    lowest: float
    highest: float
    share: float
    busy: float
    batch: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from a frame's capture to its score at the client.

    Attributes:
        part: of the capacity that is sent.
        streams: that send it, each at about the model's rate.
        sent: frames a second.
        dropped: of the frames sent, those that were dropped.
        quantiles: of half, of 95 % and of 99 % of the scores.
    """

    part: float
    streams: int
    sent: float
    dropped: float
    quantiles: tuple[float, float, float]


class Bench:
    """A running service and what is sent to it."""

    def __init__(self, running: Running, frames: Sequence[bytes], *, warm: float, seconds: float) -> None:
        self._running = running
        self._frames = frames
        self._warm = warm
        self._seconds = seconds
        self._ws = running.url.replace("http", "ws", 1)
        self._made = 0

    def rate(self, streams: int, rounds: int, *, filling: float) -> Rate:
        """Throughput of streams that are never short of frames; `filling` their windows takes so many seconds."""
        loads: list[tuple[Load, float]] = []
        warm = self._warm + filling
        for _ in range(rounds):
            names = self._make(streams, "every")
            before = self._batches()
            load = saturate(self._ws, names, self._frames, warm=warm, seconds=self._seconds, pid=self._running.pid)
            batches, frames = (after - first for after, first in zip(self._batches(), before, strict=True))
            loads.append((load, frames / max(1.0, batches)))
            self._remove(names)
        loads.sort(key=lambda one: one[0].rate)
        load, batch = loads[len(loads) // 2]
        used = load.client + load.service
        lowest, highest = loads[0][0].rate, loads[-1][0].rate
        return Rate(streams, load.rate, lowest, highest, load.client / used, used / self._seconds, batch)

    def latency(self, part: float, most: float) -> Latency:
        """Latency when a part of the capacity is sent, by as many cameras as that makes at the model's rate.

        Args:
            part: of the capacity: what so many streams get scored when they are never short of frames.
            most: frames a second, of however many streams; from it follows how many cameras there are.
        """
        streams = max(1, round(part * most * INTERVAL))
        wanted = part * self.rate(streams, 1, filling=WINDOW * streams / most).rate
        names = self._make(streams, "latest")
        load = pace(self._ws, names, self._frames, rate=wanted / streams, warm=self._warm, seconds=2 * self._seconds)
        self._remove(names)
        half, most, nearly = np.quantile(load.latencies or [np.nan], [0.5, 0.95, 0.99])
        dropped = load.dropped / max(1, load.sent)
        return Latency(part, streams, load.sent / load.seconds, dropped, (float(half), float(most), float(nearly)))

    def idle_subscribers(self, count: int) -> float:
        """Bytes of the service's memory for each subscriber that waits for a stream's scores."""
        (name,) = self._make(1, "latest")

        async def grow() -> float:
            async with idle(self._ws, f"/v1/streams/{name}/scores", min(100, count)):
                before = self._running.vitals().rss
                async with idle(self._ws, f"/v1/streams/{name}/scores", count):
                    await asyncio.sleep(2)
                    return (self._running.vitals().rss - before) / count

        grown = asyncio.run(grow())
        self._remove([name])
        return grown

    def _make(self, count: int, policy: str) -> list[str]:
        names = [f"cam{self._made + number}" for number in range(count)]
        self._made += count
        with Client(self._running.url, timeout=120) as client:
            for name in names:
                client.create_stream(id=name, policy=policy)
        return names

    def _remove(self, names: Sequence[str]) -> None:
        with Client(self._running.url, timeout=120) as client:
            for name in names:
                client.delete_stream(name, purge=True)

    def stages(self) -> str:
        """Milliseconds a frame of each stage so far; decoding takes a thread that long, the others the whole engine."""
        said = self._metrics()
        frames = said.get("framewatch_batch_frames_sum", 0.0)
        found = []
        for stage in ("decode", "copy", "encoder", "windows", "publish"):
            seconds = said.get(f'framewatch_stage_seconds_sum{{stage="{stage}"}}', 0.0)
            found.append(f"{stage} {1000 * seconds / max(1.0, frames):.1f} ms")
        return ", ".join(found)

    def _batches(self) -> tuple[float, float]:
        """How many batches there were, and frames in them."""
        said = self._metrics()
        return said.get("framewatch_batch_frames_count", 0.0), said.get("framewatch_batch_frames_sum", 0.0)

    def _metrics(self) -> dict[str, float]:
        with Client(self._running.url, timeout=120) as client:
            lines = client.metrics().splitlines()
        named = (line.rsplit(" ", 1) for line in lines if line.startswith("framewatch_"))
        return {name: float(value) for name, value in named}


def measure(options: argparse.Namespace, folder: Path) -> str:
    """Everything, as Markdown."""
    frames = jpegs(options.frames)
    model = write_model(folder / "wide.safetensors")
    seconds, warm = options.seconds, options.warm
    bare, opencv = _decoding(frames, options.rounds, seconds / 2)
    flags = ["--device", options.device, "--max-clients", 100 + 2 * options.idle, "--min-free-disk-bytes", 0]
    with Running(folder / "data", model=model, flags=flags).wait() as running:
        bench = Bench(running, frames, warm=warm, seconds=seconds)
        rates: list[Rate] = []
        for streams in options.streams:
            known = max((one.rate for one in rates), default=np.inf)
            rates.append(bench.rate(streams, options.rounds, filling=WINDOW * streams / known))
        stages = bench.stages()
        most = max(one.rate for one in rates)
        latencies = [bench.latency(part, most) for part in (0.5, 0.9)]
        each = bench.idle_subscribers(options.idle)
    middle = 16 if 16 in options.streams else options.streams[-1]
    with rival("fastapi", model, options.device, folder / "fastapi.log") as url:
        plain = fastapi_rate(url, frames, streams=middle, warm=warm, seconds=seconds)
    later = _decoding(frames, options.rounds, seconds / 2)  # the machine may have changed meanwhile
    bare, opencv = bare + later[0], opencv + later[1]
    decoding, colour = statistics.median(bare), statistics.median(opencv)
    device = choose_device(options.device)
    size = np.mean([len(frame) for frame in frames]) / 1000
    return "\n".join(
        [
            f"JPEGs of 1280×720, {size:.0f} kB each, network input 416×240; medians of {options.rounds} rounds of "
            f"{seconds:g} s. {this_host(device)}.",
            "",
            f"Decoding the same JPEGs alone on all cores, as the service does, to luma: {decoding:.0f} frames/s "
            f"({min(bare):.0f} to {max(bare):.0f}); as programs commonly do, by OpenCV to colour: {colour:.0f} "
            f"({min(opencv):.0f} to {max(opencv):.0f}).",
            "",
            *rate_table(rates, decoding, colour),
            "",
            f"Where a frame's time goes, in the service's own words: {stages}.",
            "",
            f"A plain FastAPI handler that scores each window by itself, {middle} streams: {plain:.1f} frames/s; the "
            f"service is faster by {next(one.rate for one in rates if one.streams == middle) / max(plain, 1e-9):.1f}×.",
            "",
            "Latency from capture to score at the client; capacity is what so many streams get scored when they are "
            "never short of frames.",
            "",
            *latency_table(latencies),
            "",
            f"{options.idle} idle subscribers: {each / 1024:.1f} KiB of the service's memory each, "
            f"{each * options.idle / 2**20:.0f} MiB together.",
        ]
    )


def _decoding(frames: Sequence[bytes], rounds: int, seconds: float) -> tuple[list[float], list[float]]:
    """Frames a second of decoding alone, to luma and by OpenCV to colour, round by round in turn."""
    pairs = [(decode_rate(frames, seconds), decode_rate(frames, seconds, opencv=True)) for _ in range(rounds)]
    return [luma for luma, _ in pairs], [colour for _, colour in pairs]


def rate_table(rates: Sequence[Rate], luma: float, colour: float) -> list[str]:
    """Lines of Markdown; decoding alone, to luma or by OpenCV to colour, is so many frames a second."""
    lines = [
        "| streams | frames/s | lowest to highest | of decoding to luma | by OpenCV to colour | clients' share | "
        "cores busy | mean batch |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in rates:
        lines.append(
            f"| {one.streams} | {one.rate:.1f} | {one.lowest:.1f} to {one.highest:.1f} | {one.rate / luma:.3f} | "
            f"{one.rate / colour:.3f} | {one.share:.0%} | {one.busy:.1f} | {one.batch:.1f} |"
        )
    return lines


def latency_table(latencies: Sequence[Latency]) -> list[str]:
    """Lines of Markdown."""
    lines = ["| load | streams | sent/s | dropped | p50 | p95 | p99 |", "|---|---|---|---|---|---|---|"]
    for one in latencies:
        cells = " | ".join(f"{1000 * seconds:.0f} ms" for seconds in one.quantiles)
        lines.append(f"| {one.part:.0%} of capacity | {one.streams} | {one.sent:.1f} | {one.dropped:.1%} | {cells} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.serve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each number of streams (3)")
    parser.add_argument("--seconds", type=float, default=6.0, metavar="S", help="that count in a round (6)")
    parser.add_argument("--warm", type=float, default=3.0, metavar="S", help="before them (3)")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 4, 16, 100], metavar="N", help="(1 4 16 100)")
    parser.add_argument("--idle", type=int, default=2000, metavar="N", help="subscribers (2000)")
    parser.add_argument("--frames", type=int, default=48, metavar="N", help="of the packaged video (48)")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name}")
    options = parser.parse_args(arguments)
    allow_descriptors()
    with tempfile.TemporaryDirectory(prefix="framewatch-serve-") as scratch:
        said = measure(options, Path(scratch))
    print(said)
    if options.write:
        on = "a GPU" if choose_device(options.device).type == "cuda" else "a CPU"
        put_section(f"From JPEG in to score out on {on}", command_of("make bench-serve", arguments), said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
