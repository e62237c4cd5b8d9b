"""The command on real footage: Avenue's video files, and the competition's own list of frames."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from model.tables import read_csv
from tests.service.command_line import framewatch, write_checkpoint
from tests.training.drawn import write_clip

pytestmark = pytest.mark.footage


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_competition(root: Path, listed: Path) -> Path:
    """`testing_videos/01/frame_00939.jpg` ...: every file name of the competition, each with one of a few pictures."""
    pictures = sorted(write_clip(root / "pictures", 4).iterdir())
    for clip, known in json.loads(listed.read_text()).items():
        folder = root / "testing_videos" / f"{int(clip):02d}"
        folder.mkdir(parents=True)
        for number in sorted(set(range(known["first"], known["last"] + 1)) - set(known["interior_missing"])):
            (folder / f"frame_{number:05d}.jpg").hardlink_to(pictures[number % 4])
    return root / "testing_videos"


def test_the_submission_has_every_id_of_the_competition_and_no_other(footage: Path) -> None:
    testing = write_competition(Path.cwd(), footage / "pixelplay" / "frames.json")
    checkpoint = write_checkpoint(Path("m.safetensors"), encoder="pixels")
    template = footage / "pixelplay" / "row_ids.csv"
    ended = framewatch(
        *["score", testing, "--model", checkpoint, "--format", "pixelplay", "--template", template, "--fps", 10]
    )
    assert ended.code == 0, ended.err
    assert "every Id of the template is there, and no other" in ended.said
    with open("submission.csv", newline="") as file:
        ids = [line["Id"] for line in csv.DictReader(file)]
    assert (ids[0], ids[-1], len(ids)) == ("1_939", "21_75", 11_706)


def test_avenue_video_files_train_and_score(footage: Path) -> None:
    videos = [footage / "avenue" / name for name in ("12.avi", "16.avi")]
    options = ["--encoder", "pixels", "--size", 24, "--steps", 20, "--no-augment", "--no-self-test"]
    trained = framewatch("train", *videos, "--out", "m.safetensors", *options, "--json")
    assert trained.code == 0, trained.err
    assert trained.json["frames"] == 145 + 244
    scored = framewatch("score", *videos, "--model", "m.safetensors", "--json")
    assert scored.code == 0, scored.err
    rows = read_csv(Path("scores.csv"))
    assert [sum(row.clip == name for row in rows) for name in ("12", "16")] == [145, 244]
    assert rows[1].time == pytest.approx(1 / 25, abs=1e-3)
