"""Evaluation of a checkpoint on labelled footage: the contract of its figures, and what it refuses before scoring."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from model.checkpoint import Checkpoint, Provenance
from model.clips import Clip, FootageError
from model.detector import Calibration, Detector
from model.footage import Footage, open_footage
from model.frames import PictureSizeError, Repair
from model.progress import no_progress
from tests.model.detectors import HEIGHT, WIDTH, MemoryClip, clip, detector, pictures
from tests.training.drawn import write_clip, write_clips
from training.evaluate import Evaluation, evaluate, normalized_per_video
from training.frame_metrics import frame_values
from training.label_matching import LabelError

CALIBRATION = Calibration(0.5, 1.0, 10.0, 0, 22.1, True)


def checkpoint(model: Detector | None = None) -> Checkpoint:
    return Checkpoint(model or detector(), CALIBRATION, Provenance("made for a test"))


def footage(*clips: Clip) -> Footage:
    return Footage(list(clips), fps_assumed=False)


def two_clips() -> Footage:
    return footage(clip(24, seed=1, name="01"), clip(20, seed=2, name="02"))


def write_labels(path: Path, **labels: Sequence[int]) -> Path:
    arrays: dict[str, Any] = {name.removeprefix("c"): np.array(values, np.uint8) for name, values in labels.items()}
    np.savez(path, **arrays)
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write_labels(tmp_path / "labels.npz", c01=[0] * 12 + [1] * 12, c02=[0] * 20)


def run(given: Footage, labels: Path, **more: Any) -> tuple[Evaluation, list[str]]:
    said: list[str] = []
    model = more.pop("model", None)
    found = evaluate(checkpoint(model), given, labels, say=said.append, progress=no_progress, **more)
    return found, said


def test_the_json_is_the_contract(labels: Path) -> None:
    found, _ = run(two_clips(), labels)
    document = json.loads(json.dumps(found.metrics.to_json(), allow_nan=False))
    columns = {"micro_auc", "macro_auc", "ap", "eer"}
    assert set(document["causal"]) == set(document["offline"]) == columns
    assert set(document["events"]) == {"recall", "false_alarms_per_hour", "median_delay_s"}
    assert {"base_rate", "pixel_auc", "frames_per_second"} <= set(document)
    fractions = [*document["causal"].values(), *document["offline"].values(), document["base_rate"]]
    assert all(0 <= value <= 1 for value in fractions)
    assert document["base_rate"] == pytest.approx(12 / 44)
    assert document["pixel_auc"] is None
    assert document["frames_per_second"] > 0
    assert document["skipped_clips"] == ["02"]


def test_every_frame_has_a_row_and_a_label(labels: Path) -> None:
    found, _ = run(two_clips(), labels)
    assert {name: len(rows) for name, rows in found.rows.items()} == {"01": 24, "02": 20}
    assert found.labels["01"].tolist() == [False] * 12 + [True] * 12
    assert found.metrics.frames == 44
    assert found.metrics.clips == 2


def test_the_figures_are_those_of_the_live_chain(labels: Path) -> None:
    found, _ = run(two_clips(), labels)
    values = {name: frame_values(rows) for name, rows in found.rows.items()}
    truth = np.concatenate([found.labels[name] for name in values])
    pooled = np.concatenate(list(values.values()))
    above = (pooled[truth][:, None] > pooled[~truth]).mean() + 0.5 * (pooled[truth][:, None] == pooled[~truth]).mean()
    assert found.metrics.causal.micro_auc == pytest.approx(above)


def test_heat_maps_are_rated_against_masks(tmp_path: Path, labels: Path) -> None:
    for name, count in (("01", 24), ("02", 20)):
        (tmp_path / "masks" / name).mkdir(parents=True)
        for number in range(count):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[10:30, 20:60] = 255 * (name == "01" and number >= 12)
            cv2.imwrite(str(tmp_path / "masks" / name / f"{number:03d}.png"), mask)
    found, _ = run(two_clips(), labels, masks=tmp_path / "masks")
    assert found.metrics.pixel_auc is not None
    assert 0 < found.metrics.pixel_auc < 1
    by_masks, _ = run(two_clips(), tmp_path / "masks")
    assert by_masks.labels["01"].tolist() == found.labels["01"].tolist()


def test_the_plot_is_drawn(tmp_path: Path, labels: Path) -> None:
    run(two_clips(), labels, plot=tmp_path / "evaluation.png")
    image = cv2.imread(str(tmp_path / "evaluation.png"))
    assert image is not None
    assert image.std() > 1


def test_corruption_is_drawn_from_its_seed_and_flip_repair_says_what_it_turned(labels: Path) -> None:
    def rows(**more: Any) -> tuple[list[float | None], list[str]]:
        found, said = run(two_clips(), labels, **more)
        return [row.raw for row in found.rows["01"]], said

    clean, said = rows()
    assert said == []
    first, second, other = (rows(corrupt_seed=seed, repair=Repair(noise=False))[0] for seed in (0, 0, 1))
    assert first == second
    assert len({tuple(clean), tuple(first), tuple(other)}) == 3
    _, said = rows(corrupt_seed=0, repair=Repair(flip=True))
    assert len(said) == 1
    assert said[0].startswith("flip repair turned ")
    assert said[0].endswith(" of 44 frames")


def test_per_video_normalisation_fills_the_range_of_each_clip(labels: Path) -> None:
    found, _ = run(two_clips(), labels)
    for values in normalized_per_video(found).values():
        assert (values.min(), values.max()) == (0.0, 1.0)


def test_footage_of_one_class_has_no_curve_but_false_alarms(tmp_path: Path) -> None:
    found, _ = run(footage(clip(24)), write_labels(tmp_path / "l.npz", c01=[0] * 24), plot=tmp_path / "evaluation.png")
    document = json.loads(json.dumps(found.metrics.to_json(), allow_nan=False))
    assert document["causal"]["micro_auc"] is None
    assert document["events"]["recall"] is None
    assert document["events"]["false_alarms_per_hour"] is not None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"c01": [0] * 24}, "no labels for clips 02"),
        ({"c01": [0] * 24, "c02": [0] * 7}, "clip 02: 7 labels for 20 frames"),
        ({"c01": [2] * 24, "c02": [0] * 20}, "holds 2: labels are 0 .normal. or 1 .abnormal."),
    ],
    ids=["a clip is missing", "wrong length", "other values"],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: dict[str, list[int]], message: str) -> None:
    with pytest.raises(LabelError, match=message):
        run(two_clips(), write_labels(tmp_path / "labels.npz", **labels))


@pytest.mark.parametrize("option", ["labels", "masks"])
def test_missing_labels_and_masks_are_named(tmp_path: Path, labels: Path, option: str) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(LabelError, match=r"nowhere: no such file or folder"):
        run(two_clips(), missing if option == "labels" else labels, masks=missing if option == "masks" else None)


def test_all_that_is_unreadable_is_named_before_anything_is_scored(tmp_path: Path, labels: Path) -> None:
    root = write_clips(tmp_path / "test", 2, 10)
    bad = [root / "01" / "frame_00003.jpg", root / "02" / "frame_00009.jpg"]
    for picture in bad:
        picture.write_bytes(picture.read_bytes()[:100])
    with open_footage([root], fps=10) as given, pytest.raises(FootageError) as caught:
        run(given, labels)
    assert all(str(picture) in str(caught.value) for picture in bad)


def test_what_is_unreadable_is_left_out_where_that_was_asked_for(tmp_path: Path) -> None:
    root = write_clips(tmp_path / "test", 1, 12)
    (root / "01" / "frame_00003.jpg").write_bytes(b"")
    labels = write_labels(tmp_path / "labels.npz", c01=[0] * 6 + [1] * 6)
    with open_footage([root], fps=10) as given:
        found, said = run(given, labels, skip_bad=True)
    assert len(found.rows["01"]) == 11
    assert any("frame_00003.jpg" in line for line in said)


@pytest.mark.parametrize("bad", [1, 7, 12], ids=["the first", "amid", "the last"])
def test_frames_keep_their_labels_where_one_of_them_is_left_out(tmp_path: Path, bad: int) -> None:
    truth = np.array([0] * 6 + [1] * 6)
    (write_clip(tmp_path / "test" / "01", 12, first=1) / f"frame_{bad:05d}.jpg").write_bytes(b"")
    labels = write_labels(tmp_path / "labels.npz", c01=truth.tolist())
    with open_footage([tmp_path / "test"], fps=10) as given:
        found, _ = run(given, labels, skip_bad=True)
    assert found.labels["01"].tolist() == np.delete(truth, bad - 1).tolist()


def test_a_picture_of_another_aspect_amid_a_clip_is_left_out_as_a_bad_one_is(tmp_path: Path, labels: Path) -> None:
    shots = list(clip(24, seed=1).shots)
    shots[5] = (shots[5][0], pictures(1, height=64, width=64)[0])
    given = footage(MemoryClip(shots, "01"), clip(20, seed=2, name="02"))
    with pytest.raises(FootageError, match="clip 01, frame 5: picture is 64x64"):
        run(given, labels)
    found, said = run(given, labels, skip_bad=True)
    assert [row.frame for row in found.rows["01"]] == [n for n in range(24) if n != 5]
    assert found.labels["01"].tolist() == [False] * 11 + [True] * 12
    assert any("clip 01, frame 5: picture is 64x64" in line for line in said)


def test_pictures_of_another_aspect_are_refused_by_name(labels: Path) -> None:
    square = MemoryClip([(n / 10, image) for n, image in enumerate(pictures(8, height=64, width=64))], "02")
    with pytest.raises(PictureSizeError, match="clip 02, frame 0: picture is 64x64, the model was trained on 96x64"):
        run(footage(clip(8), square), labels)
