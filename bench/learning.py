"""Cameras learned through the interface of a service, from real footage: into `docs/quality-learned.md`.

    python -m bench.learning --write

OpenCV's vtest and the clips of CUHK Avenue are played again and again, as cameras without a model: one after the other
is recorded, trained on, and scored by its own model for a while. The demo stream is scored all the while, and tells
what that costs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2

from bench.learning_report import BEFORE, RECORDED, TRAINED, Learned, LearningRun, Watched, markdown
from bench.machine import this_host
from bench.page import command_of
from bench.running import ROOT, Running, descendants
from model.atomic import atomic_path
from service.client import Client
from service.commands.opening import Machine
from service.learning.records import OPEN
from service.progress import Reporter

PAGE = ROOT / "docs" / "quality-learned.md"
FOOTAGE = {
    "vtest": "clips/vtest.avi",
    "avenue-10": "avenue/10.mp4",
    "avenue-11": "avenue/11.mp4",
    "avenue-12": "avenue/12.avi",
    "avenue-16": "avenue/16.avi",
}
"""By the streams that are made of it."""
OTHER = "demo"
LEAST = 0.5
"""Minutes that are recorded of the shortest file."""

EVERY = 1.0
"""Seconds between two looks at how far a learning is."""

SETTLES = 5.0
"""Seconds after which a stream that has just been opened runs evenly."""


class Bench:
    """Learns cameras with one running service, one after the other."""

    def __init__(
        self, running: Running, client: Client, reporter: Reporter, *, after: float, nice: int | None = None
    ) -> None:
        """Makes it.

        Args:
            running: the service; streams are made of its configured sources, which have their names.
            client: of it.
            reporter: told how far it is.
            after: seconds that each is scored by its model.
            nice: how far trainings step back; None: as the service has them.
        """
        self._running = running
        self._client = client
        self._reporter = reporter
        self._after = after
        self._nice = nice
        client.create_demo()

    def run(self, stream: str, path: Path, most: float) -> Learned:
        """One camera, from its first picture to the last one that its own model scores.

        Args:
            stream: its source.
            path: of its footage.
            most: minutes to record; no more than the footage lasts, but `LEAST`.
        """
        client, (length, size) = self._client, _facts(path)
        client.create_stream(id=stream, source=stream, loop=True)
        while client.stream(stream)["health"] != "live":
            time.sleep(EVERY)
        time.sleep(SETTLES)
        times = {BEFORE: time.time()}
        time.sleep(self._after)
        times[RECORDED] = time.time()
        id = client.learn(stream, minutes=min(most, max(LEAST, round(length / 60, 2))))["id"]
        while (learning := client.learning(id))["state"] in OPEN:
            if learning["state"] == "training" and TRAINED not in times:
                times[TRAINED] = time.time()
                self._reporter.say(f"{stream}: {learning['detail']}, training begins")
            self._hurry()
            time.sleep(EVERY)
        ended = time.time()
        self._reporter.say(f"{stream}: {learning['state']}, {learning['detail']}")
        ends = [*list(times.values())[1:], ended]
        meanwhile = {when: self._watched(OTHER, at, end) for (when, at), end in zip(times.items(), ends, strict=True)}
        after, events = None, 0
        if learning["state"] == "ready":
            client.activate_learning(id)
            began = time.time()
            time.sleep(self._after)
            after = self._watched(stream, began, time.time())
            events = sum(event["kind"] == "anomaly" for event in client.events(stream=stream))
        client.delete_stream(stream)
        trained = ended - times.get(TRAINED, ended)
        return Learned(stream, length, size, learning, trained, after, events, meanwhile)

    def _hurry(self) -> None:
        """Gives a training another priority: at the lowest one, a machine with other work never comes to it."""
        if self._nice is None:
            return
        for pid in descendants(self._running.pid):
            with suppress(OSError):  # it has just ended
                if b"service.learning.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    for thread in os.listdir(f"/proc/{pid}/task"):
                        os.setpriority(os.PRIO_PROCESS, int(thread), self._nice)

    def _watched(self, stream: str, begin: float, end: float) -> Watched:
        scores = list(self._scores(stream, begin, end))
        return Watched(
            end - begin,
            len(scores),
            sum(score["dropped"] for score in scores),
            sum(score["smoothed"] is not None and score["smoothed"] >= 0.5 for score in scores),
            tuple(_seconds(score["scored"]) - _seconds(score["captured"]) for score in scores),
        )

    def _scores(self, stream: str, begin: float, end: float) -> Iterator[dict[str, Any]]:
        for score in self._client.scores(stream, limit=5000):
            if begin <= _seconds(score["scored"]) < end:
                yield score


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _facts(path: Path) -> tuple[float, str]:
    """Seconds of a video, and its size and frame rate in words."""
    video = cv2.VideoCapture(str(path))
    rate = video.get(cv2.CAP_PROP_FPS)
    width, height = (round(video.get(one)) for one in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    frames = 0
    while video.grab():
        frames += 1
    video.release()
    return frames / rate, f"{width}×{height}, {rate:.0f} fps"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.learning", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=1.0, metavar="N", help="to record at most (1)")
    parser.add_argument(
        "--after", type=float, default=120.0, metavar="S", help="seconds to score each afterwards (120)"
    )
    parser.add_argument(
        "--nice", type=int, metavar="N", help="how far trainings step back (as the service has them, 19)"
    )
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=Path(os.environ.get("FRAMEWATCH_DATA") or ROOT.parent / "shared/data"),
        help="real footage (FRAMEWATCH_DATA, or ../shared/data)",
    )
    options = parser.parse_args(arguments)
    cameras = {stream: options.data / path for stream, path in FOOTAGE.items()}
    if missing := [path for path in cameras.values() if not path.is_file()]:
        print(f"no real footage at {missing[0]}: set FRAMEWATCH_DATA", file=sys.stderr)
        return 1
    load = os.getloadavg()[1]
    command = command_of("python -m bench.learning", arguments)
    date, host = datetime.now(UTC).strftime("%Y-%m-%d"), this_host(*Machine().start())
    sources = [flag for stream, path in cameras.items() for flag in ("--source", f"{stream}={path}")]
    learned: list[Learned] = []
    with (
        tempfile.TemporaryDirectory(prefix="framewatch-learning-") as folder,
        Running(Path(folder), model=None, flags=sources).wait(ready=False) as running,
        Client(running.url, timeout=120) as client,
    ):
        bench = Bench(running, client, Reporter(), after=options.after, nice=options.nice)
        for stream, path in cameras.items():
            learned.append(bench.run(stream, path, options.minutes))
            page = markdown(LearningRun(command, date, host, load, options.nice, options.minutes, learned))
            if options.write:  # what there is so far: the whole takes a while
                with atomic_path(PAGE) as temporary:
                    temporary.write_text(page, encoding="utf-8")
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
