"""The demo from drawing to plots, with a plan of seconds instead of minutes."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest
import torch

import training.train
from model.checkpoint import load
from model.progress import Progress, Tick, no_progress
from model.tables import read_csv
from training.demo import DemoPlan, DemoReport, run_demo
from training.demo_folder import DemoError
from training.fit import FitSettings
from training.performers import Anomaly
from training.scene import Street
from training.settings import TrainSettings

PLAN = DemoPlan(
    street=Street(height=96, width=128, fps=5.0),
    train_clips=5,
    train_seconds=4.0,
    test_seconds=3.0,
    settings=TrainSettings(size=96, steps=20, self_test=False, augment=False),
)


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.train, "FitSettings", functools.partial(FitSettings, batch=32, every=10))


def run(out: Path, *, plan: DemoPlan = PLAN, progress: Progress = no_progress) -> tuple[DemoReport, list[str]]:
    said: list[str] = []
    report = run_demo(
        out, plan=plan, device=torch.device("cpu"), precision="float32", threads=1, say=said.append, progress=progress
    )
    return report, said


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoReport, list[str]]:
    return run(tmp_path_factory.mktemp("demo") / "out")


def test_the_default_plan_draws_two_clips_of_each_anomaly_and_two_normal_ones() -> None:
    plan = DemoPlan()
    frames = plan.frames()
    assert frames.test_clips == 2 * len(Anomaly) + 2
    assert frames.train_frames == plan.train_seconds * plan.street.fps


def test_everything_is_in_its_folder(finished: tuple[DemoReport, list[str]]) -> None:
    report, _ = finished
    names = {path.name for path in report.out.iterdir()}
    assert {
        "demo.json",
        "footage",
        "model.safetensors",
        "model.report.txt",
        "model.loss.png",
        "model.log.jsonl",
        "scores.csv",
        "evaluation.png",
        "timeline.png",
    } == names
    for name in ("evaluation.png", "timeline.png", "model.loss.png"):
        image = cv2.imread(str(report.out / name))
        assert image is not None
        assert image.std() > 1


def test_every_unseen_frame_is_scored(finished: tuple[DemoReport, list[str]]) -> None:
    report, _ = finished
    rows = read_csv(report.out / "scores.csv")
    assert len(rows) == PLAN.frames().test_clips * PLAN.frames().test_frames
    assert report.metrics.frames == len(rows)
    assert load(report.out / "model.safetensors").provenance.command == "framewatch demo"


def test_the_report_goes_through_the_anomalies(finished: tuple[DemoReport, list[str]]) -> None:
    report, said = finished
    assert [kind.kind for kind in report.kinds] == [anomaly.value for anomaly in Anomaly]
    assert all(kind.clips == 2 and 0 <= kind.caught <= 2 for kind in report.kinds)
    assert report.normal_clips == 2
    text = report.text()
    for part in ("micro ROC-AUC", "wrong way", "What next:", "framewatch score", "timeline.png"):
        assert part in text
    assert any("drawing a street" in line for line in said)


def test_the_report_is_json(finished: tuple[DemoReport, list[str]]) -> None:
    document = json.loads(json.dumps(finished[0].to_json(), allow_nan=False))
    assert {"metrics", "anomalies", "normal_clips", "normal_clips_with_alarms", "training", "seconds"} <= set(document)
    assert {"causal", "offline"} <= set(document["metrics"])


def test_an_interrupted_demo_says_so_and_can_be_started_anew(tmp_path: Path) -> None:
    @contextmanager
    def progress(label: str, total: int | None, unit: str = "frame") -> Iterator[Tick]:
        count = 0

        def tick(done: int) -> None:
            nonlocal count
            count += done
            if label == "learning" and count > 15:
                raise KeyboardInterrupt

        yield tick

    plan = dataclasses.replace(PLAN, train_seconds=3.0, test_seconds=0.6)
    with pytest.raises(KeyboardInterrupt, match="the demo is not finished; the same command starts it anew"):
        run(tmp_path / "out", plan=plan, progress=progress)
    report, _ = run(tmp_path / "out", plan=plan)
    assert not report.training.interrupted


def test_a_folder_of_somebody_else_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DemoError, match="holds files that are not the demo's"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
