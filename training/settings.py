"""What a user may choose of a training, and the detector that it makes of that for some footage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model.detector import DetectorConfig
from model.encoder import EncoderName
from model.frames import Geometry
from training.survey import Survey

STEM_HEIGHT = 240
STEM_CELL = 16
PIXELS_SIZE = 64
SEED_WINDOW = 10  # the project's seed: whole frames, 10 at a time
SEED_HIDDEN = 128


class TrainError(Exception):
    """Training that cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """What a user may choose; None leaves it to the encoder's default or to the footage.

    Attributes:
        encoder: `stem` or `pixels`.
        colour: three channels instead of luma.
        size: height of the network's input, pixels.
        frame_interval: seconds between scored frames; None: the footage's own.
        window: frames in a window.
        smoothing: seconds of the rolling mean.
        alarms_per_hour: false alarms an hour that are acceptable.
        steps: optimiser steps.
        seed: of everything random; split, weights, noise and corruption draw from generators of their own.
        augment: learn from a noisy copy of the footage too.
        self_test: make held-out clips abnormal and see how many are caught.
    """

    encoder: EncoderName = "stem"
    colour: bool = False
    size: int | None = None
    frame_interval: float | None = None
    window: int | None = None
    smoothing: float | None = None
    alarms_per_hour: float = 1.0
    steps: int | None = None
    seed: int = 0
    augment: bool = True
    self_test: bool = True


def configure(settings: TrainSettings, found: Survey) -> DetectorConfig:
    """The detector that settings and footage ask for.

    Raises:
        TrainError: a setting makes no sense for this footage.
    """
    interval = settings.frame_interval or found.interval
    if interval < found.interval / 2:
        raise TrainError(
            f"{1 / interval:.3g} frames a second were asked for, the footage has {1 / found.interval:.3g}: "
            "a window needs at least half the rate"
        )
    chosen: dict[str, Any] = {"encoder": settings.encoder, "frame_interval": interval, "colour": settings.colour}
    if settings.encoder == "pixels":
        size = settings.size or PIXELS_SIZE
        chosen |= {"geometry": Geometry.of_frame(found.size, size=size)}
        chosen |= {"window": SEED_WINDOW, "recent": SEED_WINDOW, "hidden": SEED_HIDDEN, "latent": SEED_HIDDEN}
        chosen |= {"top": 1, "members": 1}
    else:
        chosen["cell"] = STEM_CELL
        chosen["geometry"] = Geometry.of_cells(found.size, height=settings.size or STEM_HEIGHT, cell=STEM_CELL)
    if settings.window is not None:
        chosen["window"] = settings.window
        if settings.encoder == "pixels":
            chosen["recent"] = settings.window
    if settings.smoothing is not None:
        chosen["smoothing"] = settings.smoothing
    try:
        return DetectorConfig(**chosen)
    except ValueError as error:
        raise TrainError(str(error)) from error
