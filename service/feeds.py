"""What was said lately, in order: of one stream by seq, of all of them by a count of their own."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

from service.messages import Message


class Entry:
    """A message in a feed.

    Attributes:
        position: of one stream: seq of its score, or of the last score before it; of all: its own number `at`.
        counted: nobody else has its position; a subscriber misses something without it.
        kept: whether it is replayed.
        said: monotonic seconds, when it was said.
    """

    __slots__ = ("_data", "_message", "counted", "kept", "position", "said")

    def __init__(self, message: Message, position: int, *, counted: bool, numbered: bool, said: float = 0.0) -> None:
        self.position = position
        self.said = said
        self.counted = counted
        self.kept = message.kept
        self._message = message
        self._data = None if numbered else message.data

    @property
    def data(self) -> bytes:
        """The same bytes for every subscriber of the feed; in that of all streams with `at` in them."""
        if self._data is None:
            self._data = b'%b,"at":%d}' % (self._message.data[:-1], self.position)
        return self._data


class Feed:
    """The latest messages of one stream, or of all.

    Attributes:
        stream: None: all.
        places: how many messages are kept.
        seconds: for how long.
        newest: position of the newest counted message; 0: there was none yet.
        forgotten: position up to which counted messages are not kept any more.
    """

    def __init__(self, stream: str | None, places: int, newest: int = 0, *, seconds: float = math.inf) -> None:
        """Makes an empty feed.

        Args:
            stream: None: all.
            places, seconds: see the attributes.
            newest: position of the last message before it.
        """
        self.stream = stream
        self.places = places
        self.seconds = seconds
        self.newest = newest
        self.forgotten = newest
        self._kept: deque[Entry] = deque()

    @property
    def oldest(self) -> int:
        """Position of the oldest counted message that is kept, 0 if there is none."""
        return self.forgotten + 1 if self.forgotten < self.newest else 0

    def add(self, message: Message, now: float = 0.0) -> Entry:
        """Takes the next message in, `now` in monotonic seconds."""
        if self.stream is None:
            self.newest += message.kept
            entry = Entry(message, self.newest, counted=message.kept, numbered=True, said=now)
        else:
            self.newest = self.newest if message.seq is None else message.seq
            entry = Entry(message, self.newest, counted=message.seq is not None, numbered=False, said=now)
        if entry.kept:
            self._kept.append(entry)
            while len(self._kept) > self.places or (self._kept and now - self._kept[0].said > self.seconds):
                gone = self._kept.popleft()
                if gone.counted:
                    self.forgotten = gone.position
        return entry

    def covers(self, position: int) -> bool:
        """Whether everything after a position is kept."""
        return self.forgotten <= position

    def after(self, position: int) -> list[Entry]:
        """What is kept and was said after a position. Messages between two scores may be known already."""
        return list(self._after(position))[::-1]

    def _after(self, position: int) -> Iterator[Entry]:
        for entry in reversed(self._kept):
            if entry.position < position or (entry.counted and entry.position == position):
                return
            yield entry
