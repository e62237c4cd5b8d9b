"""`make bench-memory`: scores a long video in a process of its own and watches that process's memory."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

from bench.machine import this_host
from bench.training_run import run_training
from service.commands.opening import Machine
from service.progress import Reporter
from training.scene import Street
from training.settings import TrainSettings

BRIEF = TrainSettings(steps=100, augment=False, self_test=False)
FPS = 10
LOOP = 60.0
"""Seconds that are drawn; the video repeats them, and so has traffic all along."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident memory at a point of the footage: minutes of footage scored, MiB."""

    minute: float
    resident: float


@dataclass(frozen=True, slots=True)
class Growth:
    """How memory went between two points of the footage.

    Attributes:
        start, stop: minutes of footage of the first and the last sample between them.
        slope: MiB in an hour of footage, least squares.
        first, last: MiB at those samples.
    """

    start: float
    stop: float
    slope: float
    first: float
    last: float


def growth(samples: Sequence[Sample], start: float, stop: float) -> Growth | None:
    """The growth between two minutes of footage; None with fewer than two samples at different points there."""
    inside = [sample for sample in samples if start <= sample.minute <= stop]
    minutes = np.array([sample.minute for sample in inside])
    if len(inside) < 2 or minutes[-1] <= minutes[0]:
        return None
    slope = float(np.polyfit(minutes, [sample.resident for sample in inside], 1)[0]) * 60
    return Growth(float(minutes[0]), float(minutes[-1]), slope, inside[0].resident, inside[-1].resident)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draws, scores, prints; gives the exit code of the scoring process."""
    options = _parser().parse_args(arguments)
    reporter = Reporter()
    with tempfile.TemporaryDirectory(prefix="framewatch-memory-") as folder:
        normal, video, model = (Path(folder, name) for name in ("normal.mp4", "long.mp4", "model.safetensors"))
        write_video(normal, Street(), minutes=1, reporter=reporter)
        write_video(video, Street(), minutes=options.minutes, reporter=reporter)
        run_training([normal], model, BRIEF, reporter)
        command = ["score", str(video), "--model", str(model), "--out", "-"]
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", *command],
            stdout=subprocess.PIPE,
            text=True,
        )
        started = time.monotonic()
        samples, frames = watch(process, options.every)
        seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    warm = min(10.0, options.minutes / 6)
    grown = growth(samples, warm, options.minutes)
    print(this_host(*Machine().start()))
    print(f"{frames} frames, {options.minutes:g} minutes of video at {FPS} frames/s, scored in {seconds:.0f} s")
    print(f"peak resident memory: {peak:.0f} MiB")
    if grown is None:
        print("too few samples to tell growth: give a longer video or a smaller --every")
    else:
        print(
            f"minute {grown.start:.1f} to {grown.stop:.1f} of the footage: {grown.first:.0f} to {grown.last:.0f} MiB, "
            f"slope {grown.slope:+.1f} MiB an hour of footage"
        )
    return process.returncode


def write_video(path: Path, street: Street, *, minutes: float, reporter: Reporter) -> None:
    """Writes H.264 of a drawn street with sensor noise, `LOOP` seconds of it over and over."""
    count = round(minutes * 60 * FPS)
    loop = [frame.image for frame in islice(street.clip(LOOP, seed=1), count)]
    with av.open(str(path), "w") as container, reporter.progress(f"writing {path.name}", count) as tick:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = street.width, street.height, "yuv420p"
        for number in range(count):
            picture = VideoFrame.from_ndarray(loop[number % len(loop)], format="bgr24")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(picture))
            tick(1)
        container.mux(stream.encode())


def watch(process: subprocess.Popen[str], every: float) -> tuple[list[Sample], int]:
    """Reads the table as it comes, and memory from time to time; gives the samples and the number of rows.

    Args:
        process: `framewatch score --out -`, its standard output piped.
        every: seconds between samples.
    """
    minute = 0.0
    samples: list[Sample] = []
    done = threading.Event()

    def sample() -> None:
        while not done.wait(every):
            resident = _resident(process.pid)
            if resident is not None and minute > 0:
                samples.append(Sample(minute, resident))

    sampler = threading.Thread(target=sample, name="memory-sampler", daemon=True)
    sampler.start()
    frames = 0
    assert process.stdout is not None
    for line in process.stdout:
        time_field = line.split(",", 3)[2]
        if time_field != "time":
            minute = float(time_field) / 60
            frames += 1
    process.wait()
    done.set()
    sampler.join()
    return samples, frames


def _resident(pid: int) -> float | None:
    """MiB; None once the process has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:")), None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, metavar="M", help="length of the video (60)")
    parser.add_argument("--every", type=float, default=2.0, metavar="S", help="seconds between samples (2)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
