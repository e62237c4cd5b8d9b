"""Messages between the service and its child processes: a head in JSON and a payload of bytes.

Never pickle: a child reads what strangers send, so what it says is data to be checked, whatever became of it.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Any, Final

_SIZES: Final = struct.Struct("<II")
MAX_HEAD: Final = 1 << 24
MAX_PAYLOAD: Final = 1 << 28


class WireError(Exception):
    """The other end sent something that is no message, or went away in the middle of one."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        kind: what it is.
        head: its facts, as JSON has them.
        payload: a picture, or nothing; the receiver's own.
    """

    kind: str
    head: dict[str, Any]
    payload: bytes | bytearray | memoryview = b""

    def text(self, name: str) -> str:
        """A fact that must be a text. Raises WireError."""
        value = self.head.get(name)
        if not isinstance(value, str):
            raise WireError(f"message {self.kind!r} without text {name!r}")
        return value

    def number(self, name: str) -> int:
        """A fact that must be a whole number. Raises WireError."""
        value = self.head.get(name)
        if not isinstance(value, int):
            raise WireError(f"message {self.kind!r} without number {name!r}")
        return value

    def entries(self, name: str) -> list[Any]:
        """A fact that must be a list. Raises WireError."""
        value = self.head.get(name)
        if not isinstance(value, list):
            raise WireError(f"message {self.kind!r} without list {name!r}")
        return value

    def real(self, name: str) -> float:
        """A fact that must be a number. Raises WireError."""
        value = self.head.get(name)
        if not isinstance(value, (int, float)):
            raise WireError(f"message {self.kind!r} without number {name!r}")
        return float(value)


class Wire:
    """One end of a socket pair. Any thread may send; one receives."""

    def __init__(self, end: socket.socket) -> None:
        """Takes over the socket."""
        self._socket = end
        self._socket.setblocking(True)
        self._sending = threading.Lock()

    @classmethod
    def adopt(cls, descriptor: int) -> Wire:
        """The end that a child inherited under this number."""
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        """For polling together with other descriptors; -1 once it is closed."""
        return self._socket.fileno()

    def send(self, message: Message) -> None:
        """Send a message; waits while the other end does not read.

        Raises:
            OSError: the other end is gone.
        """
        head = json.dumps([message.kind, message.head], separators=(",", ":")).encode()
        with self._sending:
            self._socket.sendall(_SIZES.pack(len(head), len(message.payload)) + head)
            if message.payload:
                self._socket.sendall(message.payload)

    def ready(self, seconds: float) -> bool:
        """Whether something arrives within so many seconds: a message, its begin, or the end."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1000))

    def receive(self, seconds: float | None = None) -> Message | None:
        """The next message; None when the other end is closed.

        Args:
            seconds: how long the other end may be silent, also in the middle of a message.

        Raises:
            TimeoutError: it was silent for longer; nothing more can be read after that.
            WireError: what came is no message.
        """
        self._wait(seconds)
        sizes = bytearray(_SIZES.size)
        if not self._fill(sizes, seconds, may_end=True):
            return None
        head_size, payload_size = _SIZES.unpack(sizes)
        if head_size > MAX_HEAD or payload_size > MAX_PAYLOAD:
            raise WireError("a message that is too big")
        head, payload = bytearray(head_size), bytearray(payload_size)
        self._fill(head, seconds)
        self._fill(payload, seconds)
        try:
            kind, facts = json.loads(head)
        except (ValueError, TypeError, RecursionError) as error:
            raise WireError("a message whose head is no JSON") from error
        if not isinstance(kind, str) or not isinstance(facts, dict):
            raise WireError("a message without kind or facts")
        return Message(kind, facts, payload)

    def _fill(self, data: bytearray, seconds: float | None, *, may_end: bool = False) -> bool:
        """Read until `data` is full; False if the connection ends before its first byte, where that `may_end`."""
        view, done = memoryview(data), 0
        while done < len(data):
            if done or not may_end:
                self._wait(seconds)
            try:
                got = self._socket.recv_into(view[done:])
            except ConnectionError:
                got = 0
            if got == 0:
                if may_end and done == 0:
                    return False
                raise WireError("the other end went away in the middle of a message")
            done += got
        return True

    def _wait(self, seconds: float | None) -> None:
        # Not the socket's own timeout: that would count for sending too.
        if seconds is not None and not self.ready(seconds):
            raise TimeoutError("the other end is silent")

    def hang_up(self) -> None:
        """End the connection, also for threads that wait in `send` or `receive`."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is ended already

    def close(self) -> None:
        """End the connection and give the descriptor back."""
        self.hang_up()
        self._socket.close()
