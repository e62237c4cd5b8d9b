"""What the service and a reading child say to each other."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from model.pictures import MAX_PIXELS
from service.readers.failures import ErrorClass
from service.records import Dropped, Health, IncomingFrame, Policy
from service.wire import Message, WireError

Kind = Literal["url", "file", "webcam"]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How sources are read; the same for all of a child.

    Attributes:
        open_timeout: seconds until a camera has answered.
        read_timeout: seconds without a picture after which its connection is given up.
        stalled_after: seconds without a picture after which it counts as stalled.
        identical_after: seconds of the same picture after which it counts as stalled.
        networks: where cameras may be; see `service.networks.Networks`.
        frame_bytes: of a JPEG.
        pixels: of a picture.
        first_wait, longest_wait: seconds between tries; see `service.readers.backoff.Backoff`.
        stills: whether pictures for people are wanted of sources whose frames are decoded here.
        memory: bytes of address space for the child's cameras together.
        descriptors: open files and sockets of the child.
    """

    open_timeout: float = 10.0
    read_timeout: float = 10.0
    stalled_after: float = 5.0
    identical_after: float = 60.0
    networks: tuple[str, ...] = ()
    frame_bytes: int = 16 << 20
    pixels: int = MAX_PIXELS
    first_wait: float = 1.0
    longest_wait: float = 60.0
    stills: bool = False
    memory: int = 1 << 30
    descriptors: int = 64

    def message(self) -> Message:
        """The first message to a child."""
        return Message("options", asdict(self))

    @classmethod
    def of(cls, message: Message) -> ReadOptions:
        """The options that a message carries."""
        facts = dict(message.head)
        return cls(**facts | {"networks": tuple(facts["networks"])})


@dataclass(frozen=True, slots=True)
class Order:
    """A source to be read.

    Attributes:
        key: names it between service and child.
        kind: what `where` is.
        where: URL with its login, path, or number of a webcam.
        loop: begin a file anew at its end.
        colour: BGR instead of luma, where it is decoded here.
        policy: `latest` drops the oldest waiting frame, `every` waits.
        max_rate: frames a second at most; None: all.
        first: number of the first frame; what a file has before it was read already, if it does not loop.
        seamless: a file's end goes over into its beginning, and so do its time stamps.
    """

    key: int
    kind: Kind
    where: str = field(repr=False)
    loop: bool = False
    colour: bool = False
    policy: Policy = "latest"
    max_rate: float | None = None
    first: int = 0
    seamless: bool = False

    def message(self, kind: Literal["add", "change"] = "add") -> Message:
        """The message that gives the order, or changes its policy and rate."""
        return Message(kind, asdict(self))

    @classmethod
    def of(cls, message: Message) -> Order:
        """The order that a message gives."""
        return cls(**message.head)


@dataclass(frozen=True, slots=True)
class Condition:
    """What a child says of a source: whether its frames arrive, and why not.

    Attributes:
        health: as the stream will have it.
        reason: one sentence, or "".
        error_class: of a failure, or None.
    """

    health: Health
    reason: str = ""
    error_class: ErrorClass | None = None

    def message(self, key: int) -> Message:
        """The message about a source."""
        kind = self.error_class
        return Message("condition", {"key": key, "health": self.health, "reason": self.reason, "class": kind})

    @classmethod
    def of(cls, message: Message) -> Condition:
        """What a message says. Raises WireError."""
        kind = message.head.get("class")
        try:
            return cls(
                Health(message.text("health")), message.text("reason")[:500], None if kind is None else ErrorClass(kind)
            )
        except ValueError as error:
            raise WireError("a health that is none") from error


@dataclass(frozen=True, slots=True)
class Vitals:
    """How a child is.

    Attributes:
        rss: bytes of memory.
        descriptors: open files and sockets.
        threads: of it.
        tries: connections and files it has begun to open, in its life.
    """

    rss: int
    descriptors: int
    threads: int
    tries: int

    def message(self) -> Message:
        """The message that says so; its coming says that the child lives."""
        return Message("vitals", asdict(self))

    @classmethod
    def of(cls, message: Message) -> Vitals:
        """What a message says. Raises WireError."""
        return cls(*(message.number(name) for name in ("rss", "descriptors", "threads", "tries")))


def frame_message(key: int, frame: IncomingFrame, dropped: dict[Dropped, int]) -> Message:
    """A frame of a source, and how many were dropped since the one before it, by cause."""
    head: dict[str, Any] = {"key": key, "number": frame.number, "pts": frame.pts, "captured": frame.captured}
    if dropped:
        head["dropped"] = dropped
    if isinstance(frame.data, bytes):
        return Message("frame", head, frame.data)
    head["shape"] = frame.data.shape
    return Message("frame", head, np.ascontiguousarray(frame.data).data.cast("B"))


def still_message(key: int, captured: float, data: bytes) -> Message:
    """A JPEG of a source's picture, for people, with its capture time."""
    return Message("still", {"key": key, "captured": captured}, data)


def still_of(message: Message) -> tuple[float, bytes]:
    """Capture time and JPEG that a message carries. Raises WireError."""
    captured, data = message.real("captured"), bytes(message.payload)
    if not math.isfinite(captured) or not data.startswith(b"\xff\xd8\xff"):
        raise WireError("a picture for people that is none")
    return captured, data


def frame_of(message: Message) -> IncomingFrame:
    """The frame that a message carries. Raises WireError."""
    data: Any
    match message.head.get("shape"):
        case None:
            data = bytes(message.payload)
        case [int(height), int(width), *channels] if channels in ([], [3]) and min(height, width) > 0:
            if height * width * (3 if channels else 1) != len(message.payload):
                raise WireError("a picture of another size")
            data = np.frombuffer(message.payload, np.uint8).reshape(height, width, *channels)
        case _:
            raise WireError("a picture without a shape")
    pts, captured = message.real("pts"), message.real("captured")
    if not math.isfinite(pts + captured):
        raise WireError("a time that is none")
    return IncomingFrame(message.number("number"), pts, captured, data)


def dropped_of(message: Message) -> dict[Dropped, int]:
    """How many frames were dropped before a message. Raises WireError."""
    found = message.head.get("dropped", {})
    try:
        return {Dropped(cause): int(count) for cause, count in found.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise WireError("drops that are none") from error
