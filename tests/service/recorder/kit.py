"""A recorder for one camera, whose clips are encoded in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from service.announcer import Look
from service.recorder import mp4, spool
from service.recorder.bench import Bench
from service.recorder.encoder import Encoder
from service.recorder.mp4 import ClipError, Written
from service.recorder.recorder import Recorder
from service.recorder.recording import ClipTimes
from service.recorder.records import EventFiles
from service.recorder.ring import Ring
from service.recorder.shelf import ShelfLimits
from service.records import Event, IncomingFrame
from service.store import Store
from tests.service.recorder.drawn import T0, picture
from tests.service.stored import event
from tests.waiting import wait_for

TIMES = ClipTimes(before=1.0, after=0.5, longest=20.0)


class Here(Encoder):
    """Encodes in this process; can be made to fail, or to wait."""

    fault = ""

    def encode(self, spooled: Path, clip: Path, until: float | None) -> Written:
        if self.fault:
            raise ClipError(self.fault)
        return mp4.write_mp4((one for one in spool.read(spooled) if until is None or one.captured <= until), clip)


class Kit:
    """A recorder with a real store, for one camera."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder / "events"
        self.store = Store.open(folder)
        self.encoder = Here()
        self.short = False
        self.told: list[EventFiles] = []
        self.recorder = Recorder(
            self.folder,
            self.store.files,
            times=changes.get("times", TIMES),
            limits=ShelfLimits(changes.get("bytes", 10**9), changes.get("age_s"), lambda: self.short),
            memory=changes.get("memory", 10**8),
            event=self.store.event,
            on_files=self.told.append,
            bench=lambda on_done: Bench(on_done, self.encoder),
            clock=lambda: T0,
        )

    def start(self) -> Ring:
        self.recorder.start()
        ring = self.recorder.open("door")
        assert ring is not None
        return ring

    def open(self, started: float, look: Look | None = None, *, muted: bool = False) -> Event:
        opened = self.store.open_event(replace(event(), started=started, peaked=started, muted=muted))
        self.recorder.opened(opened, look)
        return opened

    def close(self, opened: Event, ended: float) -> None:
        closed = replace(opened, ended=ended, last_seq=9)
        assert self.store.update_event(closed).result()
        self.recorder.closed(closed)

    def files(self, opened: Event) -> EventFiles | None:
        return self.store.files.of([opened.id]).get(opened.id)

    def wait(self, opened: Event, *, state: str = "") -> EventFiles:
        """What is known of the event's files once its clip is done."""

        def done() -> EventFiles | None:
            found = self.files(opened)
            fits = found is not None and (found.state == state if state else found.state != "waiting")
            return found if fits else None

        found: EventFiles = wait_for(done, seconds=60)
        return found

    def clip(self, opened: Event) -> Path:
        return self.recorder.shelf.path(opened.id, "clip.mp4")

    def stop(self) -> None:
        self.recorder.stop()
        self.store.close()


@contextmanager
def running(folder: Path, **changes: Any) -> Iterator[Kit]:
    kit = Kit(folder, **changes)
    try:
        yield kit
    finally:
        kit.stop()


def feed(ring: Ring, first: int, last: int) -> None:
    """Pictures number `first` to `last`, ten a second."""
    for number in range(first, last + 1):
        ring.add(T0 + number / 10, picture(number))


def look(number: int, *, heat: float = 1.0) -> Look:
    frame = IncomingFrame(number, number / 10, T0 + number / 10, picture(number))
    return Look(frame, np.full((2, 3), heat, np.float32), 1.0)
