"""`framewatch train` end to end on tiny footage, and each bad input in one clear message."""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import training.train
from model.checkpoint import load
from model.progress import Tick
from service import faults
from service.progress import Reporter
from tests.service.command_line import Ended, framewatch, refused
from tests.training.drawn import write_clip, write_clips
from training.fit import FitSettings
from training.log import TrainLog

QUICK = ("--size", "64", "--steps", "20", "--no-augment", "--no-self-test", "--threads", "1", "--fps", "10")


@pytest.fixture(scope="module")
def normal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("footage") / "normal", 5, 16)


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training.train, "FitSettings", functools.partial(FitSettings, batch=32, every=10))


def train(footage: Path, *more: object) -> Ended:
    return framewatch("train", footage, "--out", "m.safetensors", *QUICK, *more)


def refuse(footage: object, *more: object, out: str = "m.safetensors") -> str:
    """The message; nothing is written."""
    before = sorted(Path().rglob("*"))
    message = refused("train", footage, "--out", out, *QUICK, *more)
    assert sorted(Path().rglob("*")) == before
    return message


def test_the_report_is_printed_and_the_four_files_are_there(normal: Path) -> None:
    ended = train(normal)
    assert ended.code == 0
    assert ended.out == Path("m.report.txt").read_text()
    assert "learned from 4 clips, 1 held out; 80 frames" in ended.out
    names = sorted(path.name for path in Path().iterdir())
    assert names == ["m.log.jsonl", "m.loss.png", "m.report.txt", "m.safetensors"]


def test_the_json_is_the_report(normal: Path) -> None:
    document = train(normal, "--json").json
    assert document["clips"] == 4
    assert len(document["held_out_clips"]) == 1
    assert document["frames"] == 80
    assert set(document["calibration"]) == {
        "theta",
        "alarms_per_hour",
        "minutes",
        "alarms",
        "upper_bound",
        "extrapolated",
        "precision",
    }
    assert {"windows", "loss", "held_out_loss", "self_test", "coverage", "seconds", "interrupted"} <= set(document)
    assert document["sufficient_footage"] is False


def test_options_reach_the_model(normal: Path) -> None:
    more = ["--window", "4", "--rate", "5", "--smoothing", "0.4", "--alarms-per-hour", "6", "--colour"]
    assert train(normal, *more).code == 0
    checkpoint = load(Path("m.safetensors"))
    config = checkpoint.detector.config
    assert (config.window, config.frame_interval, config.smoothing, config.colour) == (4, 0.2, 0.4, True)
    assert config.geometry.input == (64, 96)
    assert checkpoint.calibration.alarms_per_hour == 6
    assert checkpoint.provenance.command.startswith(f"framewatch train {normal} --out m.safetensors")


def test_the_seeds_own_model_is_one_option_away(normal: Path) -> None:
    assert train(normal, "--encoder", "pixels", "--size", "16", "--window", "3", "--augment").code == 0
    assert load(Path("m.safetensors")).detector.config.encoder == "pixels"


def test_the_log_is_json_lines(normal: Path) -> None:
    train(normal)
    events = [json.loads(line)["event"] for line in Path("m.log.jsonl").read_text().splitlines()]
    assert events[:2] == ["start", "windows"]
    assert events[-1] == "end"
    assert "look" in events


def test_a_model_that_exists_is_said_to_stay_until_the_end(normal: Path) -> None:
    train(normal)
    assert "m.safetensors exists; it stays as it is until this run ends" in train(normal).err


def test_ctrl_c_ends_with_130_and_the_best_model(normal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Reporter.progress

    @contextmanager
    def progress(self: Reporter, label: str, total: int | None, unit: str = "frame") -> Iterator[Tick]:
        with shown(self, label, total, unit) as tick:

            def counted(done: int) -> None:
                tick(done)
                if label == "learning" and Path("m.log.jsonl").read_text().count('"look"'):
                    raise KeyboardInterrupt

            yield counted

    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "progress", progress)
        ended = train(normal)
    assert ended.code == faults.INTERRUPTED
    assert "framewatch: interrupted; m.safetensors holds the best so far; --resume goes on" in ended.err
    load(Path("m.safetensors"))
    resumed = train(normal, "--resume")
    assert resumed.code == 0
    assert "interrupted" not in resumed.out


def test_ctrl_c_before_anything_is_kept_says_so(normal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Reporter.progress

    @contextmanager
    def progress(self: Reporter, label: str, total: int | None, unit: str = "frame") -> Iterator[Tick]:
        with shown(self, label, total, unit) as tick:
            if label == "learning":
                raise KeyboardInterrupt
            yield tick

    monkeypatch.setattr(Reporter, "progress", progress)
    ended = train(normal)
    assert ended.code == faults.INTERRUPTED
    assert ended.said.endswith("framewatch: interrupted; nothing was kept yet")


def test_ctrl_c_while_the_threshold_is_sought_says_that_resume_goes_on(
    normal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Reporter.progress

    @contextmanager
    def progress(self: Reporter, label: str, total: int | None, unit: str = "frame") -> Iterator[Tick]:
        with shown(self, label, total, unit) as tick:
            if label == "calibrating":
                raise KeyboardInterrupt
            yield tick

    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "progress", progress)
        ended = train(normal)
    assert ended.code == faults.INTERRUPTED
    assert ended.said.endswith("framewatch: interrupted; --resume goes on")
    assert train(normal, "--resume").code == 0


def test_a_loss_curve_among_the_footage_is_refused(normal: Path) -> None:
    shutil.copytree(normal, "normal")
    assert "m.loss.png would lie among the footage" in refuse("normal", out="normal/m.safetensors")


def test_footage_whose_names_are_no_utf_8_is_learned(normal: Path) -> None:
    shutil.copytree(normal, os.fsdecode(b"f\xff"))
    for clip in list(Path(os.fsdecode(b"f\xff")).iterdir()):
        clip.rename(clip.with_name(os.fsdecode(b"\xe9") + clip.name))
    ended = train(Path(os.fsdecode(b"f\xff")), "--augment", "--self-test", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["clips"] == 4


def test_two_trainings_do_not_write_the_same_files(normal: Path) -> None:
    with TrainLog(Path("m.log.jsonl")) as log:
        log.write("start")
        message = refused("train", normal, "--out", "m.safetensors", *QUICK)
        assert message.startswith("another training writes m.log.jsonl and the model beside it: give another --out")
    assert Path("m.log.jsonl").read_text().count("\n") == 1


def test_resume_with_other_settings_is_refused(normal: Path) -> None:
    Path("m.partial.safetensors").write_bytes(b"junk")
    message = refused("train", normal, "--out", "m.safetensors", *QUICK, "--resume")
    assert message.startswith("m.partial.safetensors is no saved training run")


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("m.pt", "--out m.pt: a checkpoint's name ends in .safetensors"),
        ("nowhere/m.safetensors", "--out nowhere/m.safetensors: there is no folder"),
    ],
)
def test_an_output_that_cannot_be(normal: Path, out: str, message: str) -> None:
    assert refuse(normal, out=out).startswith(message)


def test_an_output_that_is_a_folder(normal: Path) -> None:
    Path("m.safetensors").mkdir()
    assert "is a folder" in refuse(normal)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "nowhere: cannot be read"),
        ("empty", "empty: holds no footage"),
        ("notes.txt", "notes.txt: of unknown"),
    ],
)
def test_paths_without_footage(name: str, message: str) -> None:
    Path("empty").mkdir()
    Path("notes.txt").write_text("x")
    assert refuse(name).startswith(message)


def test_unreadable_frames_are_all_named_before_training(normal: Path) -> None:
    shutil.copytree(normal, "spoilt")
    bad = [Path("spoilt/01/frame_00003.jpg"), Path("spoilt/05/frame_00000.jpg")]
    bad[0].write_bytes(bad[0].read_bytes()[:200])
    bad[1].write_bytes(b"")
    message = refuse("spoilt")
    assert message.startswith("2 unreadable frames or files:")
    assert f"{bad[0].absolute()}: cut short: its end is missing" in message
    assert f"{bad[1].absolute()}: empty" in message
    ended = train(Path("spoilt"), "--skip-bad")
    assert ended.code == 0
    assert "2 frames or files could not be read and were left out" in ended.out


def test_two_cameras(normal: Path) -> None:
    shutil.copytree(normal, "two")
    write_clip(Path("two/06"), 4, height=96, width=96)
    assert "clip 06 is 96x96 from frame 0 on" in refuse("two")


def test_footage_in_which_nothing_can_be_learned() -> None:
    write_clips(Path("short"), 5, 3)
    message = refused("train", "short", "--out", "m.safetensors", *QUICK)
    assert message.startswith("too little moves in this footage: 0 windows of moving cells in 15 frames")
    assert not Path("m.safetensors").exists()


def test_more_frames_a_second_than_there_are(normal: Path) -> None:
    assert refuse(normal, "--rate", 100).startswith("100 frames a second were asked for, the footage has 10")
