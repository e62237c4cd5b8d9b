"""What the service says on its sockets: the fields of every message, version 1, each encoded once for all who get it.

Times are RFC 3339 in UTC, durations and `pts` seconds. A position is epoch and seq: the seq of a stream's scores begins
at 1 in every epoch, and an epoch is one run of the service.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

from model.states import State
from service.recorder.records import EventFiles
from service.records import Dropped, Event, Health, Score

VERSION = 1
GapReason = Literal["slow", "expired", "unknown"]


@dataclass(frozen=True, slots=True)
class Message:
    """An encoded message on its way to the subscribers.

    Attributes:
        stream: which one it is about; None: to everybody, about the service.
        data: JSON, UTF-8.
        seq: of the score it holds; None: it holds none.
        kept: whether one who was away gets it afterwards.
    """

    stream: str | None
    data: bytes
    seq: int | None = None
    kept: bool = False


def score(score: Score, epoch: int, *, durable: bool = True) -> Message:
    """One scored frame. `durable: false` is in it only while scores cannot be stored."""
    fields = {
        "seq": score.seq,
        "frame": score.frame,
        "pts": score.pts,
        "captured": timestamp(score.captured),
        "scored": timestamp(score.scored),
        "raw": score.raw,
        "score": score.score,
        "smoothed": score.smoothed,
        "threshold": score.threshold,
        "state": score.state.value,
        "dropped": score.dropped,
        "reason": score.reason,
        "reliable": score.reliable,
    }
    if not durable:
        fields["durable"] = False
    return Message(score.stream, _encoded("score", score.stream, epoch, **fields), score.seq, kept=True)


def state(score: Score, epoch: int, before: State) -> Message:
    """A stream's state has changed with a score."""
    data = _encoded(
        "state",
        score.stream,
        epoch,
        seq=score.seq,
        state=score.state.value,
        before=before.value,
        captured=timestamp(score.captured),
    )
    return Message(score.stream, data)


def health(stream: str, epoch: int, health: Health, *, reason: str = "", error_class: str = "") -> Message:
    """Whether a stream's frames arrive has changed."""
    data = _encoded("health", stream, epoch, health=health.value, reason=reason, error_class=error_class)
    return Message(stream, data)


def event_opened(event: Event) -> Message:
    """An excursion has lasted long enough to be an event."""
    return Message(event.stream, _encoded("event.opened", event.stream, event.epoch, **event_facts(event)), kept=True)


def event_closed(event: Event) -> Message:
    """An event is over, its peak is known."""
    return Message(event.stream, _encoded("event.closed", event.stream, event.epoch, **event_facts(event)), kept=True)


def event_files(files: EventFiles, epoch: int, root: str = "") -> Message:
    """An event's clip is ready, or there will be none.

    Args:
        files: what is kept of it now.
        epoch: this run of the service, which may have finished what an earlier one began.
        root: path at which the service is shown.
    """
    data = _encoded("event.files", files.stream, epoch, id=files.event, **file_facts(files, root))
    return Message(files.stream, data, kept=True)


def hello(stream: str | None, epoch: int, *, oldest: int, newest: int, facts: dict[str, Any] | None = None) -> bytes:
    """The first message of a subscription.

    Args:
        stream: None: all of them.
        epoch: this run of the service.
        oldest: seq of the oldest score that can be replayed of this run (of all streams: position `at`); 0: none.
        newest: of the newest one; 0: none yet.
        facts: what else a subscriber wants to know first: model, threshold, state, health.
    """
    names = ("oldest", "newest") if stream is not None else ("oldest_at", "newest_at")
    return _encoded("hello", stream, epoch, **dict(zip(names, (oldest, newest), strict=True)), **(facts or {}))


def gap(
    stream: str | None,
    *,
    first: tuple[int, int],
    last: tuple[int, int],
    missed: int | None,
    others: int = 0,
    reason: GapReason,
) -> bytes:
    """Messages that this subscriber does not get.

    Args:
        stream: None: the subscription is to all of them.
        first: epoch and seq (of all streams: `at`) of the first score that is missing.
        last: of the last one; what follows begins after it.
        missed: how many scores; None: nobody knows any more.
        others: how many other messages.
        reason: `slow`: the subscriber; `expired`: they are not stored any more; `unknown`: no such position.
    """
    name = "seq" if stream is not None else "at"
    place = {"first_epoch": first[0], f"first_{name}": first[1], name: last[1]}
    return _encoded("gap", stream, last[0], **place, missed=missed, others=others, reason=reason)


def picture(score: Score, health: Health, size: tuple[int, int]) -> bytes:
    """Before each picture of a stream: of which frame it is, and whether it is live.

    Args:
        score: of the frame.
        health: of the stream, now.
        size: width and height of the picture.
    """
    return orjson.dumps(
        {
            "v": VERSION,
            "type": "picture",
            "stream": score.stream,
            "seq": score.seq,
            "frame": score.frame,
            "captured": timestamp(score.captured),
            "health": health.value,
            "width": size[0],
            "height": size[1],
            "score": score.score,
            "smoothed": score.smoothed,
            "threshold": score.threshold,
            "state": score.state.value,
        }
    )


def dropped(stream: str, frame: int, cause: Dropped, detail: str) -> bytes:
    """To whoever sent a frame: it has no score."""
    return _encoded("dropped", stream, None, frame=frame, cause=cause.value, detail=detail)


def credit(stream: str, frames: int) -> bytes:
    """To whoever sends frames: so many more may come."""
    return _encoded("credit", stream, None, frames=frames)


def error(code: str, detail: str, *, stream: str | None = None) -> bytes:
    """Something is wrong, and the socket is about to be closed or the last message was for nothing."""
    return _encoded("error", stream, None, code=code, detail=detail)


def bye(reason: str, *, stream: str | None = None) -> bytes:
    """The last message: nothing is wrong, there will be no more."""
    return _encoded("bye", stream, None, reason=reason)


def timestamp(seconds: float) -> str:
    """RFC 3339, UTC, with microseconds.

    Args:
        seconds: since 1970, at most to the year 9999.
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def event_facts(event: Event) -> dict[str, Any]:
    """What messages say of an event."""
    return {
        "id": event.id,
        "kind": event.kind,
        "started": timestamp(event.started),
        "ended": None if event.ended is None else timestamp(event.ended),
        "peaked": timestamp(event.peaked),
        "peak": event.peak,
        "peak_frame": event.peak_frame,
        "first_seq": event.first_seq,
        "peak_seq": event.peak_seq,
        "last_seq": event.last_seq,
        "reason": event.reason,
    }


def file_facts(files: EventFiles, root: str = "") -> dict[str, Any]:
    """What clients are told of the files of an event: paths, or None where there is no such file.

    Args:
        files: of the event.
        root: path at which the service is shown.
    """
    at = f"{root}/v1/events/{files.event}"
    return {
        "clip": f"{at}/clip.mp4" if files.state == "ready" else None,
        "clip_state": files.state,
        "clip_reason": files.reason,
        "clip_started": None if files.began is None else timestamp(files.began),
        "clip_ended": None if files.ended is None else timestamp(files.ended),
        "snapshot": f"{at}/snapshot.jpg" if files.snapshot else None,
        "heatmap": f"{at}/heatmap.png" if files.heatmap else None,
    }


def _encoded(type: str, stream: str | None, epoch: int | None, **fields: Any) -> bytes:
    head: dict[str, Any] = {"v": VERSION, "type": type, "stream": stream}
    if epoch is not None:
        head["epoch"] = epoch
    return orjson.dumps(head | fields)
