"""What is stored of an event's files. Frozen, without behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ClipState = Literal["waiting", "ready", "failed", "none"]


@dataclass(frozen=True, slots=True)
class EventFiles:
    """What is kept of an event as files: its clip, the picture of its peak, the heat map of that.

    Attributes:
        event: its id.
        stream: id of the stream.
        state: of the clip: `waiting` until it is written, then `ready` or `failed`; `none`: there is none, or none any
            more.
        reason: why the clip failed, is not there, or is not as long as it should be; "" otherwise.
        began, ended: capture times of the clip's first and last picture, seconds since 1970; None without a clip.
        bytes: of all its files.
        snapshot, heatmap: whether they are there.
        noted: when it last changed, seconds since 1970.
    """

    event: int
    stream: str
    state: ClipState
    reason: str = ""
    began: float | None = None
    ended: float | None = None
    bytes: int = 0
    snapshot: bool = False
    heatmap: bool = False
    noted: float = 0.0
