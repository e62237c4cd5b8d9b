"""The score chain of one stream: score, rolling mean, state. Live and offline scoring share it."""

from __future__ import annotations

from dataclasses import dataclass

from model.detector import DetectorConfig, score_of
from model.smoothing import RollingMean
from model.states import State, StateMachine

DENOISED_WEIGHT = 0.3
"""Of a frame that noise repair blurred, in `smoothed`: the blur takes away much of what tells an anomaly, so a clean
frame beside it says more (`docs/quality-notes.md`)."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A frame's place in the chain; see `tables.Row` for the names."""

    raw: float
    score: float
    smoothed: float
    state: State


class Chain:
    """Turns the raw scores of one stream into scores, smoothed scores and states, causally.

    It takes the results of the frames that the stream's `Sampler` took, in the order of the frames. The sampler
    stands apart: it decides before a batch is scored, the chain goes on after it, and a batch may hold a restart.
    """

    def __init__(
        self,
        config: DetectorConfig,
        theta: float,
        *,
        smoothing: float | None = None,
        minimum: float | None = None,
    ) -> None:
        """Makes the chain of a new stream.

        Args:
            config: of the stream's model.
            theta: threshold, in units of `raw`.
            smoothing: seconds of the rolling mean; None: the model's.
            minimum: seconds an excursion must last to count; None: the model's.
        """
        self.theta = theta
        self._mean = RollingMean(config.smoothing if smoothing is None else smoothing)
        self._machine = StateMachine(minimum=config.minimum if minimum is None else minimum)

    def adjust(self, *, theta: float, smoothing: float, minimum: float) -> None:
        """Changes a running chain: `score` follows with the next frame, `smoothed` within its seconds."""
        self.theta = theta
        self._mean.seconds = smoothing
        self._machine.minimum = minimum

    def push(self, pts: float, raw: float | None, *, restart: bool = False, denoised: bool = False) -> Scored | None:
        """The next taken frame's result.

        Args:
            pts: the frame's time stamp, seconds.
            raw: of the window that ends at the frame; None while no window is full.
            restart: whether the frame begins a new window (`Decision.restart`): what was smoothed is forgotten.
            denoised: whether noise repair blurred the frame.

        Returns:
            None while warming, that is without `raw`.
        """
        if restart:
            self._mean.reset()
            self._machine.push(pts, None)
        if raw is None:
            return None
        score = score_of(raw, self.theta)
        smoothed = self._mean.push(pts, score, weight=DENOISED_WEIGHT if denoised else 1.0)
        return Scored(raw, score, smoothed, self._machine.push(pts, smoothed))
