"""How a stream's frames are scored: its model and options, checked together."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from model.frames import Repair
from model.regions import RegionError, cells_inside
from model.sampler import LONGEST_STEP
from service.models import Model
from service.records import StreamOptions

LONGEST_SMOOTHING = 3600.0
"""Seconds; also of the minimum duration."""


class OptionError(ValueError):
    """An option that cannot be; the message names it and says what is expected."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is in force for a stream, with nothing left open.

    Attributes:
        model: scores it.
        repair: what is done to its frames first.
        theta: raw error at which `score` is 0.5.
        smoothing: seconds of the rolling mean.
        minimum: seconds an excursion must last to be anomalous.
        max_rate: frames a second that are scored at most; None: as many as the model takes.
        region: bool cells that count; None: all.
    """

    model: Model
    repair: Repair
    theta: float
    smoothing: float
    minimum: float
    max_rate: float | None = None
    region: Tensor | None = None


def make_plan(model: Model, options: StreamOptions, repair: Repair | None = None) -> Plan:
    """Puts options and model together.

    Raises:
        OptionError: naming the option.
    """
    detector, config = model.detector, model.detector.config
    theta = float(detector.theta) if options.threshold is None else options.threshold
    if not (math.isfinite(theta) and theta > 0):
        raise OptionError(f"threshold {theta!r}: expected a raw error above 0")
    smoothing = config.smoothing if options.smoothing is None else options.smoothing
    minimum = config.minimum if options.minimum is None else options.minimum
    for name, value in (("smoothing", smoothing), ("minimum", minimum)):
        if not 0 <= value <= LONGEST_SMOOTHING:
            raise OptionError(f"{name} {value!r}: expected 0 to {LONGEST_SMOOTHING:g} seconds")
    _check_rate(options.max_rate, config.frame_interval)
    region = None
    if options.mask:
        if config.encoder == "pixels":
            raise OptionError(f"mask: model {model.name} looks at the whole frame, it has no cells to leave out")
        try:
            region = cells_inside(options.mask, config.geometry, detector.encoder.cells).to(detector.device)
        except RegionError as error:
            raise OptionError(f"mask: {error}") from error
    return Plan(model, repair or Repair(), theta, smoothing, minimum, options.max_rate, region)


def _check_rate(rate: float | None, interval: float) -> None:
    least = 1 / (LONGEST_STEP * interval)
    if rate is not None and not (math.isfinite(rate) and rate >= least):
        raise OptionError(
            f"max_rate {rate!r}: expected {least:.3g} frames a second or more, half the {1 / interval:.3g} that the "
            "model was trained at; with fewer it can score nothing"
        )
