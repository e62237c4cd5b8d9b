"""Half an hour of everything that comes and goes, against a service in a process of its own: whether it grows.

    python -m bench.soak --minutes 30 --out soak.json

Streams are made and removed; clients push, follow, vanish, never read and send garbage; cameras fail, flap and are
read; videos are scored and given up; readers are killed. Memory, threads and descriptors of the service and of its
children are looked at every few seconds, and their slopes told with a verdict. Who is not answered in time is counted
apart, as the machine may be busy with other work; whether a part of the service hangs is told by one guest of each kind
that comes when all others have gone.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.machine import this_host
from bench.running import Running, Vitals
from bench.soak_guests import PATIENCE, RESIDENT, Guests, cameras, keep_pushing
from model.device import choose_device
from service.client import Client
from tests.service.command_line import write_checkpoint

WARM = 0.3
"""Of the time: what is loaded once, and what fills up once (caches, rings), has done so by then."""

EVERY = 5.0
"""Seconds between two looks."""

# What may remain of a slope over the rest of the run, by which a leak is told from noise.
MEMORY_GROWTH = 24e6
COUNT_GROWTH = 3.0
POOL_GROWTH = 16.0
"""The store keeps four connections for the next queries, of four descriptors each: two files and their logs."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the service and its children took up at a moment.

    Attributes:
        seconds: since the start.
        server: its own process.
        children: its readers and decoders together; how many there are changes all the time.
        streams, clients: as it says itself.
    """

    seconds: float
    server: Vitals
    children: Vitals
    streams: float
    clients: float


@dataclass(frozen=True, slots=True)
class Trend:
    """How a figure went after the warm-up.

    Attributes:
        name: of the figure.
        first, last: median of the first and of the last fifth.
        per_hour: slope of the line through all, least squares.
        growth: of that line, from its beginning to its end.
        limit: growth that is still called flat.
    """

    name: str
    first: float
    last: float
    per_hour: float
    growth: float
    limit: float

    @property
    def flat(self) -> bool:
        """Both have to say so: one outlier bends a line, and a median of few samples jumps."""
        return min(self.growth, self.last - self.first) <= self.limit


def trend(name: str, seconds: Sequence[float], values: Sequence[float], limit: float) -> Trend:
    """See `Trend`; of the samples after the warm-up, two or more."""
    slope = float(np.polyfit(seconds, values, 1)[0])
    fifth = max(1, len(values) // 5)
    return Trend(
        name,
        float(np.median(values[:fifth])),
        float(np.median(values[-fifth:])),
        slope * 3600,
        slope * (seconds[-1] - seconds[0]),
        limit,
    )


def trends(samples: Sequence[Sample]) -> list[Trend]:
    """Every figure of the service; of the children those that do not go by how many there happen to be."""
    late = [sample for sample in samples if sample.seconds >= WARM * samples[-1].seconds]
    seconds = [sample.seconds for sample in late]

    def of(name: str, value: Callable[[Sample], float], limit: float) -> Trend:
        return trend(name, seconds, [value(sample) for sample in late], limit)

    return [
        of("server RSS", lambda s: s.server.rss, MEMORY_GROWTH),
        of("server PSS", lambda s: s.server.pss, MEMORY_GROWTH),
        of("server threads", lambda s: s.server.threads, COUNT_GROWTH),
        of("server descriptors", lambda s: s.server.descriptors - s.server.databases - s.clients, COUNT_GROWTH),
        of("of the database", lambda s: s.server.databases, POOL_GROWTH),
        of("children PSS", lambda s: s.children.pss, 2 * MEMORY_GROWTH),
        of("children threads", lambda s: s.children.threads, COUNT_GROWTH + 8),
        of("children descriptors", lambda s: s.children.descriptors, COUNT_GROWTH + 24),
    ]


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of a run.

    Attributes:
        samples: over its time.
        done: how often each kind of guest came.
        failed: what went otherwise than it should, by what was said; also who was not answered when nobody else came.
        late: who was not answered in time while others came.
        left: descriptors and clients that stay when everybody is gone: before the run and after it.
        tracebacks: in the service's log.
    """

    samples: list[Sample]
    done: Counter[str]
    failed: Counter[str]
    late: Counter[str]
    left: tuple[Vitals, Vitals]
    tracebacks: int


def soak(minutes: float, folder: Path, *, guests: int = 6, seed: int = 0) -> Soaked:
    """Runs it.

    Args:
        minutes: of churn.
        folder: for data, log and footage.
        guests: how many come and go at the same time.
        seed: of their choices.
    """
    model = write_checkpoint(folder / "door.safetensors")
    flags = [
        *("--device", "cpu", "--min-free-disk-bytes", 0, "--scores-max-bytes", 20_000_000, "--drain-seconds", 20),
        *("--camera-network", "127.0.0.0/8", "--max-frame-bytes", 100_000),
        *("--open-timeout-s", 2, "--read-timeout-s", 2, "--replay-count", 200),
    ]
    with ExitStack() as opened:
        cams = opened.enter_context(cameras())
        running = opened.enter_context(Running(folder / "data", model=model, flags=flags)).wait(900)
        client = opened.enter_context(Client(running.url, timeout=PATIENCE))
        stopping = threading.Event()
        visits = [Guests(running, cams, folder, random.Random(seed * 1000 + number)) for number in range(guests)]
        client.create_stream(id=RESIDENT, policy="latest")
        _all_at_once([one.once_each for one in visits])
        before = _rest(running, client)
        threads = [threading.Thread(target=one.run, args=(stopping,), daemon=True) for one in visits]
        failed, late = Counter[str](), Counter[str]()
        threads.append(threading.Thread(target=keep_pushing, args=(running.url, stopping, failed, late), daemon=True))
        for thread in threads:
            thread.start()
        samples = _watch(running, client, minutes * 60)
        stopping.set()
        for thread in threads:
            thread.join(2 * PATIENCE)
            failed["a guest does not come to an end"] += thread.is_alive()
        done, failed, late = (
            sum((getattr(one, name) for one in visits), begun)
            for name, begun in (("done", Counter[str]()), ("failed", failed), ("late", late))
        )
        failed += _last_of_all(Guests(running, cams, folder, random.Random(seed)))
        for stream in client.streams():
            client.delete_stream(stream["id"], purge=True)
        after = _rest(running, client)
        running.stop(120)
        return Soaked(
            samples,
            done,
            failed,
            late,
            (before, after),
            running.said.count("Traceback"),
        )


def _all_at_once(functions: Sequence[Callable[[], object]]) -> None:
    """Side by side, so that what the service keeps for several clients at a time is there before it is looked at."""
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _last_of_all(guests: Guests) -> Counter[str]:
    """What one guest of each kind finds wrong when nobody else is there: nothing may keep it waiting."""
    guests.once_each()
    return Counter({f"last of all, {said}": count for said, count in (guests.failed + guests.late).items()})


def _watch(running: Running, client: Client, seconds: float) -> list[Sample]:
    started = time.monotonic()
    samples: list[Sample] = []
    while (now := time.monotonic() - started) < seconds:
        said = _metrics(client)
        samples.append(Sample(now, running.vitals(), running.vitals_of_children(), said["streams"], said["clients"]))
        time.sleep(min(EVERY, seconds / 20))
    return samples


def _metrics(client: Client) -> dict[str, float]:
    lines = client.metrics().splitlines()
    named = (line.removeprefix("framewatch_").rsplit(" ", 1) for line in lines if line.startswith("framewatch_"))
    return {name: float(value) for name, value in named if "{" not in name}


def _rest(running: Running, client: Client, seconds: float = 60.0) -> Vitals:
    """What it takes up when nobody is there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and (_metrics(client)["clients"] or _metrics(client)["jobs_waiting"]):
        time.sleep(0.5)
    time.sleep(3)
    return running.vitals()


def report(soaked: Soaked) -> tuple[str, bool]:
    """What to print, and whether all is well."""
    found = trends(soaked.samples)
    minutes = soaked.samples[-1].seconds / 60
    lines = [f"{minutes:.1f} minutes of churn; trends after the first {WARM:.0%}"]
    lines.append(f"{'':22}{'first':>12}{'last':>12}{'an hour':>14}{'growth':>12}")
    for one in found:
        scale, unit = (1e6, " MB") if "SS" in one.name else (1.0, "")
        cells = (one.first, one.last, one.per_hour, one.growth)
        lines.append(
            f"{one.name:22}"
            + "".join(f"{cell / scale:>{width}.1f}" for cell, width in zip(cells, (12, 12, 14, 12), strict=True))
            + f"{unit}  {'flat' if one.flat else 'GROWS'}"
        )
    before, after = soaked.left
    lines.append(
        f"alone before and after: {before.rss / 1e6:.0f} and {after.rss / 1e6:.0f} MB, {before.threads} and "
        f"{after.threads} threads, {before.descriptors} and {after.descriptors} descriptors, {before.databases} and "
        f"{after.databases} of these the database's"
    )
    lines.append("guests: " + ", ".join(f"{name} {count}" for name, count in sorted(soaked.done.items())))
    lines.append(f"not answered in time: {soaked.late.total()} of {soaked.done.total()}")
    lines += [f"  {count}: {said}" for said, count in soaked.late.most_common(5)]
    lines += [f"UNEXPECTED ({count}): {said}" for said, count in soaked.failed.most_common(20)]
    if soaked.tracebacks:
        lines.append(f"TRACEBACKS in the log: {soaked.tracebacks}")
    few = (
        (after.descriptors - after.databases) - (before.descriptors - before.databases) <= COUNT_GROWTH
        and after.databases - before.databases <= POOL_GROWTH
        and after.threads - before.threads <= COUNT_GROWTH
    )
    good = all(one.flat for one in found) and few and not soaked.failed and not soaked.tracebacks
    lines.append("flat" if good else "NOT as it should be")
    return "\n".join(lines), good


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs it and prints; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N", help="how long (30)")
    parser.add_argument("--guests", type=int, default=6, metavar="N", help="that come and go at the same time (6)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of their choices (0)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="samples and trends as JSON")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep data and log there")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="framewatch-soak-") as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        soaked = soak(options.minutes, folder, guests=options.guests, seed=options.seed)
    said, good = report(soaked)
    print(this_host(choose_device("cpu")))
    print(said)
    if options.out is not None:
        facts = {
            "minutes": options.minutes,
            "good": good,
            "trends": [{**asdict(one), "flat": one.flat} for one in trends(soaked.samples)],
            "guests": soaked.done,
            "unexpected": soaked.failed,
            "late": soaked.late,
            "tracebacks": soaked.tracebacks,
            "samples": [asdict(sample) for sample in soaked.samples],
        }
        options.out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
