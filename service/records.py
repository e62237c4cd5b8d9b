"""What the parts of the service hand to each other: scores, streams, events, jobs. Frozen, without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from model.pictures import Image
from model.states import State

Policy = Literal["latest", "every"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
EventLabel = Literal["true", "false"]
Scope = Literal["read", "ingest", "admin"]


class Health(StrEnum):
    """Whether frames arrive; apart from `State`, which says what they show."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALLED = "stalled"
    RECONNECTING = "reconnecting"
    FAILED = "failed"
    ENDED = "ended"


class Dropped(StrEnum):
    """Why a frame that came in was not scored."""

    THINNED = "thinned"  # the source is faster than the model: it repeats the last score
    OVERLOAD = "overload"  # policy latest: a newer frame came before its turn
    BAD = "bad"  # cannot be decoded, or does not fit the model
    TOO_SLOW = "too_slow"  # the source is slower than half the model's rate
    RATE = "rate"  # over the stream's own frame-rate cap
    FAULT = "fault"  # the scorer failed on its batch
    UNLEARNED = "unlearned"  # there is no model for its stream yet


@dataclass(frozen=True, slots=True)
class IncomingFrame:
    """A frame on its way in, not decoded yet if it came encoded.

    Attributes:
        number: of the frame, counted by the source.
        pts: seconds, the source's own clock.
        captured: seconds since 1970, when the frame was taken or arrived.
        data: a JPEG or PNG file, or a decoded picture: uint8 H×W luma or H×W×3 BGR, which nobody changes any more.
    """

    number: int
    pts: float
    captured: float
    data: bytes | Image

    @property
    def size(self) -> int:
        """Bytes it takes while it waits."""
        return len(self.data) if isinstance(self.data, bytes) else self.data.nbytes


@dataclass(frozen=True, slots=True)
class Score:
    """One scored frame of one stream, as it is stored and announced.

    Attributes:
        stream: id of the stream.
        seq: counts the stream's announced scores within an epoch, from 1, without holes.
        frame: number of the frame, counted by the source.
        pts: seconds, the source's own clock.
        captured: seconds since 1970, when the frame was taken or arrived.
        scored: seconds since 1970, when its score was known.
        raw, score, smoothed: the score chain; None as in `model.tables.Row`.
        threshold: raw error at which `score` is 0.5, in force for this frame.
        state: warming, normal or anomalous.
        dropped: frames of the stream that came in and were not scored since the score before.
        reason: why there is no score of the frame's own, or "".
        reliable: False while the camera is tampered with: the score says nothing about what goes on in the scene.
    """

    stream: str
    seq: int
    frame: int
    pts: float
    captured: float
    scored: float
    raw: float | None
    score: float | None
    smoothed: float | None
    threshold: float
    state: State
    dropped: int = 0
    reason: str = ""
    reliable: bool = True


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What can be changed on a stream while it runs; None leaves it to the model or the settings.

    Attributes:
        model: name of the model in the model folder; None: the active one.
        threshold: raw error at which `score` is 0.5.
        smoothing: seconds of the rolling mean.
        policy: `latest` drops the oldest waiting frame, `every` holds the source back.
        max_rate: frames a second that are scored at most.
        muted_until: seconds since 1970; events before it are recorded and not announced.
        mask: polygons, points in fractions of width and height; what lies outside all of them is not scored.
        minimum: seconds an excursion must last to be anomalous.
        cooldown: seconds after an event in which no new one is opened.
    """

    model: str | None = None
    threshold: float | None = None
    smoothing: float | None = None
    policy: Policy = "latest"
    max_rate: float | None = None
    muted_until: float | None = None
    mask: tuple[tuple[tuple[float, float], ...], ...] = ()
    minimum: float | None = None
    cooldown: float | None = None


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A stream as it is stored.

    Attributes:
        id: unique, chosen by the client or made by the service.
        name: what people call it.
        source: URL or configured source, with its credentials (shown only through `service.addresses.redact`); None:
            pushed.
        loop: whether a file begins anew at its end.
        options: what can be changed.
        created: seconds since 1970.
    """

    id: str
    name: str
    source: str | None = field(repr=False)
    options: StreamOptions = field(default_factory=StreamOptions)
    loop: bool = False
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """An excursion of one stream.

    Attributes:
        id: unique, rising.
        stream: id of the stream.
        epoch: run of the service in which it began; `first_seq`, `peak_seq` and `last_seq` count in it.
        started, peaked, ended: capture times, seconds since 1970; `ended` None while it is open.
        peak: highest `smoothed`.
        peak_frame: frame number of the peak.
        muted: it fell into a muted time and was not announced.
        label: what a person said of it.
        kind: `anomaly` or `tampering`.
        reason: of an anomaly, how it ended: "", "gap", "stream ended", "mute ended", "restart", "tampering"; of
            tampering, what it is: "covered", "frozen", "flipped", "moved".
        heat: the peak's heat map, rows of cells; None where there was none.
    """

    id: int
    stream: str
    epoch: int
    started: float
    first_seq: int
    peaked: float
    peak: float
    peak_seq: int
    peak_frame: int
    ended: float | None = None
    last_seq: int | None = None
    muted: bool = False
    label: EventLabel | None = None
    kind: str = "anomaly"
    reason: str = ""
    heat: tuple[tuple[float, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A video, or several, to be scored.

    Attributes:
        id: unique.
        state: where it stands.
        created, started, finished: seconds since 1970.
        progress: 0 to 1.
        files: names the client gave, in order; what is on disk has names of the service's own.
        options: form fields: smooth, normalize, align, repair, fps, model.
        frames: scored so far.
        error: what went wrong, for the client; "" otherwise.
    """

    id: str
    state: JobState
    created: float
    files: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    started: float | None = None
    finished: float | None = None
    progress: float = 0.0
    frames: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A login of the dashboard as it is stored; the token in its cookie is not.

    Attributes:
        hash: SHA-256 of the token, hexadecimal.
        key: id of the key that was shown; the session may do what it may, and ends with it.
        created, ends: seconds since 1970.
    """

    hash: str
    key: str
    created: float
    ends: float


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An API key as it is stored; the key itself is not.

    Attributes:
        id: unique, public.
        name: what people call it.
        hash: SHA-256 of the key, hexadecimal.
        scopes: what it may do.
        created: seconds since 1970.
        revoked: seconds since 1970; None while it is valid.
    """

    id: str
    name: str
    hash: str
    scopes: tuple[Scope, ...]
    created: float
    revoked: float | None = None
