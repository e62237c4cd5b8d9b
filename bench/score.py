"""`make bench`: scoring from files to a table, as a ratio to bare decoding of the same files in the same run."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from bench import endtoend
from bench.machine import this_host
from bench.training_run import run_training
from model.detector import Detector, Precision
from model.device import choose_precision
from model.footage import Footage, FootageError, open_footage
from service.commands.opening import Machine
from service.progress import Reporter
from training.drawing import write_footage
from training.scene import Street
from training.settings import TrainSettings

ROOT = Path(__file__).resolve().parent.parent
BRIEF = TrainSettings(steps=100, augment=False, self_test=False)
"""How well a model detects does not change how fast it is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; gives the exit code."""
    options = _parser().parse_args(arguments)
    reporter = Reporter()
    with tempfile.TemporaryDirectory(prefix="framewatch-bench-") as folder:
        scratch = Path(folder)
        try:
            paths, model = _material(options.footage, options.model, scratch, reporter)
            detector = Machine().load(model).detector
            with open_footage(paths) as footage:
                _measure(detector, footage, options.rounds, options.precision, scratch, reporter)
        except FootageError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def _material(
    footage: Sequence[Path], model: Path | None, scratch: Path, reporter: Reporter
) -> tuple[list[Path], Path]:
    """Footage to score and a model for it: what was given; else Ped2; else, where it is absent, a drawn street."""
    ped2 = Path(os.environ.get("FRAMEWATCH_DATA") or ROOT.parent / "shared/data") / "ped2"
    paths, normal = list(footage), list(footage)
    if not paths and ped2.is_dir():
        paths = [ped2 / "testing/frames"]
        normal = sorted((ped2 / "training/frames").iterdir())[:2]
    elif not paths:
        reporter.say("no real footage (FRAMEWATCH_DATA): a drawn street stands in for it")
        drawn = write_footage(
            scratch / "street", street=Street(), train_clips=2, train_seconds=20, test_seconds=20, seed=0
        )
        paths, normal = [drawn.test], [drawn.train]
    if model is None:
        reporter.say("training a model for the speed alone")
        model = scratch / "model.safetensors"
        run_training(normal, model, BRIEF, reporter)
    return paths, model


def _precisions(name: str | None, device: torch.device, reporter: Reporter) -> list[Precision]:
    """float32, and the half precision that is fast here."""
    if name is not None:
        return [choose_precision(name, device)]
    fast = choose_precision("auto", device)
    if fast == "float32":
        reporter.say("this CPU does not compute in bfloat16: float32 alone is measured (--precision bfloat16 insists)")
        return ["float32"]
    return ["float32", fast]


def _measure(
    detector: Detector, footage: Footage, rounds: int, precision: str | None, scratch: Path, reporter: Reporter
) -> None:
    names = _precisions(precision, detector.device, reporter)
    frames = endtoend.frames_of(footage)  # from the page cache from here on
    decoding: list[float] = []
    scoring: dict[str, list[float]] = {name: [] for name in names}
    with reporter.progress("measuring", (rounds + 1) * (1 + len(names)), "turn") as tick:
        for turn in range(rounds + 1):  # the first one warms up and is thrown away
            seconds = endtoend.decode(footage)
            tick(1)
            if turn:
                decoding.append(seconds)
            for name in names:
                detector.with_precision(name)
                seconds = endtoend.score(detector, footage, scratch / "scores.csv")
                tick(1)
                if turn:
                    scoring[name].append(seconds)
    host = this_host(detector.device, " and ".join(names))
    size = detector.config.geometry.input
    print(
        f"{frames} frames in {len(footage.clips)} clips, network input {size[1]}x{size[0]}, medians of {rounds} rounds"
    )
    print(host)
    print(f"{'':<18}{'frames/s':>10}{'lowest':>9}{'highest':>9}{'of decoding':>13}")
    bare = statistics.median(decoding)
    for label, times in [("bare decoding", decoding), *((f"scoring {name}", scoring[name]) for name in names)]:
        middle = statistics.median(times)
        print(
            f"{label:<18}{frames / middle:>10.0f}{frames / max(times):>9.0f}{frames / min(times):>9.0f}"
            f"{bare / middle:>13.3f}"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.score", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds that count (5); one more warms up")
    parser.add_argument("--precision", metavar="NAME", help="this one alone")
    parser.add_argument(
        "--footage", type=Path, nargs="+", default=[], metavar="PATH", help="instead of Ped2's test clips"
    )
    parser.add_argument("--model", type=Path, metavar="FILE", help="checkpoint; if not given, one is trained briefly")
    return parser


if __name__ == "__main__":
    sys.exit(main())
