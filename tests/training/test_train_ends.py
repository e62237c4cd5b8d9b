"""How training ends early: by Ctrl-C, to be resumed to the same bits, or refused before it starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import training.train
from model.clips import FootageError
from tests.training.drawn import write_clip, write_clips
from tests.training.runs import LOOKS, QUICK, interrupting, run, same
from training.fit import ResumeError
from training.settings import TrainError
from training.train import BAD_SHOWN


@pytest.fixture(scope="module")
def normal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("footage") / "normal", 6, 20)


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.train, "FitSettings", LOOKS)


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
