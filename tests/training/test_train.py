"""The whole of training on tiny drawn footage: what it writes, that it repeats itself, and how it ends early."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

import training.train
from model.checkpoint import Checkpoint, load
from model.clips import FootageError
from model.footage import open_footage
from model.progress import Progress, Tick, no_progress
from model.scoring import ClipScorer
from tests.training.drawn import write_clip, write_clips, write_moving_video
from training.fit import FitSettings, ResumeError
from training.report import TrainReport
from training.train import BAD_SHOWN, TrainError, TrainSettings, train

SETTINGS = TrainSettings(size=64, steps=40)
QUICK = dataclasses.replace(SETTINGS, augment=False, self_test=False)


@pytest.fixture(scope="module")
def normal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("footage") / "normal", 6, 20)


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.train, "FitSettings", functools.partial(FitSettings, batch=32, every=10))


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
    progress: Progress = no_progress,
    **more: Any,
) -> Run:
    said: list[str] = []
    with open_footage([footage], fps=10) as opened:
        report = train(
            opened,
            out,
            settings,
            device=torch.device("cpu"),
            precision="float32",
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


@pytest.fixture(scope="module")
def whole(normal: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Run, Bars]]:
    """One run with everything on."""
    bars = Bars()
    out = tmp_path_factory.mktemp("model") / "gate.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.train, "FitSettings", functools.partial(FitSettings, batch=32, every=10))
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


def test_ctrl_c_keeps_the_best_and_resume_goes_on_to_the_same_bits(normal: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    stopped = run(normal, out, progress=interrupting("learning", 25))
    assert stopped.report.interrupted
    assert stopped.report.steps == 20
    assert stopped.checkpoint.provenance.training["interrupted"] is True
    partial = tmp_path / "model.partial.safetensors"
    assert partial.exists()
    resumed = run(normal, out, resume=True)
    assert not resumed.report.interrupted
    assert not partial.exists()
    uninterrupted = run(normal, tmp_path / "whole.safetensors")
    assert same(resumed, uninterrupted)
    assert resumed.report.best_step == uninterrupted.report.best_step
    assert resumed.report.held_out_loss == uninterrupted.report.held_out_loss


def test_ctrl_c_twice_in_one_run_of_training_still_resumes(normal: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    run(normal, out, progress=interrupting("learning", 15))
    with pytest.raises(KeyboardInterrupt):  # while the threshold is sought
        run(normal, out, resume=True, progress=interrupting("calibrating", 1))
    assert same(run(normal, out, resume=True), run(normal, tmp_path / "whole.safetensors"))


@pytest.mark.parametrize(("label", "when"), [("checking footage", 5), ("encoding", 30), ("learning", 5)])
def test_ctrl_c_before_there_is_a_model_leaves_the_older_one(
    normal: Path, tmp_path: Path, label: str, when: int
) -> None:
    out = tmp_path / "model.safetensors"
    out.write_text("the older one")
    with pytest.raises(KeyboardInterrupt):
        run(normal, out, progress=interrupting(label, when))
    assert out.read_text() == "the older one"
    assert not list(tmp_path.glob(".*"))


def test_resume_without_an_interrupted_run_starts_anew_and_says_so(normal: Path, tmp_path: Path) -> None:
    found = run(normal, tmp_path / "model.safetensors", resume=True)
    assert any("nothing to resume" in line for line in found.said)
    assert same(found, run(normal, tmp_path / "other.safetensors"))


@pytest.mark.parametrize("changes", [{"seed": 1}, {"steps": 60}, {"window": 4}])
def test_resume_with_other_settings_is_refused(normal: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    out = tmp_path / "model.safetensors"
    run(normal, out, progress=interrupting("learning", 15))
    with pytest.raises(ResumeError, match="other footage or settings"):
        run(normal, out, dataclasses.replace(QUICK, **changes), resume=True)


def test_without_resume_an_interrupted_run_is_forgotten(normal: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    run(normal, out, progress=interrupting("learning", 15))
    assert run(normal, out).report.steps == 40
    assert not (tmp_path / "model.partial.safetensors").exists()


def spoil(root: Path, *names: str) -> None:
    for name in names:
        data = (root / name).read_bytes()
        (root / name).write_bytes(data[: len(data) // 2])


def test_unreadable_frames_stop_training_before_it_starts(tmp_path: Path) -> None:
    root = write_clips(tmp_path / "normal", 5, 8)
    spoil(root, "01/frame_00002.jpg", "04/frame_00007.jpg")
    out = tmp_path / "model.safetensors"
    with pytest.raises(FootageError, match="2 unreadable frames or files") as caught:
        run(root, out)
    assert "01/frame_00002.jpg" in str(caught.value)
    assert "04/frame_00007.jpg" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["normal"]


def test_unreadable_frames_are_left_out_where_that_was_asked_for(tmp_path: Path) -> None:
    root = write_clips(tmp_path / "normal", 5, 26)
    names = [f"01/frame_{number:05d}.jpg" for number in range(BAD_SHOWN + 3)]
    spoil(root, *names)
    found = run(root, tmp_path / "model.safetensors", skip_bad=True)
    assert found.report.bad == BAD_SHOWN + 3
    assert found.report.frames == 5 * 26 - BAD_SHOWN - 3
    assert sum(line.startswith("left out: ") for line in found.said) == BAD_SHOWN + 1
    assert "left out: 3 more" in found.said


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: write_clips(root, 6, 4), "clips shorter than 6 frames have none"),
        (lambda root: write_clip(root / "01", 1), "nothing to learn from"),
    ],
    ids=["short clips", "one frame"],
)
def test_footage_with_nothing_to_learn_from_says_what_is_missing(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    make(tmp_path / "normal")
    with pytest.raises((TrainError, FootageError), match=message):
        run(tmp_path / "normal", tmp_path / "model.safetensors", dataclasses.replace(QUICK, window=6))
    assert not (tmp_path / "model.safetensors").exists()


def test_still_footage_has_nothing_to_learn_from(tmp_path: Path) -> None:
    root = write_clips(tmp_path / "normal", 5, 12)
    for folder in root.iterdir():
        first = (folder / "frame_00000.jpg").read_bytes()
        for picture in folder.iterdir():
            picture.write_bytes(first)
    with pytest.raises(TrainError, match="too little moves in this footage: 0 windows of moving cells in 60 frames"):
        run(root, tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frame_interval": 0.02}, "50 frames a second were asked for, the footage has 10"),
        ({"window": 1}, "window is 1"),
        ({"smoothing": -1.0}, "smoothing is -1"),
    ],
)
def test_settings_that_do_not_fit_the_footage_are_refused(
    normal: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainError, match=message):
        run(normal, tmp_path / "model.safetensors", dataclasses.replace(QUICK, **changes))


def test_a_missing_folder_for_the_model_is_named(normal: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"cannot write .*nowhere/model\.log\.jsonl: No such file"):
        run(normal, tmp_path / "nowhere" / "model.safetensors")


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
