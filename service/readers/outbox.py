"""Frames of a child's cameras on their way to the service: few, and in turn."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from service.readers.protocol import frame_message, still_message
from service.records import Dropped, IncomingFrame, Policy
from service.wire import Message

WINDOW: Final = 8
"""Frames of a source with the policy `every` that may be on their way and not yet taken."""

_ROOM: Final = 2  # frames of a camera that wait here
_STILLS: Final = 4


class Queue:
    """The waiting frames of one camera. The camera's thread puts, the sender's takes; both share a condition.

    `latest`: a frame that finds no room drops the oldest one, which is counted. `every`: it waits for room, and frames
    leave only as the service takes them.
    """

    def __init__(self, key: int, policy: Policy, changed: threading.Condition) -> None:
        """Makes the queue of the camera that `key` names."""
        self.key = key
        self._policy = policy
        self._changed = changed
        self._frames: deque[IncomingFrame] = deque()
        self._stills: deque[tuple[float, bytes]] = deque(maxlen=_STILLS)
        self._dropped: dict[Dropped, int] = {}
        self._credit = WINDOW
        self._closed = False

    def put(self, frame: IncomingFrame) -> bool:
        """Add a frame; False once the queue is closed."""
        with self._changed:
            while len(self._frames) >= _ROOM and not self._closed:
                if self._policy == "latest":
                    self._frames.popleft()
                    self._dropped[Dropped.OVERLOAD] = self._dropped.get(Dropped.OVERLOAD, 0) + 1
                else:
                    self._changed.wait()
            if self._closed:
                return False
            self._frames.append(frame)
            self._changed.notify_all()
            return True

    def show(self, captured: float, still: bytes) -> None:
        """Add a JPEG for people; it never waits, and takes the place of an older one where there is no room."""
        with self._changed:
            self._stills.append((captured, still))
            self._changed.notify_all()

    def drop(self, cause: Dropped) -> None:
        """Count a frame that is not put."""
        with self._changed:
            self._dropped[cause] = self._dropped.get(cause, 0) + 1

    @property
    def ready(self) -> bool:
        """Whether a frame may leave. With the condition held."""
        return bool(self._stills) or (bool(self._frames) and (self._policy == "latest" or self._credit > 0))

    def drain(self) -> bool:
        """Wait until every frame has left; False if the queue is closed before."""
        with self._changed:
            while self._frames and not self._closed:
                self._changed.wait()
            return not self._closed

    def take(self) -> Message:
        """The oldest picture for people, or else frame, with what was dropped before it.

        With the condition held, when `ready`.
        """
        if self._stills:
            return still_message(self.key, *self._stills.popleft())
        frame, dropped = self._frames.popleft(), self._dropped
        self._dropped = {}
        self._credit -= 1
        self._changed.notify_all()
        return frame_message(self.key, frame, dropped)

    def more(self, taken: int) -> None:
        """The service has taken frames."""
        with self._changed:
            self._credit = min(self._credit + taken, WINDOW)
            self._changed.notify_all()

    def change(self, policy: Policy) -> None:
        """Another policy from now on."""
        with self._changed:
            self._policy = policy
            self._credit = WINDOW
            self._changed.notify_all()

    def close(self) -> None:
        """Take nothing more; a thread that waits in `put` goes on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Outbox:
    """What a child has to say: messages first, then frames of all cameras in turn.

    Attributes:
        changed: the condition that everything in it shares.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._messages: deque[Message] = deque()
        self._queues: deque[Queue] = deque()

    def open(self, key: int, policy: Policy) -> Queue:
        """A queue for a camera."""
        queue = Queue(key, policy, self.changed)
        with self.changed:
            self._queues.append(queue)
        return queue

    def forget(self, queue: Queue) -> None:
        """Close a camera's queue; its frames are dropped."""
        queue.close()
        with self.changed:
            if queue in self._queues:
                self._queues.remove(queue)

    def say(self, message: Message) -> None:
        """Add a message. The child says few, so they are not bounded."""
        with self.changed:
            self._messages.append(message)
            self.changed.notify_all()

    def next(self, seconds: float) -> Message | None:
        """What is to be sent next; None if nothing is for so many seconds."""
        with self.changed:
            found = self._pick()
            if found is None:
                self.changed.wait(seconds)
                found = self._pick()
            return found

    def _pick(self) -> Message | None:
        if self._messages:
            return self._messages.popleft()
        for _ in range(len(self._queues)):
            queue = self._queues[0]
            self._queues.rotate(-1)
            if queue.ready:
                return queue.take()
        return None
