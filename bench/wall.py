"""What the dashboard's wall costs: the browser that shows it, and the service that serves it.

    python -m bench.wall --write

The service and clients that push to it run as in `bench.serve`. Rounds with the wall open and with an empty page take
turns, at a rate that the service holds easily and then as fast as it can; the browser's processes are counted together.
For the second, the service has cores of its own, where the machine has two: a browser is hardly ever on the same one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.browser import Browser
from bench.live_load import Load, pace, saturate
from bench.live_material import jpegs, write_model
from bench.machine import this_host
from bench.page import PAGE, command_of, put_section
from bench.running import Running, cpu_seconds
from bench.serve import WINDOW
from model.device import choose_device
from service.client import Client

SIZE = (1920, 1080)
"""Of the browser's window: sixteen cameras are seen at once."""

MOST_BROWSER, MOST_LOST = 0.30, 0.10
"""Of a core, and of the rate at which the service scores: what the wall may cost with sixteen cameras."""


@dataclass(slots=True)
class Round:
    """A while with the wall open, or without.

    Attributes:
        rate: scores a second.
        dropped: of the frames sent, those that were dropped.
        service: cores that the service was busy on.
        browser: cores that the browser was, by kind of process.
    """

    rate: float
    dropped: float
    service: float
    browser: Counter[str]

    @property
    def cost(self) -> float:
        """Seconds of a core that the service takes for a score."""
        return self.service / self.rate


@dataclass(slots=True)
class Rounds:
    """Those without the wall, and those with it, in turn."""

    closed: list[Round] = field(default_factory=list)
    open: list[Round] = field(default_factory=list)

    @property
    def lost(self) -> float:
        """How much less is scored a second with the wall open, as a part; medians."""
        return 1 - median(self.open, lambda one: one.rate) / median(self.closed, lambda one: one.rate)

    @property
    def dearer(self) -> float:
        """How much more of a core a score takes with the wall open, as a part; medians."""
        return median(self.open, lambda one: one.cost) / median(self.closed, lambda one: one.cost) - 1


def median(rounds: Sequence[Round], value: Callable[[Round], float]) -> float:
    return statistics.median(value(one) for one in rounds)


class Wall:
    """A service with streams, and a browser."""

    def __init__(self, running: Running, browser: Browser, *, warm: float, seconds: float) -> None:
        self._running = running
        self._browser = browser
        self._warm = warm
        self._seconds = seconds
        self._made = 0
        self.ws = running.url.replace("http", "ws", 1)

    def rounds(self, streams: int, count: int, send: Callable[[Sequence[str]], Load], *, policy: str) -> Rounds:
        """So many with the wall open and so many without, each on streams of its own."""
        found = Rounds()
        for _ in range(count):
            found.closed.append(self._round(streams, send, policy, "about:blank"))
            found.open.append(self._round(streams, send, policy, self._running.url))
        return found

    def _show(self, url: str) -> None:
        with self._browser.page() as page:
            page.goto(url)

    def _check(self, streams: int) -> None:
        """That what has been measured is what was meant.

        Raises:
            RuntimeError: it is not.
        """
        with self._browser.page() as page:
            there = page.locator(".tile[data-picture]:not([data-picture=none])").count()
            if there < streams or page.evaluate("document.hidden"):
                raise RuntimeError(f"the wall has pictures of {there} cameras, not of {streams}")

    def _round(self, streams: int, send: Callable[[Sequence[str]], Load], policy: str, url: str) -> Round:
        used: list[Counter[str]] = []
        names = [f"camera-{self._made + number:03}" for number in range(streams)]
        self._made += streams

        def look() -> None:
            for wait in (self._warm, self._seconds):
                time.sleep(wait)
                used.append(self._browser.cpu() + Counter({"service": cpu_seconds(self._running.pid)}))

        with Client(self._running.url, timeout=120) as client:
            for name in names:
                client.create_stream(id=name, name=name.capitalize().replace("-", " "), policy=policy)
            self._show(url)
            looking = threading.Thread(target=look)
            looking.start()
            load = send(names)
            looking.join()
            if url == self._running.url:
                self._check(streams)
            self._show("about:blank")
            for name in names:
                client.delete_stream(name, purge=True)
        used[1].subtract(used[0])
        cores = Counter({kind: seconds / self._seconds for kind, seconds in used[1].items()})
        return Round(load.rate, load.dropped / max(1, load.sent), cores.pop("service"), cores)


@contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """What is started meanwhile may use only these."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(options: argparse.Namespace, folder: Path) -> tuple[str, bool]:
    """Everything, as Markdown, and whether it is within the bounds."""
    frames = jpegs(options.frames)
    interval = 1 / options.rate
    model = write_model(folder / "wide.safetensors", interval=interval)
    times = {"warm": options.warm, "seconds": options.seconds}
    cores = sorted(os.sched_getaffinity(0))
    own = set(cores[:-1]) or set(cores)
    # small batches: scores come a batch at a time, and a large one more or less would be a tenth of a round's
    flags = ["--device", options.device, "--min-free-disk-bytes", 0, "--max-batch", options.streams]
    with Browser(folder / "profile", width=SIZE[0], height=SIZE[1]) as browser:
        with Running(folder / "easy", model=model, flags=flags).wait() as running:
            wall = Wall(running, browser, **times)

            def evenly(names: Sequence[str]) -> Load:
                return pace(wall.ws, names, frames, rate=options.rate, **times)

            easy = wall.rounds(options.streams, options.rounds, evenly, policy="latest")
            running.stop()
        with on_cores(own):
            alone = Running(folder / "full", model=model, flags=flags)
        with alone.wait() as running, on_cores(set(cores) - own or own):
            wall = Wall(running, browser, **times)

            def fully(names: Sequence[str]) -> Load:
                return saturate(wall.ws, names, frames, interval=interval, **times)

            full = wall.rounds(options.streams, options.rounds, fully, policy="every")
            running.stop()
    return report(easy, full, options, len(own))


def report(easy: Rounds, full: Rounds, options: argparse.Namespace, cores: int) -> tuple[str, bool]:
    """What to print, and whether it is within the bounds."""
    device = choose_device(options.device)
    browser = median(easy.open, lambda one: one.browser.total())
    kinds = Counter[str]()
    for one in easy.open:
        kinds += one.browser
    shares = ", ".join(f"{kind} {seconds / kinds.total():.0%}" for kind, seconds in kinds.most_common() if seconds)
    lines = [
        f"{options.streams} streams of 1280×720 JPEGs; medians of {options.rounds} rounds of {options.seconds:g} s "
        f"with the wall and without in turn. {this_host(device)}.",
        "",
        "| | wall | scores/s | lowest to highest | dropped | service, of a core | browser, of a core |",
        "|---|---|---|---|---|---|---|",
        *(
            row(name, wall, rounds)
            for name, both in (
                (f"{options.rate:g} frames/s each", easy),
                (f"as many as {cores} of the cores can", full),
            )
            for wall, rounds in (("closed", both.closed), ("open", both.open))
        ),
        "",
        f"The browser takes {browser:.0%} of a core ({shares}), at most {MOST_BROWSER:.0%} wanted. It has no graphics "
        f"card here and draws by software, {SIZE[0]}×{SIZE[1]}, which a desktop's does not. With the wall open the "
        f"service scores {full.lost:.1%} less at its limit, at most {MOST_LOST:.0%} wanted; a score takes "
        f"{full.dearer:+.1%} of processor time there, and {easy.dearer:+.1%} below it.",
    ]
    return "\n".join(lines), browser < MOST_BROWSER and full.lost < MOST_LOST


def row(name: str, wall: str, rounds: Sequence[Round]) -> str:
    """A line of the table."""
    rates = [one.rate for one in rounds]
    return (
        f"| {name} | {wall} | {statistics.median(rates):.1f} | {min(rates):.1f} to {max(rates):.1f} | "
        f"{median(rounds, lambda one: one.dropped):.1%} | {median(rounds, lambda one: one.service):.0%} | "
        f"{median(rounds, lambda one: one.browser.total()):.0%} |"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; gives the exit code: 1 where the wall costs more than it may."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.wall", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="with the wall, and as many without (3)")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="that count in a round (20)")
    parser.add_argument("--warm", type=float, default=8.0, metavar="S", help="before them (8)")
    parser.add_argument("--streams", type=int, default=16, metavar="N", help="on the wall (16)")
    parser.add_argument("--rate", type=float, default=2.0, metavar="R", help="frames a second of each (2)")
    parser.add_argument("--frames", type=int, default=48, metavar="N", help="of the packaged video (48)")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    options = parser.parse_args(arguments)
    options.warm = max(options.warm, 1.5 * WINDOW / options.rate)  # until then windows are filled, which costs less
    with tempfile.TemporaryDirectory(prefix="framewatch-wall-") as scratch:
        said, good = measure(options, Path(scratch))
    print(said)
    if options.write:
        put_section("What the wall costs", command_of("python -m bench.wall", arguments), said)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
