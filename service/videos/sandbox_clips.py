"""The frames of a sandbox as the clips that `model.scoring` takes."""

from __future__ import annotations

from collections.abc import Iterator

from model.clips import Frame, OnBad
from service.videos.sandbox import ClipFacts, DecodedFrame, Decoding


def clips_of(decoding: Decoding) -> Iterator[SandboxClip]:
    """The clips in order; each is to be read to its end before the next one."""
    frames = _Ahead(iter(decoding))
    for facts in decoding.clips:
        yield SandboxClip(facts, frames)


class _Ahead:
    """Frames with a look at the next one."""

    def __init__(self, frames: Iterator[DecodedFrame]) -> None:
        self._frames = frames
        self._next: DecodedFrame | None = None

    def take(self, clip: str) -> DecodedFrame | None:
        """The next frame, if it is of this clip."""
        if self._next is None:
            self._next = next(self._frames, None)
        if self._next is None or self._next.clip != clip:
            return None
        frame, self._next = self._next, None
        return frame


class SandboxClip:
    """A clip that a child decodes. In colour or not, skipping or not: as the child was told."""

    def __init__(self, facts: ClipFacts, frames: _Ahead) -> None:
        self._facts = facts
        self._frames = frames

    @property
    def name(self) -> str:
        return self._facts.name

    @property
    def frame_count(self) -> int | None:
        return self._facts.frames

    @property
    def interval(self) -> float | None:
        return self._facts.interval

    def frames(self, *, colour: bool = False, skip_bad: bool = False, on_bad: OnBad | None = None) -> Iterator[Frame]:
        """The frames, once."""
        while (frame := self._frames.take(self._facts.name)) is not None:
            yield Frame(frame.number, frame.pts, frame.image)

    def check(self) -> list[str]:
        """Nothing: what is wrong is only known once it is decoded."""
        return []
