"""What is known of a camera that is being learned. Frozen, without behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

LearningState = Literal["recording", "training", "ready", "failed", "cancelled"]
OPEN: frozenset[LearningState] = frozenset(["recording", "training"])


@dataclass(frozen=True, slots=True)
class Learning:
    """A camera that is, or was, being learned.

    Attributes:
        id: unique.
        stream: id of the stream whose frames are recorded.
        state: where it stands.
        minutes: of footage that are wanted.
        created, finished: seconds since 1970.
        progress: 0 to 1, of the present state.
        detail: what goes on, or why it failed, in words.
        recorded: seconds of footage so far.
        model: name of the model that came of it.
        report: how good it is, see `service.learning.child`.
    """

    id: str
    stream: str
    state: LearningState
    minutes: float
    created: float
    finished: float | None = None
    progress: float = 0.0
    detail: str = ""
    recorded: float = 0.0
    model: str | None = None
    report: dict[str, Any] | None = None


class LearningError(Exception):
    """A camera that cannot be learned; the message says why and what to do."""
