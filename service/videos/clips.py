"""Clips on the live engine: `model.scoring.ClipScorer` gives a job the command line's rows, the engine the scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

import torch
from torch import Tensor

from model.detector import Scores
from service.engine.seats import ClipSeat
from service.engine.slots import Slot
from service.engine.tickets import ClipCall, ClipTicket
from service.models import Model
from service.scorer import Scorer, ScorerError


class EngineFrames:
    """A `FrameScorer` whose frames take their turn behind those of live streams.

    It is for one thread, which waits for its frames; not the engine's.

    Example:
        >>> rows = ClipScorer(model.detector, frames=EngineFrames(scorer, model)).score(clip)  # doctest: +SKIP
    """

    def __init__(self, scorer: Scorer, model: Model) -> None:
        self._scorer = scorer
        self._model = model
        self._seats: dict[int, ClipSeat] = {}
        self._numbers = count()

    def open(self) -> int:
        """Takes an empty slot for a clip."""
        number = next(self._numbers)
        self._seats[number] = ClipSeat(Slot(self._model))
        return number

    def close(self, slot: int) -> None:
        """Gives a slot back."""
        self._scorer.leave(self._seats.pop(slot))

    def begin(self, slot: int, images: Tensor, restarts: Sequence[bool]) -> Callable[[], Scores]:
        """Hands the next frames of the clip to the engine; calling what it returns waits for their scores.

        Raises:
            ScorerError: from that call: the engine failed on one of them, or has stopped.
        """
        seat = self._seats[slot]
        call = ClipCall(len(images))
        pictures = images.numpy()
        self._scorer.put(
            seat,
            [ClipTicket(seat.slot, image, restart, call) for image, restart in zip(pictures, restarts, strict=True)],
        )
        return lambda: self._scores(call)

    def _scores(self, call: ClipCall) -> Scores:
        results = call.answer.result()
        cells = self._model.detector.encoder.cells
        raw = torch.full((len(results),), torch.nan)
        heat = torch.zeros(len(results), *cells.shape)
        for position, result in enumerate(results):
            if result.fault:
                raise ScorerError(f"a frame could not be scored: {result.fault}")
            if result.raw is not None and result.heat is not None:
                raw[position] = result.raw
                heat[position] = torch.from_numpy(result.heat)
        return Scores(raw, heat)
