"""`framewatch demo`: the whole way on a drawn street, for whoever has no footage at hand."""

from __future__ import annotations

import json
from pathlib import Path

from service.commands.opening import Machine
from service.progress import Reporter
from training.demo import run_demo


def run(out: Path, *, seed: int, machine: Machine, as_json: bool, command: str) -> None:
    """Runs the demo and prints what came of it.

    Raises:
        DemoError: the folder is not the demo's own.
    """
    reporter = Reporter()
    device, precision = machine.start(learning=True)
    report = run_demo(
        out,
        seed=seed,
        device=device,
        precision=precision,
        threads=machine.threads,
        command=command,
        say=reporter.say,
        progress=reporter.progress,
    )
    print(json.dumps(report.to_json(), indent=2, allow_nan=False) if as_json else report.text())
