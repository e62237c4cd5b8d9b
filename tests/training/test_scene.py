"""The synthetic street: the same bytes twice, labels that agree with masks, one backdrop, real motion, the layout."""

from __future__ import annotations

import errno
import itertools
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.frames import luma, noise_sigma
from training.drawing import write_footage
from training.scene import SMALLEST, Anomaly, SceneFrame, Street

CELL = 16


@pytest.fixture(scope="module")
def street() -> Street:
    return Street(fps=4.0)


def cell_motion(before: SceneFrame, after: SceneFrame) -> NDArray[np.float32]:
    """Rms difference of two frames' smoothed luma in each cell, of [0, 1], as the detector's mask measures it."""
    difference = luma(after.image).astype(np.float32) - luma(before.image)
    binomial = np.array([0.25, 0.5, 0.25])
    difference = np.asarray(cv2.sepFilter2D(difference / 255, -1, binomial, binomial), np.float32)
    rows, columns = difference.shape[0] // CELL, difference.shape[1] // CELL
    cells = np.square(difference).reshape(rows, CELL, columns, CELL)
    return np.asarray(np.sqrt(cells.mean(axis=(1, 3))), np.float32)


def masked_cells(frame: SceneFrame) -> NDArray[np.bool_]:
    rows, columns = frame.mask.shape[0] // CELL, frame.mask.shape[1] // CELL
    covered = frame.mask.reshape(rows, CELL, columns, CELL).mean(axis=(1, 3))
    return np.asarray(covered > 1 / 8, np.bool_)


@pytest.mark.parametrize("anomaly", [None, Anomaly.FALL])
def test_the_same_seed_draws_the_same_bytes(anomaly: Anomaly | None) -> None:
    first, second = (list(Street(height=120, width=160, fps=2.0).clip(4, seed=3, anomaly=anomaly)) for _ in range(2))
    assert len(first) == 8
    for one, other in zip(first, second, strict=True):
        assert one.image.tobytes() == other.image.tobytes()
        assert one.mask.tobytes() == other.mask.tobytes()


def test_another_seed_shows_other_people_before_the_same_houses(street: Street) -> None:
    first, second = (np.stack([f.image for f in street.clip(12, seed=seed)]) for seed in (1, 2))
    assert not np.array_equal(first, second)
    quiet = (np.median(clip, axis=0).astype(np.int16) for clip in (first, second))
    difference = np.abs(np.subtract(*quiet)).mean(axis=2)
    assert np.median(difference) < 10  # clouds
    other = np.median(np.stack([f.image for f in Street(seed=9, fps=1.0).clip(5, seed=1)]), axis=0)
    assert np.median(np.abs(other - np.median(first, axis=0)).mean(axis=2)) > 15


@pytest.mark.parametrize("anomaly", Anomaly)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_anomaly_shows_with_normal_footage_around_it(street: Street, anomaly: Anomaly, seed: int) -> None:
    frames = list(street.clip(18, seed=seed, anomaly=anomaly))
    labels = np.array([frame.label for frame in frames])
    shown = np.flatnonzero(labels)
    assert len(shown) >= 2 * street.fps * 0.7
    assert not labels[: round(2 * street.fps)].any()
    assert not labels[-round(street.fps) :].any()
    for frame in frames:
        assert frame.image.shape == (240, 320, 3) and frame.image.dtype == np.uint8
        assert frame.mask.shape == (240, 320) and frame.mask.dtype == np.bool_
        assert frame.label == frame.mask.any()
        assert not frame.label or frame.mask.sum() >= SMALLEST * frame.mask.size


def test_the_mask_covers_what_the_anomaly_changes(street: Street) -> None:
    normal = street.clip(12, seed=4)
    disturbed = street.clip(12, seed=4, anomaly=Anomaly.RUNNER)
    covered, stray, total = [], [], 0
    for one, other in zip(normal, disturbed, strict=True):
        changed = np.abs(luma(one.image).astype(np.int16) - luma(other.image)) > 80  # more than a shadow does
        if other.label:
            around = cv2.dilate(other.mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
            covered.append(changed[other.mask].mean())
            stray.append((changed & ~around).sum())
            total += int(other.mask.sum())
        else:
            assert changed.sum() < 20
    assert np.median(covered) > 0.3
    assert sum(stray) < 0.05 * total


def test_normal_clips_carry_no_label(street: Street) -> None:
    assert not any(frame.label for frame in street.clip(6, seed=0))


def test_people_move_and_the_street_stands_still() -> None:
    # a person who walks at a normal speed and whose pixels are known: the one on the lawn
    frames = list(Street().clip(18, seed=11, anomaly=Anomaly.WRONG_WAY))
    person, busy, quiet = [], [], []
    for before, after in itertools.pairwise(frames):
        motion = cell_motion(before, after)
        busy.append((motion > 0.03).sum())
        quiet.append(float(np.median(motion)))
        if before.label and after.label and masked_cells(after).any():
            person.append(float(motion[masked_cells(after)].max()))
    print(
        f"\nrms luma difference of 16x16 cells: walker's strongest cell {np.quantile(person, 0.1):.3f} (10 %) "
        f"{np.median(person):.3f} (median); still cells {np.median(quiet):.4f} (median) {max(quiet):.4f} (largest); "
        f"moving cells a frame {np.median(busy):.0f}"
    )
    assert np.quantile(person, 0.1) > 0.03
    assert max(quiet) < 0.01
    assert 5 <= np.median(busy) <= 80
    assert 1.0 < noise_sigma(luma(frames[0].image)) < 3.0


def test_live_goes_on_and_brings_anomalies(street: Street) -> None:
    slow = Street(fps=2.0)
    labels = np.array([frame.label for frame in itertools.islice(slow.live(seed=0), 400)])
    starts = np.flatnonzero(np.diff(labels.astype(int)) > 0) / slow.fps
    assert len(starts) >= 3 and starts[0] >= 20
    endless = street.clip(math.inf, seed=0)
    assert len(list(itertools.islice(endless, 3))) == 3


@pytest.mark.parametrize(("height", "width"), [(120, 160), (180, 320)])
def test_other_picture_sizes(height: int, width: int) -> None:
    frames = list(Street(height=height, width=width, fps=1.0).clip(8, seed=2, anomaly=Anomaly.FALL))
    assert all(frame.image.shape == (height, width, 3) for frame in frames)
    assert any(frame.label for frame in frames)


def test_footage_is_written_as_described(tmp_path: Path) -> None:
    street = Street(fps=1.0)
    calls: list[tuple[int, int]] = []
    footage = write_footage(
        tmp_path,
        street=street,
        train_clips=2,
        train_seconds=3,
        test_seconds=18,
        seed=0,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert sorted(path.name for path in footage.train.iterdir()) == ["01", "02"]
    assert sorted(path.name for path in (footage.train / "01").iterdir()) == [
        f"frame_{number:05d}.jpg" for number in range(3)
    ]
    assert sorted(kind or "" for kind in footage.anomalies.values()) == sorted(["", *Anomaly] * 2)
    assert calls == [(number, 6 + 12 * 18) for number in range(1, 6 + 12 * 18 + 1)]
    pictures = set()
    with np.load(footage.labels) as labels:
        assert sorted(labels) == sorted(footage.anomalies) == sorted(path.name for path in footage.test.iterdir())
        for name, kind in footage.anomalies.items():
            assert labels[name].dtype == np.uint8 and labels[name].shape == (18,)
            assert labels[name].any() == (kind is not None)
            masks = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted((footage.masks / name).iterdir())]
            assert [bool(mask.any()) for mask in masks if mask is not None] == [bool(label) for label in labels[name]]
            assert set(np.unique(np.stack([mask for mask in masks if mask is not None]))) <= {0, 255}
            pictures.add((footage.test / name / "frame_00000.jpg").read_bytes())
    assert len(pictures) == 12
    assert (footage.masks / "01" / "00000.png").is_file()
    with pytest.raises(FileExistsError, match="give another folder"):
        write_footage(tmp_path, street=street, train_clips=1, train_seconds=1, test_seconds=1, seed=0)


def test_without_semaphores_one_process_draws_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("training.drawing.ProcessPoolExecutor", none)
    street = Street(height=60, width=80, fps=1.0)
    footage = write_footage(
        tmp_path, street=street, train_clips=1, train_seconds=1, test_seconds=1, seed=0, processes=2
    )
    assert footage.labels.is_file()
    assert "drawing in one process" in caplog.text


def test_other_processes_draw_the_same(tmp_path: Path) -> None:
    street = Street(height=60, width=80, fps=1.0)
    calls: list[tuple[int, int]] = []
    for processes in (1, 2):
        write_footage(
            tmp_path / str(processes),
            street=street,
            train_clips=1,
            train_seconds=2,
            test_seconds=3,
            seed=0,
            processes=processes,
            progress=lambda done, total: calls.append((done, total)),
        )
    files = [sorted(path for path in (tmp_path / name).rglob("*.*") if path.is_file()) for name in ("1", "2")]
    assert [path.relative_to(tmp_path / "1") for path in files[0]] == [
        path.relative_to(tmp_path / "2") for path in files[1]
    ]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    assert calls[-1] == (38, 38)
