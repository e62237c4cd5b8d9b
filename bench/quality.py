"""`make quality`: how well framewatch detects, over several seeds, into `docs/quality.md` and the README."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import this_host
from bench.other_footage import run_street, run_unlabelled
from bench.page import command_of
from bench.ped2 import run_seed, run_whole_frames
from bench.quality_report import NOTES, QualityRun, markdown, put_headline
from bench.training_run import Effort
from model.atomic import open_atomic
from service.commands.opening import Machine
from service.progress import Reporter
from training.settings import TrainSettings

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/quality.md"
README = ROOT / "README.md"
PARTS = ("ped2", "pixels", "avenue", "vtest", "street")
QUICK = Effort(clips=3, settings=TrainSettings(steps=200))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the parts that were asked for; gives the exit code."""
    options = _parser().parse_args(arguments)
    data: Path = options.data
    parts: list[str] = options.parts
    needed = [part for part in parts if part != "street"]
    if needed and not (data / "ped2").is_dir():
        print(f"no real footage at {data}: set FRAMEWATCH_DATA, or give --parts street", file=sys.stderr)
        return 1
    effort = QUICK if options.quick else Effort()
    seeds: list[int] = options.seeds[:1] if options.quick else options.seeds
    reporter = Reporter()
    device, precision = Machine().start()
    with tempfile.TemporaryDirectory(prefix="framewatch-quality-") as folder:
        scratch = Path(folder)
        run = QualityRun(
            command=command_of("make quality", arguments),
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            host=this_host(device, precision),
            quick=options.quick,
            ped2=[run_seed(data, seed, effort, scratch, reporter) for seed in seeds if "ped2" in parts],
            whole_frames=[
                run_whole_frames(data, seed, effort, scratch, reporter) for seed in seeds if "pixels" in parts
            ],
            unlabelled=[
                run_unlabelled(name, effort.choose(data / where), effort, scratch, reporter)
                for part, name, where in (("avenue", "CUHK Avenue, 4 clips", "avenue"), ("vtest", "vtest.avi", "clips"))
                if part in parts
            ],
            street=[run_street(seed, effort, scratch, reporter) for seed in seeds if "street" in parts],
        )
    out: Path | None = options.out or (None if options.quick else PAGE)
    notes = ROOT / "docs" / NOTES
    page = markdown(run, notes.read_text(encoding="utf-8") if run.ped2 and notes.exists() else "")
    print(page)
    if out is not None:
        with open_atomic(out) as file:
            file.write(page)
        reporter.say(f"wrote {out}")
    if out == PAGE and run.ped2:
        readme = put_headline(README.read_text(encoding="utf-8"), run.ped2)
        with open_atomic(README) as file:
            file.write(readme)
        reporter.say(f"wrote {README}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__)
    parser.add_argument("--seeds", type=_numbers, default=[0, 1, 2], metavar="N,N", help="seeds (0,1,2)")
    parser.add_argument("--parts", type=_parts, default=list(PARTS), metavar="P,P", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument(
        "--quick", action="store_true", help="one seed, three clips, 200 steps; prints, and writes only with --out"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="page to write (docs/quality.md)")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=Path(os.environ.get("FRAMEWATCH_DATA") or ROOT.parent / "shared/data"),
        help="real footage (FRAMEWATCH_DATA, or ../shared/data)",
    )
    return parser


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _parts(text: str) -> list[str]:
    parts = text.split(",")
    if unknown := set(parts) - set(PARTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: expected some of {', '.join(PARTS)}")
    return parts


if __name__ == "__main__":
    sys.exit(main())
