"""From the scores of one stream to its events: when one opens, what its peak was, how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.states import State
from service.records import Event, Score

Heat = NDArray[np.float32]

GAP = "gap"
STREAM_ENDED = "stream ended"
MUTE_ENDED = "mute ended"
RESTART = "restart"
TAMPERED = "tampering"

ANOMALY, TAMPERING = "anomaly", "tampering"
"""Kinds of events."""


@dataclass(frozen=True, slots=True)
class EventOpened:
    """An event that begins with the score just pushed. A muted one is stored and not announced."""

    event: Event


@dataclass(frozen=True, slots=True)
class EventClosed:
    """An event that is over, with its peak and its end."""

    event: Event


Change = EventOpened | EventClosed


class EventTracker:
    """The events of one stream, online. Hysteresis and minimum duration are already in `Score.state`.

    An event lasts from the first anomalous score to the last one. It ends when the state is normal again, or with the
    reason `gap` when the stream warms up anew, and `tampering` when the camera is tampered with. After an announced
    event none opens for `cooldown` seconds; an excursion that outlasts the cooldown opens one then. An event that
    begins in a muted time is muted to its end and begins no cooldown; if the mute ends before it does, it is closed
    (`mute ended`) and an announced one opens in its place.

    Attributes:
        cooldown: seconds of capture time; may be changed at any time.
        muted_until: seconds since 1970 on this machine's clock (it is compared with `Score.scored`), None: not muted;
            may be changed at any time.
    """

    def __init__(
        self,
        stream: str,
        epoch: int,
        *,
        next_id: Callable[[], int] = lambda: 0,
        cooldown: float = 0.0,
        muted_until: float | None = None,
    ) -> None:
        """Makes a tracker without an open event.

        Args:
            stream: id of the stream.
            epoch: run of the service.
            next_id: gives each event its id (`Store.next_event_id`).
            cooldown: see the attribute.
            muted_until: see the attribute.
        """
        self.cooldown = cooldown
        self.muted_until = muted_until
        self._stream = stream
        self._epoch = epoch
        self._next_id = next_id
        self._open: Event | None = None
        self._heat: Heat | None = None  # of the peak; kept as an array until the event ends
        self._last: Score | None = None  # last anomalous score of the open event
        self._announced_end: float | None = None

    @property
    def open(self) -> Event | None:
        """The event that is going on, with its peak so far (without its heat map), or None."""
        return self._open

    def push(self, score: Score, heat: Heat | None = None) -> list[Change]:
        """Takes the stream's next score.

        Args:
            score: in order of `seq`.
            heat: float32 rows×columns of cell errors; kept if this score is the event's peak so far.

        Returns:
            What changed, in order: nothing, one change, or a muted event's end with the event that follows it.
        """
        if not score.reliable:
            return self.end(TAMPERED)
        if score.state is not State.ANOMALOUS:
            return self.end(GAP if score.state is State.WARMING else "")
        changes: list[Change] = []
        muted = self._muted(score)
        if self._open is not None and self._open.muted and not muted:
            changes += self.end(MUTE_ENDED)
        if self._open is not None:
            self._continue(self._open, score, heat)
        elif not self._cooling(score):
            changes.append(self._begin(score, heat, muted))
        return changes

    def end(self, reason: str) -> list[Change]:
        """Closes the open event, if there is one: the stream ended, or has a hole."""
        event, last = self._open, self._last
        if event is None or last is None:
            return []
        closed = replace(
            event, ended=max(last.captured, event.started), last_seq=last.seq, reason=reason, heat=_rows(self._heat)
        )
        self._open = self._last = self._heat = None
        if not closed.muted:
            self._announced_end = closed.ended
        return [EventClosed(closed)]

    def _begin(self, score: Score, heat: Heat | None, muted: bool) -> EventOpened:
        self._open = _event_from(score, self._next_id(), self._stream, self._epoch, muted)
        self._heat, self._last = heat, score
        return EventOpened(replace(self._open, heat=_rows(heat)))

    def _continue(self, event: Event, score: Score, heat: Heat | None) -> None:
        self._last = score
        if _level(score) > event.peak:
            self._open = replace(
                event, peaked=score.captured, peak=_level(score), peak_seq=score.seq, peak_frame=score.frame
            )
            self._heat = heat

    def _muted(self, score: Score) -> bool:
        return self.muted_until is not None and score.scored < self.muted_until

    def _cooling(self, score: Score) -> bool:
        """A capture clock that jumped back ends the cooldown: otherwise it could last for years."""
        return self._announced_end is not None and 0 <= score.captured - self._announced_end < self.cooldown


class TamperingTracker:
    """The times in which one stream's camera is tampered with, as events of their own kind.

    One lasts as long as something is wrong; when that becomes another thing (a camera that is turned away, then
    covered), a new one begins. Mute, cooldown and peak are those of the moment it began: there is nothing to measure.
    """

    def __init__(self, stream: str, epoch: int, *, next_id: Callable[[], int] = lambda: 0) -> None:
        """Makes a tracker without an open event; see `EventTracker`."""
        self._stream = stream
        self._epoch = epoch
        self._next_id = next_id
        self._open: Event | None = None
        self._last: Score | None = None

    @property
    def open(self) -> Event | None:
        """The event that is going on, or None."""
        return self._open

    def push(self, score: Score, tampering: str, *, muted_until: float | None = None) -> list[Change]:
        """Takes the stream's next score.

        Args:
            score: in order of `seq`.
            tampering: what is wrong with the camera, or "".
            muted_until: see `EventTracker`.
        """
        changes: list[Change] = []
        if self._open is not None and self._open.reason != tampering:
            changes += self.end()
        if tampering:
            self._last = score
            if self._open is None:
                changes.append(self._begin(score, tampering, muted_until is not None and score.scored < muted_until))
        return changes

    def end(self) -> list[Change]:
        """Closes the open event, if there is one."""
        event, last = self._open, self._last
        if event is None or last is None:
            return []
        self._open = self._last = None
        return [EventClosed(replace(event, ended=max(last.captured, event.started), last_seq=last.seq))]

    def _begin(self, score: Score, reason: str, muted: bool) -> EventOpened:
        begun = _event_from(score, self._next_id(), self._stream, self._epoch, muted)
        self._open = replace(begun, kind=TAMPERING, reason=reason)
        return EventOpened(self._open)


def _level(score: Score) -> float:
    return 0.0 if score.smoothed is None else score.smoothed


def _rows(heat: Heat | None) -> tuple[tuple[float, ...], ...] | None:
    return None if heat is None else tuple(tuple(row) for row in heat.tolist())


def _event_from(score: Score, id: int, stream: str, epoch: int, muted: bool) -> Event:
    """An event that begins with a score, which is its peak so far."""
    return Event(
        id=id,
        stream=stream,
        epoch=epoch,
        started=score.captured,
        first_seq=score.seq,
        peaked=score.captured,
        peak=_level(score),
        peak_seq=score.seq,
        peak_frame=score.frame,
        muted=muted,
    )
