"""The child that reads cameras: it limits itself, does what it is told, and says how it is."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Final

import cv2

from service.confine import Limits, confine
from service.readers.camera import Camera, OpenSource, open_source
from service.readers.outbox import Outbox
from service.readers.protocol import Order, ReadOptions, Vitals
from service.wire import Message, Wire, WireError

_TICK: Final = 0.25
_BEAT: Final = 1.0
_STACK: Final = 4 << 20  # every camera has a thread, whose stack counts as address space


class Reader:
    """A child's cameras, and its two threads beside theirs: this one listens and watches, the other one sends."""

    def __init__(self, wire: Wire, options: ReadOptions, *, open_it: OpenSource = open_source) -> None:
        """Makes it, with no cameras yet."""
        self._wire = wire
        self._options = options
        self._open_it = open_it
        self._outbox = Outbox()
        self._cameras: dict[int, Camera] = {}
        self._tries = 0  # of cameras that are gone

    def run(self) -> None:
        """Read until the service hangs up, or a camera cannot be helped any more."""
        threading.Thread(target=self._send, name="framewatch-sender", daemon=True).start()
        last = time.monotonic()
        while self._wire.ready(_TICK) is False or self._obey():
            now = time.monotonic()
            if now - last >= _TICK:
                last = now
                if not self._watch(now):
                    return

    def _obey(self) -> bool:
        """Do what the next message says; False when there is no more."""
        try:
            message = self._wire.receive()
        except (OSError, WireError):
            return False
        if message is None:
            return False
        if message.kind == "add":
            order = Order.of(message)
            self._cameras[order.key] = Camera(order, self._options, self._outbox, open_it=self._open_it)
            self._cameras[order.key].start()
            return True
        camera = self._cameras.get(message.number("key"))
        if camera is None:
            return True
        if message.kind == "more":
            camera.more(message.number("taken"))
        elif message.kind == "change":
            camera.change(Order.of(message))
        elif message.kind == "remove":
            camera.stop()
            self._tries += camera.tries
            del self._cameras[camera.order.key]
        return True

    def _watch(self, now: float) -> bool:
        """See to the cameras; False if one of them means that this child has to go."""
        for key, camera in self._cameras.items():
            camera.tick(now)
            lost = "needs more memory than it may use" if camera.out_of_memory else ""
            if camera.stuck(now):
                lost = "stands still and cannot be woken"
            if lost:
                self._wire.send(Message("lost", {"key": key, "reason": lost}))
                return False
        return True

    def _send(self) -> None:
        beat = 0.0
        try:
            while True:
                now = time.monotonic()
                if now >= beat:
                    self._wire.send(self._vitals().message())
                    beat = now + _BEAT
                message = self._outbox.next(max(0.0, beat - now))
                if message is not None:
                    self._wire.send(message)
        except OSError:
            self._wire.hang_up()  # the service is gone; the other thread sees it too

    def _vitals(self) -> Vitals:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return Vitals(
            pages * resource.getpagesize(),
            len(os.listdir("/proc/self/fd")),
            threading.active_count(),
            self._tries + sum(camera.tries for camera in list(self._cameras.values())),
        )


def main(descriptor: int) -> None:
    """Read what the service at the other end of the wire says."""
    wire = Wire.adopt(descriptor)
    first = wire.receive()
    if first is None:
        return
    options = ReadOptions.of(first)
    cv2.setNumThreads(1)
    threading.stack_size(_STACK)
    confine(Limits(options.memory, descriptors=options.descriptors, network=True))
    Reader(wire, options).run()
    os._exit(0)  # without waiting for threads that may never come back


if __name__ == "__main__":
    main(int(sys.argv[1]))
