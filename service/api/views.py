"""Bodies of requests and answers about streams and scores, and what all bodies have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, Strict

from service.addresses import redact
from service.member import Member
from service.messages import timestamp
from service.records import (
    Health,
    Policy,
    Score,
    StreamOptions,
    StreamRecord,
)

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
_Part = Annotated[float, Field(ge=0, le=1)]
Point = Annotated[tuple[_Part, _Part], Strict(False)]  # JSON has no tuples
Polygon = Annotated[list[Point], Field(min_length=3, max_length=200)]

_LAST = 253_402_300_799  # seconds since 1970: the end of the year 9999, which is the last that an answer can say


def _written(moment: datetime) -> str:
    return timestamp(moment.timestamp())


Time = Annotated[datetime, PlainSerializer(_written, return_type=str)]


def _told(moment: datetime) -> datetime:
    if not 0 <= moment.timestamp() < _LAST:
        raise ValueError("expected a time from 1970 to 9999, in UTC")
    return moment


def moment(seconds: float | None) -> Any:
    """Seconds since 1970 as a time, None as it is."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


class Body(BaseModel):
    """What a client sends: nothing unknown, no infinite numbers, and no text or truth value in place of a number."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class OptionsBody(Body):
    """What can be changed on a stream while it runs; null leaves it to the model or the settings."""

    model: str | None = Field(None, max_length=100, description="Name of a model; if not given, the active one.")
    threshold: float | None = Field(None, gt=0, description="Raw error at which `score` is 0.5.")
    smoothing: float | None = Field(None, ge=0, le=3600, description="Seconds of the rolling mean.")
    policy: Policy = Field("latest", description="`latest` drops the oldest waiting frame, `every` holds back.")
    max_rate: float | None = Field(None, gt=0, le=1000, description="Frames a second that are scored at most.")
    muted_until: Annotated[AwareDatetime, Strict(False), AfterValidator(_told)] | None = Field(
        None, description="Events before it are recorded and not announced."
    )
    mask: list[Polygon] = Field(
        [], max_length=100, description="Polygons in fractions of width and height; only what lies in one is scored."
    )
    minimum: float | None = Field(None, ge=0, le=3600, description="Seconds an excursion must last to be anomalous.")
    cooldown: float | None = Field(None, ge=0, le=86_400, description="Seconds after an event in which none opens.")

    def changes(self, names: set[str]) -> dict[str, Any]:
        """Fields of `StreamOptions` by name, as far as they are in `names`."""
        found = {name: getattr(self, name) for name in names & StreamOptions.__dataclass_fields__.keys()}
        if found.get("muted_until") is not None:
            found["muted_until"] = found["muted_until"].timestamp()
        if "mask" in found:
            found["mask"] = tuple(tuple(map(tuple, polygon)) for polygon in found["mask"])
        return found


class StreamBody(OptionsBody):
    """A stream to be made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": "gate", "name": "North gate", "source": "rtsp://user:password@10.0.0.5/live"},
                {"id": "phone", "policy": "every"},
            ]
        }
    )
    id: Id | None = Field(None, description="Letters, digits, dot, dash, underscore; if not given, one is made.")
    name: str | None = Field(None, min_length=1, max_length=200, description="What people call it.")
    source: str | None = Field(
        None, max_length=2048, description="A camera's URL or the name of a configured source; none: frames are pushed."
    )
    loop: bool = Field(False, description="Begin a file anew at its end.")

    def record(self, id: str) -> StreamRecord:
        options = StreamOptions(**self.changes(set(StreamOptions.__dataclass_fields__)))
        return StreamRecord(id, self.name or id, self.source, options, self.loop)


class StreamChange(OptionsBody):
    """What changes of a stream; what is not in it stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"threshold": 0.8}, {"name": "Gate"}]})
    name: str | None = Field(None, min_length=1, max_length=200)


class OptionsView(BaseModel):
    model: str | None
    threshold: float | None
    smoothing: float | None
    policy: Policy
    max_rate: float | None
    muted_until: Time | None
    mask: list[list[tuple[float, float]]]
    minimum: float | None
    cooldown: float | None


_SCORE: dict[str, Any] = {
    "epoch": 3,
    "seq": 1201,
    "frame": 2402,
    "pts": 120.1,
    "captured": "2026-01-31T12:00:00.000000Z",
    "scored": "2026-01-31T12:00:00.041000Z",
    "raw": 0.31,
    "score": 0.28,
    "smoothed": 0.26,
    "threshold": 0.8,
    "state": "normal",
    "dropped": 0,
    "reason": "",
    "reliable": True,
}
_STREAM: dict[str, Any] = {
    "id": "gate",
    "name": "North gate",
    "source": "rtsp://10.0.0.5/live",
    "loop": False,
    "created": "2026-01-31T08:00:00.000000Z",
    "options": {
        "model": None,
        "threshold": None,
        "smoothing": None,
        "policy": "latest",
        "max_rate": None,
        "muted_until": None,
        "mask": [],
        "minimum": None,
        "cooldown": None,
    },
    "health": "live",
    "reason": "",
    "error_class": "",
    "model": "gate-summer",
    "threshold": 0.8,
    "tampering": "",
    "frames": 2403,
    "scored": 1201,
    "dropped": {"thinned": 1201, "overload": 0, "bad": 0, "too_slow": 0, "rate": 0, "fault": 0, "unlearned": 0},
    "reconnects": 1,
    "latest": _SCORE,
}


class StreamView(BaseModel):
    """A stream, and how it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [_STREAM]})
    id: str
    name: str
    source: str | None
    loop: bool
    created: Time
    options: OptionsView
    health: Health
    reason: str
    error_class: str
    model: str | None = Field(description="That scores it now.")
    threshold: float | None = Field(description="In force now.")
    tampering: str = Field(description="What is wrong with the camera: covered, frozen, flipped or moved; or empty.")
    frames: int
    scored: int
    dropped: dict[str, int]
    reconnects: int
    latest: ScoreView | None


class ScoreView(BaseModel):
    """One scored frame."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SCORE]})
    epoch: int
    seq: int
    frame: int
    pts: float
    captured: Time
    scored: Time
    raw: float | None
    score: float | None
    smoothed: float | None
    threshold: float
    state: str
    dropped: int
    reason: str
    reliable: bool = Field(description="Whether it says anything: false while the camera is tampered with.")


class ScorePage(BaseModel):
    scores: list[ScoreView]
    next: str | None = Field(description="Give it as `since` for what follows; null: nothing was found.")


def stream_view(member: Member, epoch: int) -> StreamView:
    """A stream as clients see it: without the source's login."""
    record, stream, options = member.record, member.stream, member.record.options
    latest = None if stream is None else stream.latest
    return StreamView(
        id=record.id,
        name=record.name,
        source=None if record.source is None else redact(record.source),
        loop=record.loop,
        created=moment(record.created),
        options=OptionsView(
            model=options.model,
            threshold=options.threshold,
            smoothing=options.smoothing,
            policy=options.policy,
            max_rate=options.max_rate,
            muted_until=moment(options.muted_until),
            mask=[list(polygon) for polygon in options.mask],
            minimum=options.minimum,
            cooldown=options.cooldown,
        ),
        health=member.health,
        reason=redact(member.reason),
        error_class=member.error_class,
        model=None if stream is None else stream.plan.model.name,
        threshold=None if stream is None else stream.plan.theta,
        tampering="" if stream is None else stream.sentry.tampering,
        frames=member.frames_in,
        scored=member.scored,
        dropped={cause.value: count for cause, count in member.dropped.items()},
        reconnects=member.reconnects,
        latest=None if latest is None else score_view(epoch, latest.score),
    )


def score_view(epoch: int, score: Score) -> ScoreView:
    return ScoreView(
        epoch=epoch,
        seq=score.seq,
        frame=score.frame,
        pts=score.pts,
        captured=moment(score.captured),
        scored=moment(score.scored),
        raw=score.raw,
        score=score.score,
        smoothed=score.smoothed,
        threshold=score.threshold,
        state=score.state.value,
        dropped=score.dropped,
        reason=score.reason,
        reliable=score.reliable,
    )
