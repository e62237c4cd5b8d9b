"""`framewatch demo`, with a plan of seconds instead of minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import service.commands.demo
from model.checkpoint import load
from tests.service.command_line import framewatch, refused
from training.demo import DemoPlan, DemoReport, run_demo
from training.scene import Street
from training.settings import TrainSettings

PLAN = DemoPlan(
    street=Street(height=96, width=128, fps=5.0),
    train_clips=5,
    train_seconds=3.0,
    test_seconds=1.0,
    settings=TrainSettings(size=96, steps=10, self_test=False, augment=False),
)


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_demo_prints_its_table_and_what_to_do_next(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[DemoReport] = []

    def small(out: Path, **more: Any) -> DemoReport:
        reports.append(run_demo(out, plan=PLAN, **more))
        return reports[-1]

    monkeypatch.setattr(service.commands.demo, "run_demo", small)
    ended = framewatch("demo", "--threads", 1)
    assert ended.code == 0
    assert "micro ROC-AUC" in ended.out
    assert "What next:" in ended.out
    assert "learning what is normal there" in ended.err
    assert load(Path("framewatch-demo/model.safetensors")).provenance.command == "framewatch demo --threads 1"
    monkeypatch.setattr(service.commands.demo, "run_demo", lambda out, **more: reports[0])
    assert set(framewatch("demo", "--json").json) == set(reports[0].to_json())


def test_a_folder_of_somebody_else_is_refused() -> None:
    Path("mine").mkdir()
    Path("mine/holiday.jpg").touch()
    assert refused("demo", "--out", "mine").startswith("mine holds files that are not the demo's")


def test_a_file_is_refused() -> None:
    Path("demo.txt").touch()
    assert refused("demo", "--out", "demo.txt") == "demo.txt is a file: give another folder with --out"
