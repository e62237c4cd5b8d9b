"""`make bench-rivals`: the service beside other ways to serve the same detector; same frames, same machine, one run."""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.live_load import saturate
from bench.live_material import decode_rate, jpegs, write_model
from bench.machine import this_host
from bench.page import PAGE, command_of, put_section
from bench.rival_load import fastapi_rate, litserve_rate, loop_rate, rival
from bench.running import Running
from model.device import choose_device
from service.client import Client

OURS = "framewatch"


def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """Frames a second of each way, so often as there are rounds; each server is started once and asked in turn."""
    frames = jpegs(options.frames)
    model = write_model(folder / "wide.safetensors")
    streams, warm, seconds = options.streams, options.warm, options.seconds
    found: dict[str, list[float]] = {"decoding alone": [], OURS: []}

    def ours() -> float:
        with Running(folder / "data", model=model, flags=["--device", options.device]).wait() as running:
            with Client(running.url, timeout=120) as client:
                names = [f"cam{n}" for n in range(streams)]
                for name in names:
                    client.create_stream(id=name, policy="every")
            ws = running.url.replace("http", "ws", 1)
            return saturate(ws, names, frames, warm=warm, seconds=seconds).rate

    def served(kind: str, rate: Callable[..., float]) -> float:
        with rival(kind, model, options.device, folder / f"{kind}.log") as url:
            return rate(url, frames, streams=streams, warm=warm, seconds=seconds)

    ways: dict[str, Callable[[], float]] = {
        "decoding alone": lambda: decode_rate(frames, seconds),
        OURS: ours,
        "plain FastAPI, a window a call": lambda: served("fastapi", fastapi_rate),
        "LitServe, its batches": lambda: served("litserve", litserve_rate),
        "the loop this began with, a window a call": lambda: loop_rate(
            model, options.device, frames, streams=streams, seconds=seconds
        ),
    }
    if importlib.util.find_spec("litserve") is None:
        print("LitServe is not installed (pip install -e '.[bench]'): it is left out", file=sys.stderr)
        del ways["LitServe, its batches"]
    for _ in range(options.rounds):
        for number, (name, way) in enumerate(ways.items()):
            print(f"{name} ({number + 1} of {len(ways)})", file=sys.stderr)
            found.setdefault(name, []).append(way())
            for path in (folder / "data").glob("*.sqlite3*"):
                path.unlink()
    return found


def table(found: dict[str, list[float]]) -> str:
    """As Markdown: medians with their spread."""
    ours = statistics.median(found[OURS])
    lines = ["| way | frames/s | lowest to highest | framewatch is faster by |", "|---|---|---|---|"]
    for name, rates in found.items():
        rate = statistics.median(rates)
        faster = "–" if name in (OURS, "decoding alone") else f"{ours / rate:.1f}×"
        lines.append(f"| {name} | {rate:.1f} | {min(rates):.1f} to {max(rates):.1f} | {faster} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.rivals", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of all ways in turn (3)")
    parser.add_argument("--seconds", type=float, default=6.0, metavar="S", help="that count, each way (6)")
    parser.add_argument("--warm", type=float, default=4.0, metavar="S", help="before them (4)")
    parser.add_argument("--streams", type=int, default=16, metavar="N", help="at the same time (16)")
    parser.add_argument("--frames", type=int, default=48, metavar="N", help="of the packaged video (48)")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="framewatch-rivals-") as scratch:
        found = measure(options, Path(scratch))
    device = choose_device(options.device)
    said = (
        f"{options.streams} streams of 1280×720 JPEGs, medians of {options.rounds} rounds of {options.seconds:g} s "
        f"in turn. {this_host(device)}.\n\n{table(found)}"
    )
    print(said)
    if options.write:
        put_section("Beside other ways to serve", command_of("make bench-rivals", arguments), said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
