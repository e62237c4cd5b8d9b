"""What the live benchmarks send: JPEGs of 1280×720 in which people walk, and a model for them."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Sequence
from importlib.resources import files
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from model.checkpoint import Checkpoint, Provenance, bundled, load, save
from model.detector import Detector
from model.footage import open_footage
from model.frames import Geometry
from model.pictures import Image, decode_image
from model.workers import available_cores

HEIGHT, WIDTH = 720, 1280
INTERVAL = 0.1
MOVIE = Path(str(files("model") / "data" / "demo.mp4"))
QUALITY = 80
_UNREACHED = 1000.0  # threshold
_NOISE = 2.5  # of a sensor, standard deviation of 255: what makes a JPEG of a camera as large as it is


def pictures(count: int, height: int, width: int) -> list[Image]:
    """Frames of the packaged video, uint8 H×W×3 BGR, enlarged and with a sensor's noise.

    They can be repeated without a jump: there and back again, 2·count - 2 of them.
    """
    dice = np.random.default_rng(3)
    found: list[Image] = []
    with open_footage([MOVIE]) as footage:
        for frame in islice(footage.clips[0].frames(colour=True), count):
            rows = min(frame.image.shape[0], round(frame.image.shape[1] * height / width))
            large = cv2.resize(frame.image[-rows:], (width, height), interpolation=cv2.INTER_CUBIC)
            noisy = large + dice.normal(0, _NOISE, (height, width, 1))
            found.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return [*found, *found[-2:0:-1]]


def jpegs(count: int = 48) -> list[bytes]:
    """The same at 1280×720, encoded."""
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    return [cv2.imencode(".jpg", picture, options)[1].tobytes() for picture in pictures(count, HEIGHT, WIDTH)]


def write_model(path: Path, *, interval: float = INTERVAL) -> Path:
    """The packaged demo model for pictures of 1280×720: its weights do not depend on how many cells there are.

    How well it detects there does not change how fast it is. Nothing is anomalous to it: else every stream would be one
    long event, and the writing of clips be measured too.

    Args:
        path: to write to.
        interval: seconds between two frames that it scores.
    """
    packaged = load(bundled())
    of = packaged.detector
    geometry = Geometry.of_cells((HEIGHT, WIDTH), height=240, cell=of.config.cell)
    detector = Detector(dataclasses.replace(of.config, geometry=geometry, frame_interval=interval))
    detector.load_state_dict(of.state_dict())
    detector.theta.fill_(_UNREACHED)
    provenance = Provenance("python -m bench.serve", packaged.provenance.created)
    calibration = dataclasses.replace(packaged.calibration, theta=_UNREACHED)
    save(path, Checkpoint(detector, calibration, provenance))
    return path


def decode_rate(frames: Sequence[bytes], seconds: float, *, opencv: bool = False, threads: int | None = None) -> float:
    """Frames a second of decoding alone: one thread for each core, nothing done with them.

    Args:
        frames: to decode, again and again.
        seconds: how long.
        opencv: to colour by OpenCV, as programs commonly do, instead of to luma as the service does.
        threads: None: one for each core.
    """
    cv2.setNumThreads(1)
    threads = threads or available_cores()
    counts = [0] * threads
    until = time.perf_counter() + seconds

    def work(number: int) -> None:
        while time.perf_counter() < until:
            data = frames[(counts[number] + 7 * number) % len(frames)]
            if opencv:
                cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            else:
                decode_image(data)
            counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    started = time.perf_counter()
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    return sum(counts) / (time.perf_counter() - started)
