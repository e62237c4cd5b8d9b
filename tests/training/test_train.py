"""The whole of training on tiny drawn footage: what it writes, that it repeats itself, and every kind of footage."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

import training.train
from model.footage import open_footage
from model.scoring import ClipScorer
from tests.training.drawn import write_clip, write_clips, write_moving_video
from tests.training.runs import LOOKS, QUICK, SETTINGS, Bars, Run, run, same
from training.settings import TrainSettings


@pytest.fixture(scope="module")
def normal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("footage") / "normal", 6, 20)


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.train, "FitSettings", LOOKS)


@pytest.fixture(scope="module")
def whole(normal: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Run, Bars]]:
    """One run with everything on."""
    bars = Bars()
    out = tmp_path_factory.mktemp("model") / "gate.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.train, "FitSettings", LOOKS)
        yield run(normal, out, SETTINGS, progress=bars, command="framewatch train normal/"), bars


def test_training_writes_its_four_files_and_nothing_else(whole: tuple[Run, Bars]) -> None:
    found, _ = whole
    names = sorted(path.name for path in found.out.parent.iterdir())
    assert names == ["gate.log.jsonl", "gate.loss.png", "gate.report.txt", "gate.safetensors"]


def test_the_checkpoint_says_where_it_comes_from(whole: tuple[Run, Bars]) -> None:
    found, _ = whole
    checkpoint = found.checkpoint
    assert checkpoint.provenance.command == "framewatch train normal/"
    assert checkpoint.provenance.training["frames"] == 120
    assert checkpoint.calibration == found.report.calibration
    assert float(checkpoint.detector.theta) == pytest.approx(found.report.calibration.theta)
    assert checkpoint.detector.config.geometry.source == (64, 96)
    assert checkpoint.detector.config.frame_interval == pytest.approx(0.1)
    assert bool(checkpoint.detector.reference.any())


def test_the_log_has_every_look_and_the_report(whole: tuple[Run, Bars]) -> None:
    found, _ = whole
    assert [line["event"] for line in found.log] == ["start", "windows", "look", "look", "look", "look", "end"]
    looks = [line for line in found.log if line["event"] == "look"]
    assert [line["step"] for line in looks] == [10, 20, 30, 40]
    assert all(line["train"] > 0 and line["held_out"] > 0 for line in looks)
    assert found.log[0]["config"]["encoder"] == "stem"
    assert found.log[-1]["calibration"]["theta"] == found.report.calibration.theta
    seconds = [line["seconds"] for line in found.log]
    assert seconds == sorted(seconds)


def test_the_loss_curve_is_a_picture(whole: tuple[Run, Bars]) -> None:
    image = cv2.imread(str(whole[0].out.with_suffix(".loss.png")))
    assert image is not None
    assert image.std() > 1


def test_the_report_says_what_the_run_came_to(whole: tuple[Run, Bars]) -> None:
    found, _ = whole
    report = found.report
    assert found.out.with_suffix(".report.txt").read_text() == report.text() + "\n"
    assert report.clips + len(report.held_out_clips) == 6
    assert report.frames == 120
    assert report.windows > 0
    assert 0 < report.best_step <= report.steps == 40
    assert [test.kind for test in report.self_test] == ["double speed", "backwards", "foreign object"]
    assert not report.interrupted
    assert not report.calibration.sufficient


def test_long_work_shows_how_far_it_is(whole: tuple[Run, Bars]) -> None:
    _, bars = whole
    assert list(bars.shown) == ["checking footage", "encoding", "learning", "calibrating", "self-test"]
    for total, done in bars.shown.values():
        assert total == done


def test_a_trained_model_scores_normal_footage_below_its_threshold(whole: tuple[Run, Bars], normal: Path) -> None:
    detector = whole[0].checkpoint.detector
    with open_footage([normal], fps=10) as footage:
        rows = [scored.row for clip in footage.clips for scored in ClipScorer(detector).score(clip)]
    assert len(rows) == 120
    smoothed = [row.smoothed for row in rows if row.smoothed is not None]
    assert sum(value < 0.5 for value in smoothed) > 0.9 * len(smoothed)


@pytest.mark.parametrize("settings", [SETTINGS, QUICK], ids=["all", "quick"])
def test_the_same_seed_gives_the_same_bits(normal: Path, tmp_path: Path, settings: TrainSettings) -> None:
    first, second = (run(normal, tmp_path / f"{name}.safetensors", settings) for name in "ab")
    assert same(first, second)
    assert first.report.calibration == second.report.calibration
    assert first.report.self_test == second.report.self_test


def test_another_seed_gives_another_model(normal: Path, tmp_path: Path) -> None:
    first, second = (
        run(normal, tmp_path / f"{seed}.safetensors", dataclasses.replace(QUICK, seed=seed)) for seed in (0, 1)
    )
    assert not same(first, second)


def test_one_clip_is_cut_into_stretches(tmp_path: Path) -> None:
    write_clip(tmp_path / "one" / "gate", 120)
    found = run(tmp_path / "one", tmp_path / "model.safetensors")
    stretches = found.report.clips + len(found.report.held_out_clips)
    assert stretches >= 4
    assert all(name.startswith("gate#") for name in found.report.held_out_clips)
    assert found.said == [f"1 clip is cut into {stretches} stretches, so that whole ones can be held out"]


def test_one_clip_too_short_to_be_cut_is_used_for_both_and_that_is_said(tmp_path: Path) -> None:
    write_clip(tmp_path / "one" / "gate", 22)
    found = run(tmp_path / "one", tmp_path / "model.safetensors", dataclasses.replace(QUICK, window=6))
    assert found.said == ["one short clip: it is learned from and calibrated on alike; the threshold will be too low"]
    assert found.report.held_out_clips == ["gate#1"]


def test_a_slower_rate_thins_the_footage(normal: Path, tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, frame_interval=0.2)
    found = run(normal, tmp_path / "slow.safetensors", settings)
    assert found.checkpoint.detector.config.frame_interval == 0.2


@pytest.mark.parametrize("colour", [False, True])
def test_the_seeds_own_model_trains(normal: Path, tmp_path: Path, colour: bool) -> None:
    settings = TrainSettings(encoder="pixels", size=16, steps=20, colour=colour)
    found = run(normal, tmp_path / "pixels.safetensors", settings)
    detector = found.checkpoint.detector
    assert detector.whitening is None
    assert detector.encoder.channels == 16 * 16 * (3 if colour else 1)
    assert len(found.report.self_test) == 3


@pytest.mark.gpu
def test_a_gpu_trains_in_half_precision(normal: Path, tmp_path: Path) -> None:
    found = run(normal, tmp_path / "gpu.safetensors", SETTINGS, device="cuda", precision="float16")
    assert found.checkpoint.calibration.precision == "float16"
    assert found.report.best_step > 0


def test_a_folder_of_video_files_trains_and_scores(tmp_path: Path) -> None:
    folder = tmp_path / "avenue"
    folder.mkdir()
    for index, name in enumerate(("10.mp4", "11.mp4", "12.avi", "16.avi")):
        write_moving_video(folder / name, 45, seed=index)
    found = run(folder, tmp_path / "model.safetensors", dataclasses.replace(QUICK, augment=True))
    detector = found.checkpoint.detector
    assert detector.config.frame_interval == pytest.approx(0.1, rel=0.01)
    with open_footage([folder]) as footage:
        counts = {clip.name: len(list(ClipScorer(detector).score(clip))) for clip in footage.clips}
    assert counts == {"10": 45, "11": 45, "12": 45, "16": 45}
