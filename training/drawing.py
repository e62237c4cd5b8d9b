"""The drawn street on disk: normal clips to train on, test clips with anomalies, and their labels."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scene import Anomaly, Street

Labels = NDArray[np.uint8]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DemoFootage:
    """Where `write_footage` put things.

    Attributes:
        train: folder of normal clips, a folder each.
        test: folder of test clips.
        labels: npz, a uint8 array of 0 and 1 for each test clip, under the clip's name.
        masks: folder of a folder each test clip, of PNGs (0 or 255) numbered like the frames.
        anomalies: what happens in each test clip, None in the normal ones.
    """

    train: Path
    test: Path
    labels: Path
    masks: Path
    anomalies: dict[str, Anomaly | None]


def write_footage(
    folder: Path,
    *,
    street: Street,
    train_clips: int,
    train_seconds: float,
    test_seconds: float,
    seed: int,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> DemoFootage:
    """Writes normal clips to train on, and two test clips for each anomaly and two normal ones, with labels.

    Frames are `train/<NN>/frame_<NNNNN>.jpg` (quality 92), masks `masks/<NN>/<NNNNN>.png`.

    Args:
        folder: made where missing.
        street: the camera.
        train_clips: how many normal clips.
        train_seconds: length of each.
        test_seconds: length of each test clip.
        seed: of the clips; no two clips, of training or test, share people.
        processes: that draw; what is drawn does not depend on it. With more than one, the caller's main module must
            be fit for `multiprocessing` ("spawn").
        progress: called with the frames written and their total, after each frame, or each clip of several processes.

    Raises:
        FileExistsError: if `folder` holds footage already: frames of an older, longer clip would stay in it.
    """
    kinds = [None, *Anomaly] * 2
    result = DemoFootage(
        folder / "train",
        folder / "test",
        folder / "labels.npz",
        folder / "masks",
        {f"{number:02d}": kind for number, kind in enumerate(kinds, start=1)},
    )
    for path in (result.train, result.test, result.masks):
        if path.exists():
            raise FileExistsError(f"{path} exists: give another folder or remove it")
    clips = [
        _Clip(street, train_seconds, _clip_seed(seed, 0, number), None, result.train / f"{number:02d}", None)
        for number in range(1, train_clips + 1)
    ]
    for number, (name, kind) in enumerate(result.anomalies.items(), start=1):
        test_seed = _clip_seed(seed, 1, number)
        clips.append(_Clip(street, test_seconds, test_seed, kind, result.test / name, result.masks / name))
    total = sum(round(clip.seconds * street.fps) for clip in clips)
    done = 0

    def drawn(frames: int) -> None:
        nonlocal done
        done += frames
        if progress is not None:
            progress(done, total)

    every = zip(clips, _draw(clips, processes, drawn), strict=True)
    labels = {clip.frames.name: found for clip, found in every if clip.masks is not None}
    np.savez(result.labels, allow_pickle=False, **labels)
    return result


@dataclass(frozen=True, slots=True)
class _Clip:
    """A clip to be drawn, wherever that happens; `masks` is None for the clips to train on."""

    street: Street
    seconds: float
    seed: int
    anomaly: Anomaly | None
    frames: Path
    masks: Path | None


def _draw(clips: list[_Clip], processes: int, drawn: Callable[[int], None]) -> list[Labels]:
    """Draws clips, here or in processes of their own, and gives their labels in order."""
    pool = None if processes == 1 else _pool(processes)
    if pool is None:
        return [_write(clip, drawn) for clip in clips]
    labels = []
    with pool:
        for found in pool.map(_write, clips):
            drawn(len(found))
            labels.append(found)
    return labels


def _pool(processes: int) -> ProcessPoolExecutor | None:
    """Processes that draw; None where the system has no semaphores for them: it takes longer, but it is drawn."""
    # Ctrl-C is for the parent, which waits for the clips under way; a fork would copy torch's threads in mid-air
    ignore = (signal.SIGINT, signal.SIG_IGN)
    try:
        return ProcessPoolExecutor(processes, get_context("spawn"), initializer=signal.signal, initargs=ignore)
    except OSError as error:
        _log.warning("drawing in one process: no semaphores for more, is /dev/shm writable? (%s)", error)
        return None


def _write(clip: _Clip, drawn: Callable[[int], None] | None = None) -> Labels:
    """Draws one clip: uint8 labels, one a frame."""
    labels = []
    clip.frames.mkdir(parents=True)
    if clip.masks is not None:
        clip.masks.mkdir(parents=True)
    frames = _kept(clip.street).clip(clip.seconds, seed=clip.seed, anomaly=clip.anomaly)
    for number, frame in enumerate(frames):
        _save(clip.frames / f"frame_{number:05d}.jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        if clip.masks is not None:
            _save(clip.masks / f"{number:05d}.png", frame.mask.astype(np.uint8) * 255, [])
        labels.append(frame.label)
        if drawn is not None:
            drawn(1)
    return np.array(labels, np.uint8)


@lru_cache(maxsize=1)
def _kept(street: Street) -> Street:
    """The same street for every clip of a process: its backdrop is drawn once."""
    return street


def _clip_seed(seed: int, split: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, split, number]).generate_state(1)[0])


def _save(path: Path, image: NDArray[np.uint8], options: list[int]) -> None:
    if not cv2.imwrite(str(path), image, options):
        raise OSError(f"could not write {path}")
