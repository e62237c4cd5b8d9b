"""Training runs of seconds: what they wrote and said, with progress that is kept or that ends them."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from model.checkpoint import Checkpoint, load
from model.detector import Precision
from model.footage import open_footage
from model.progress import Progress, Tick, no_progress
from training.fit import FitSettings
from training.report import TrainReport
from training.settings import TrainSettings
from training.train import train

SETTINGS = TrainSettings(size=64, steps=40)
QUICK = dataclasses.replace(SETTINGS, augment=False, self_test=False)

LOOKS = functools.partial(FitSettings, batch=32, every=10)
"""Stands in for `training.train.FitSettings`, so that 40 steps have four looks."""


@dataclasses.dataclass
class Run:
    """A finished run: its report, what it said, and its progress as (label, total, done)."""

    out: Path
    report: TrainReport
    said: list[str]

    @property
    def checkpoint(self) -> Checkpoint:
        return load(self.out)

    @property
    def tensors(self) -> dict[str, torch.Tensor]:
        return self.checkpoint.detector.state_dict()

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.with_suffix(".log.jsonl").read_text().splitlines()]


def run(
    footage: Path,
    out: Path,
    settings: TrainSettings = QUICK,
    *,
    device: str = "cpu",
    precision: Precision = "float32",
    progress: Progress = no_progress,
    **more: Any,
) -> Run:
    said: list[str] = []
    with open_footage([footage], fps=10) as opened:
        report = train(
            opened,
            out,
            settings,
            device=torch.device(device),
            precision=precision,
            threads=1,
            say=said.append,
            progress=progress,
            **more,
        )
    return Run(out, report, said)


def same(one: Run, other: Run) -> bool:
    theirs = other.tensors
    return all(torch.equal(value, theirs[name]) for name, value in one.tensors.items())


def interrupting(work: str, when: int) -> Progress:
    """Ctrl-C after so many units of one piece of work."""

    @contextmanager
    def progress(label: str, total: int | None, unit: str = "frame") -> Iterator[Tick]:
        count = 0

        def tick(done: int) -> None:
            nonlocal count
            count += done
            if label == work and count >= when:
                raise KeyboardInterrupt

        yield tick

    return progress


class Bars:
    """Keeps what progress bars would show."""

    def __init__(self) -> None:
        self.shown: dict[str, list[int | None]] = {}

    @contextmanager
    def __call__(self, label: str, total: int | None, unit: str = "frame") -> Iterator[Tick]:
        entry: list[int | None] = [total, 0]
        self.shown[label] = entry

        def tick(done: int) -> None:
            entry[1] = (entry[1] or 0) + done

        yield tick
