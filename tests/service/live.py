"""Small models, streams and frames for the tests of the live service."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import torch

from model.checkpoint import Checkpoint, Provenance
from model.detector import Calibration, Detector
from model.encoder import EncoderName
from model.pictures import Image
from service.models import Model, made
from service.records import IncomingFrame, Score, StreamOptions, StreamRecord
from service.scorer import Scorer
from service.stream import Outcome, Stream
from tests.model import detectors

torch.set_num_threads(1)  # as `Workers` does in the service: splitting so small an operation costs more than it brings

CAPTURED = 1.7e9
WINDOW = 6


def model(encoder: EncoderName = "stem", *, name: str = "door", **settings: Any) -> Model:
    """A model of random weights; the same seed gives the same."""
    settings.setdefault("window", WINDOW)
    return model_of(detectors.detector(encoder, **settings), name)


def model_of(detector: Detector, name: str = "door") -> Model:
    calibration = Calibration(float(detector.theta), 1.0, 90.0, 1, 2.0, False)
    return made(name, Checkpoint(detector, calibration, Provenance("test", "2026-01-01T00:00:00Z")))


def sibling(of: Model, *, seed: int, name: str = "yard", **settings: Any) -> Model:
    """A model with the encoder of another and an autoencoder of its own."""
    settings.setdefault("window", WINDOW)
    other = detectors.detector(seed=seed, **settings)
    other.encoder.load_state_dict(of.detector.encoder.state_dict())
    return model_of(other, name)


def stream(of: Model, name: str = "cam", **settings: Any) -> Stream:
    """A stream with the options that `StreamOptions` knows, and what else `Stream` takes."""
    options = {key: settings.pop(key) for key in list(settings) if key in StreamOptions.__dataclass_fields__}
    options.setdefault("policy", "every")
    return Stream(StreamRecord(name, name, None, StreamOptions(**options)), of, **settings)


def png(image: Image) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def jpeg(image: Image) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()


def frames(images: Sequence[Image], *, step: float = detectors.INTERVAL, start: int = 0) -> list[IncomingFrame]:
    """PNG frames, `step` seconds apart."""
    return [
        IncomingFrame(number, number * step, CAPTURED + number * step, png(image))
        for number, image in enumerate(images, start)
    ]


def walk(count: int, *, seed: int = 0, step: float = detectors.INTERVAL) -> list[IncomingFrame]:
    """Frames in which something moves."""
    return frames(detectors.pictures(count, seed=seed), step=step)


class Outcomes:
    """What a scorer handed out; can be waited for."""

    def __init__(self) -> None:
        self.all: list[Outcome] = []
        self._changed = threading.Condition()

    def __call__(self, outcomes: list[Outcome]) -> None:
        with self._changed:
            self.all += outcomes
            self._changed.notify_all()

    def of(self, one: Stream) -> list[Outcome]:
        return [outcome for outcome in self.all if outcome.stream is one]

    def scores(self, one: Stream) -> list[Score]:
        return [outcome.score for outcome in self.of(one) if outcome.score is not None]

    def wait(self, count: int, one: Stream | None = None, *, seconds: float = 200.0) -> list[Outcome]:
        """The outcomes (of a stream) as soon as there are so many."""

        def found() -> list[Outcome]:
            return self.all if one is None else self.of(one)

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= count, seconds), f"{len(found())} of {count} outcomes"
            return found()


@contextmanager
def held(scorer: Scorer, *, decoded: int, seconds: float = 200.0) -> Iterator[None]:
    """The engine does nothing until the block has ended and so many frames are decoded: they are one batch then."""
    entered, released = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        released.wait(seconds)

    scorer.run(hold)
    assert entered.wait(seconds)
    try:
        yield
        until, batcher = time.monotonic() + seconds, scorer._batcher
        while batcher._ahead < decoded or batcher._decoding:
            assert time.monotonic() < until, f"{batcher._ahead} of {decoded} frames"
            time.sleep(0.005)
    finally:
        released.set()


def feed(one: Stream, incoming: Sequence[IncomingFrame], *, seconds: float = 200.0) -> None:
    """Offers every frame, as a source that is held back does."""
    room = threading.Event()
    one.on_room = lambda credit: room.set()
    for frame in incoming:
        while not one.offer(frame):
            assert not one.closed and room.wait(seconds), "no room for a frame"
            room.clear()
