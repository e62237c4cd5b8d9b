"""`make bench-gpu`: what one GPU holds. Frames begin decoded, in this machine's memory: decoding is another matter.

    python -m bench.gpu --streams 100 500 1000

First the card's own ceilings (matrix rate, copy bandwidth), then encoder and windows by batch size against them, then
streams of 25 frames a second through the engine: whether they are held without a drop, and how late scores are.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.live_material import pictures
from bench.machine import this_host
from bench.page import command_of, put_section
from model.checkpoint import bundled, load
from model.detector import Detector
from model.device import choose_device, choose_precision
from model.frames import Geometry, luma
from model.pictures import Image
from service.engine.batching import BatchLimits
from service.models import Model, made
from service.queues import QueueLimits
from service.records import IncomingFrame, StreamOptions, StreamRecord
from service.scorer import Scorer, ScorerLimits
from service.stream import Outcome, Stream

HEIGHT, WIDTH = 256, 384
RATE = 25.0


@dataclass(frozen=True, slots=True)
class Held:
    """How streams fared.

    Attributes:
        streams: of `RATE` frames a second each.
        scored: frames a second.
        dropped: frames, of all that were offered.
        quantiles: seconds from a frame's coming to its score: of half, 95 % and 99 %.
    """

    streams: int
    scored: float
    dropped: int
    quantiles: tuple[float, float, float]


def model_of(device: torch.device) -> Model:
    """The packaged demo model for frames of 256×384, 25 a second, on a device in its fast number format."""
    packaged = load(bundled())
    geometry = Geometry.of_cells((HEIGHT, WIDTH), height=HEIGHT, cell=packaged.detector.config.cell)
    config = replace(packaged.detector.config, geometry=geometry, frame_interval=1 / RATE)
    detector = Detector(config)
    detector.load_state_dict(packaged.detector.state_dict())
    detector.to(device).with_precision(choose_precision("auto", device))
    return made("wide", replace(packaged, detector=detector))


def seconds_of(work: Callable[[], object], device: torch.device, rounds: int = 20) -> float:
    """Median seconds of some work on a device, after three rounds that do not count."""
    times = []
    for number in range(rounds + 3):
        _wait(device)
        began = time.perf_counter()
        work()
        _wait(device)
        if number >= 3:
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def ceilings(device: torch.device, dtype: torch.dtype) -> tuple[float, float]:
    """What the card does at best: 10^12 operations a second of a large matrix product, 10^9 bytes a second copied."""
    size = 8192 if device.type == "cuda" else 1024
    a = torch.randn(size, size, device=device, dtype=dtype)
    rate = 2 * size**3 / seconds_of(lambda: a @ a, device, 5) / 1e12
    large = torch.empty(2**28 if device.type == "cuda" else 2**24, dtype=torch.uint8, device=device)
    copied = 2 * len(large) / seconds_of(lambda: large.clone(), device, 5) / 1e9
    return rate, copied


@torch.inference_mode()
def batch_curve(model: Model, frames: Sequence[Image], sizes: Sequence[int], peak: float) -> list[str]:
    """Rows of a table: encoder and windows by batch size, and how much of the card's matrix rate the encoder uses."""
    detector = model.detector
    device = detector.device
    with FlopCounterMode(display=False) as counter:
        detector.encoder(torch.from_numpy(np.stack(frames[:1])).to(device))
    work = counter.get_total_flops()
    rows = []
    for size in sizes:
        bank = detector.bank(size)
        slots = [bank.open() for _ in range(size)]
        for at in range(detector.config.window):
            windows = bank.push(slots, _stacked(frames, at, size, device))
        images = _stacked(frames, detector.config.window, size, device)
        encoder = seconds_of(lambda images=images: detector.encoder(images), device)  # type: ignore[misc]
        rating = seconds_of(lambda windows=windows: detector.score(windows).raw, device)  # type: ignore[misc]
        whole = seconds_of(lambda bank=bank, slots=slots, images=images: bank.push(slots, images), device)  # type: ignore[misc]
        reached = f"{work * size / encoder / 1e12 / peak:.0%}" if work else "–"
        rows.append(
            f"| {size} | {1000 * encoder:.2f} | {1000 * whole:.2f} | {1000 * rating:.2f} | {len(windows.frame)} | "
            f"{size / (whole + rating):.0f} | {reached} |"
        )
    return rows


def held(model: Model, frames: Sequence[Image], count: int, seconds: float, batch: int) -> Held:
    """Streams with the policy `latest`, each offered `RATE` frames a second, spread evenly over time."""
    came: dict[tuple[str, int], float] = {}
    late: list[float] = []
    begin = [float("inf")]

    def note(outcomes: list[Outcome]) -> None:
        now = time.perf_counter()
        for outcome in outcomes:
            due = came.pop((outcome.stream.id, outcome.frame.number), None)
            if due is not None and due >= begin[0]:
                late.append(now - due)

    scorer = Scorer(on_results=note, limits=ScorerLimits(BatchLimits(batch)))
    options = StreamOptions(policy="latest")
    streams = [
        Stream(StreamRecord(f"cam{n}", "", None, options), model, queue_limits=QueueLimits()) for n in range(count)
    ]
    scorer.start()
    try:
        scorer.warm(model)
        for stream in streams:
            scorer.attach(stream)
        stopping = threading.Event()
        started = time.perf_counter() + 0.5
        begin[0] = started + min(3.0, seconds / 2)

        def offer(mine: Sequence[int], of: int) -> None:
            at = 0
            while not stopping.is_set():
                for place, n in enumerate(mine):
                    due = started + at / RATE + place / len(mine) / RATE
                    if (ahead := due - time.perf_counter()) > 0.0005:
                        time.sleep(ahead)
                    came[f"cam{n}", at] = time.perf_counter()
                    streams[n].offer(IncomingFrame(at, at / RATE, 1.7e9 + at / RATE, frames[(at + n) % len(frames)]))
                at += 1

        parts = 4
        threads = [
            threading.Thread(target=offer, args=(range(part, count, parts), parts), daemon=True)
            for part in range(min(parts, count))
        ]
        for thread in threads:
            thread.start()
        time.sleep(max(0.0, begin[0] - time.perf_counter()))
        lost = sum(stream.queue.overtaken for stream in streams)
        time.sleep(seconds)
        scored, dropped = len(late), sum(stream.queue.overtaken for stream in streams) - lost
        stopping.set()
        for thread in threads:
            thread.join()
    finally:
        scorer.stop()
    half, most, nearly = np.quantile(late or [np.nan], [0.5, 0.95, 0.99])
    return Held(count, scored / seconds, dropped, (float(half), float(most), float(nearly)))


def _stacked(frames: Sequence[Image], at: int, size: int, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.stack([frames[(at + 5 * n) % len(frames)] for n in range(size)])).to(device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N; cpu works too, to try it out")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 4, 16, 64, 256], metavar="N", help="of batches")
    parser.add_argument("--streams", type=int, nargs="+", default=[100, 250, 500, 1000], metavar="N")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="that count, each (10)")
    parser.add_argument("--batch", type=int, default=256, metavar="N", help="frames of a batch at most (256)")
    parser.add_argument("--frames", type=int, default=32, metavar="N", help="of the packaged video (32)")
    parser.add_argument("--write", action="store_true", help="write the tables into benchmarks.md")
    options = parser.parse_args(arguments)
    device = choose_device(options.device)
    model = model_of(device)
    precision = model.detector.precision
    frames = [luma(picture) for picture in pictures(options.frames, HEIGHT, WIDTH)]
    peak, copied = ceilings(device, getattr(torch, precision))
    lines = [
        f"{this_host(device, precision)}.",
        "",
        f"Ceilings: {peak:.1f} TFLOP/s of a large matrix product in {precision}, {copied:.0f} GB/s copied.",
        "",
        "| batch | encoder, ms | with motion and ring, ms | windows, ms | windows | frames/s | of the matrix rate |",
        "|---|---|---|---|---|---|---|",
        *batch_curve(model, frames, options.sizes, peak),
        "",
        f"| streams of {RATE:g}/s | scored/s | dropped | p50 | p95 | p99 |",
        "|---|---|---|---|---|---|",
    ]
    for count in options.streams:
        one = held(model, frames, count, options.seconds, options.batch)
        cells = " | ".join(f"{1000 * seconds:.1f} ms" for seconds in one.quantiles)
        lines.append(f"| {count} | {one.scored:.0f} | {one.dropped} | {cells} |")
    said = "\n".join(lines)
    print(said)
    if options.write:
        put_section("What one GPU holds", command_of("make bench-gpu", arguments), said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
