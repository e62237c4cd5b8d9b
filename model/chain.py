"""The score chain of one stream: sampler, score, rolling mean, state. Live and offline scoring share it."""

from __future__ import annotations

from dataclasses import dataclass

from model.detector import DetectorConfig, score_of
from model.sampler import Decision, Sampler
from model.smoothing import RollingMean
from model.states import State, StateMachine


@dataclass(frozen=True, slots=True)
class Scored:
    """A frame's place in the chain; see `tables.Row` for the names."""

    raw: float
    score: float
    smoothed: float
    state: State


class Chain:
    """Turns the frames of one stream into scores, smoothed scores and states, causally."""

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
        self._sampler = Sampler(config.frame_interval)
        self._mean = RollingMean(config.smoothing if smoothing is None else smoothing)
        self._machine = StateMachine(minimum=config.minimum if minimum is None else minimum)

    def offer(self, pts: float, size: tuple[int, int] | None = None) -> Decision:
        """Decides about the stream's next frame; a restart also empties the rolling mean.

        Raises:
            ValueError: the time stamp is not finite.
        """
        decision = self._sampler.offer(pts, size)
        if decision.restart:
            self.restart(pts)
        return decision

    def restart(self, pts: float) -> None:
        """Forgets what was smoothed: the stream warms up again."""
        self._mean.reset()
        self._machine.push(pts, None)

    def explain(self) -> str:
        """Why the stream cannot be scored at all ("" if it can)."""
        return self._sampler.explain()

    def score(self, pts: float, raw: float) -> Scored:
        """Takes the raw score of a full window that ends at `pts`."""
        score = score_of(raw, self.theta)
        smoothed = self._mean.push(pts, score)
        return Scored(raw, score, smoothed, self._machine.push(pts, smoothed))
