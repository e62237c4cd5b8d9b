"""Events get their clips and pictures, whatever happens meanwhile, and old ones make room."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

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
from tests.service.recorder.drawn import T0, picture, shows, stills
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


def test_a_clip_shows_the_seconds_before_and_after_its_event_and_no_more(tmp_path: Path) -> None:
    with running(tmp_path) as kit:
        ring = kit.start()
        feed(ring, 0, 30)
        opened = kit.open(T0 + 2.5)
        feed(ring, 31, 40)
        kit.close(opened, T0 + 3.5)
        feed(ring, 41, 60)
        files = kit.wait(opened)
        assert (files.state, files.reason) == ("ready", "")
        assert [files.began, files.ended] == pytest.approx([T0 + 1.5, T0 + 4.0])
        shows(kit.clip(opened), [((n - 15) / 10, n) for n in range(15, 41)])
        assert files.bytes == sum(path.stat().st_size for path in kit.clip(opened).parent.iterdir())
        wait_for(lambda: kit.told, seconds=60)  # from the thread of the store, behind the commit
        assert [one.state for one in kit.told] == ["ready"]
        assert kit.recorder.written == 1


def test_of_a_muted_event_there_are_files_and_nobody_is_told(tmp_path: Path) -> None:
    with running(tmp_path) as kit:
        ring = kit.start()
        feed(ring, 0, 30)
        muted, loud = (kit.open(T0 + 2.5, muted=muted) for muted in (True, False))
        for opened in (muted, loud):
            kit.close(opened, T0 + 2.6)
        feed(ring, 31, 60)
        assert [kit.wait(opened).state for opened in (muted, loud)] == ["ready", "ready"]
        wait_for(lambda: kit.told, seconds=60)
        assert [one.event for one in kit.told] == [loud.id]


def test_the_pictures_are_those_of_the_peak(tmp_path: Path) -> None:
    with running(tmp_path) as kit:
        ring = kit.start()
        feed(ring, 0, 30)
        opened = kit.open(T0 + 2.5, look(25))
        wait_for(lambda: (kit.files(opened) or EventFiles(0, "", "none")).snapshot, seconds=60)
        path = kit.clip(opened).with_name("snapshot.jpg")
        assert path.read_bytes() == picture(25)
        kit.recorder.peaked(opened, look(28, heat=2.0))
        kit.close(opened, T0 + 3.0)
        feed(ring, 31, 60)
        files = kit.wait(opened)
        assert (files.snapshot, files.heatmap) == (True, True)
        assert path.read_bytes() == picture(28)
        heat = cv2.imread(str(path.with_name("heatmap.png")))
        assert heat is not None and heat.shape == (32, 48, 3) and int(heat.min()) == 255


def test_a_long_event_has_the_begin_of_it_and_says_so(tmp_path: Path) -> None:
    with running(tmp_path, times=replace(TIMES, longest=2.0)) as kit:
        ring = kit.start()
        feed(ring, 0, 30)
        opened = kit.open(T0 + 2.5, look(25))
        feed(ring, 31, 60)
        files = kit.wait(opened)
        assert files.reason == "it ends after 2 s, the longest a clip may be"
        shows(kit.clip(opened), [((n - 15) / 10, n) for n in range(15, 36)])
        kit.recorder.peaked(opened, look(50))
        kit.close(opened, T0 + 6)
        path = kit.clip(opened).with_name("snapshot.jpg")
        wait_for(lambda: path.read_bytes() == picture(50), seconds=60)


def test_a_clip_ends_without_the_pictures_that_do_not_come(tmp_path: Path) -> None:
    with running(tmp_path, times=replace(TIMES, after=0.1)) as kit:
        ring = kit.start()
        feed(ring, 0, 30)
        opened = kit.open(T0 + 2.5)
        kit.close(opened, T0 + 3.0)
        assert kit.wait(opened).ended == pytest.approx(T0 + 3.0)


def test_events_of_one_stream_may_overlap(tmp_path: Path) -> None:
    with running(tmp_path) as kit:
        ring = kit.start()
        feed(ring, 0, 30)
        one = kit.open(T0 + 2.0)
        two = kit.open(T0 + 2.5)
        kit.close(one, T0 + 2.6)
        kit.close(two, T0 + 3.0)
        feed(ring, 31, 60)
        assert [kit.wait(opened).began for opened in (one, two)] == pytest.approx([T0 + 1.0, T0 + 1.5])


@pytest.mark.parametrize(
    "fault", ["the process that encodes clips killed by SIGKILL", "it could not be written (No space left on device)"]
)
def test_a_clip_that_fails_costs_nothing_else(tmp_path: Path, fault: str) -> None:
    with running(tmp_path) as kit:
        ring = kit.start()
        kit.encoder.fault = fault
        feed(ring, 0, 30)
        opened = kit.open(T0 + 2.5, look(25))
        kit.close(opened, T0 + 2.6)
        feed(ring, 31, 60)
        files = kit.wait(opened)
        assert (files.state, files.reason, files.snapshot) == ("failed", fault, True)
        assert not kit.clip(opened).exists() and not kit.clip(opened).with_name("pictures.part").exists()
        kit.encoder.fault = ""
        again = kit.open(T0 + 5.0)
        kit.close(again, T0 + 5.1)
        feed(ring, 61, 70)
        assert kit.wait(again).state == "ready"


def test_without_pictures_there_is_no_clip(tmp_path: Path) -> None:
    with running(tmp_path, times=replace(TIMES, after=0.0)) as kit:
        kit.start()
        opened = kit.open(T0 + 2.5)
        kit.close(opened, T0 + 2.6)
        assert (kit.wait(opened).state, kit.wait(opened).reason) == ("failed", "no picture of it came in")


def test_a_short_disk_costs_old_clips_first_and_then_the_new_one(tmp_path: Path) -> None:
    with running(tmp_path) as kit:
        ring = kit.start()
        feed(ring, 0, 30)
        old = kit.open(T0 + 2.5)
        kit.close(old, T0 + 2.6)
        feed(ring, 31, 60)
        assert kit.wait(old).state == "ready"
        kit.short = True
        new = kit.open(T0 + 5.5, look(55))
        assert kit.wait(new).reason == "the disk is short of space"
        assert kit.wait(old, state="none").reason == "removed: the disk was short of space"
        assert not kit.clip(old).exists()


def test_a_folder_that_cannot_be_made_is_the_clips_fault_alone(tmp_path: Path) -> None:
    with running(tmp_path) as kit:
        kit.folder.write_text("in the way")
        feed(kit.start(), 0, 30)
        opened = kit.open(T0 + 2.5, look(25))
        assert kit.wait(opened).reason == "its folder cannot be made (Not a directory)"


def test_what_is_turned_off_is_not_done(tmp_path: Path) -> None:
    with running(tmp_path, bytes=0) as kit:
        kit.recorder.start()
        assert kit.recorder.open("door") is None
        opened = kit.open(T0 + 2.5, look(25))
        kit.close(opened, T0 + 3)
        assert (kit.wait(opened).state, kit.wait(opened).reason) == ("none", "clips are turned off")
        assert not kit.folder.exists()


def kept(kit: Kit, opened: Event, *, noted: float = T0, size: int = 1000) -> None:
    """A clip that was written a while ago."""
    kit.recorder.shelf.put(opened.id, "clip.mp4", bytes(size))
    files = EventFiles(opened.id, "door", "ready", "", T0, T0, size, noted=noted)
    assert kit.store.files.put(files).result()


def test_the_oldest_clips_make_room(tmp_path: Path) -> None:
    with running(tmp_path, bytes=2500, age_s=3600) as kit:
        events = [kit.store.open_event(event()) for _ in range(5)]
        for opened, noted in zip(events, (T0 - 4000, T0, T0, T0, T0), strict=True):
            kept(kit, opened, noted=noted)
        assert kit.recorder.shelf.tidy() == 3
        states = [(kit.wait(one).state, kit.wait(one).reason, kit.clip(one).exists()) for one in events]
        assert states == [
            ("none", "removed: older than clips are kept", False),
            ("none", "removed: newer clips needed the space", False),
            ("none", "removed: newer clips needed the space", False),
            ("ready", "", True),
            ("ready", "", True),
        ]
        assert kit.recorder.shelf.tidy() == 0


def test_an_event_that_is_being_written_is_never_removed(tmp_path: Path) -> None:
    with running(tmp_path, bytes=1) as kit:
        opened = kit.store.open_event(event())
        kit.recorder.shelf.put(opened.id, "snapshot.jpg", bytes(100))
        kit.store.files.put(EventFiles(opened.id, "door", "waiting", bytes=100, snapshot=True)).result()
        assert kit.recorder.shelf.tidy() == 0
        assert kit.recorder.shelf.path(opened.id, "snapshot.jpg").exists()


def test_what_a_stop_left_is_finished_at_the_next_start(tmp_path: Path) -> None:
    with running(tmp_path) as kit:
        ring = kit.start()
        feed(ring, 0, 30)
        opened = kit.open(T0 + 2.5)
        feed(ring, 31, 40)
        wait_for(lambda: kit.clip(opened).with_name("pictures.part").exists(), seconds=60)
    with running(tmp_path) as kit:
        kit.start()
        files = kit.wait(opened)
        assert (files.state, files.reason) == ("ready", "it ends early: the service was stopped meanwhile")
        shows(kit.clip(opened), [((n - 15) / 10, n) for n in range(15, 41)])
        assert not kit.clip(opened).with_name("pictures.part").exists()


def test_what_a_crash_left_is_swept_and_the_event_says_so(tmp_path: Path) -> None:
    with running(tmp_path) as kit:
        whole, none = (kit.store.open_event(event()) for _ in range(2))
        for opened in (whole, none):
            kit.store.files.put(EventFiles(opened.id, "door", "waiting")).result()
        folder = kit.recorder.shelf.room(whole.id)
        spool.append(folder / "pictures.part", stills(5))
        with (folder / "pictures.part").open("ab") as file:
            file.write(b"half a picture")
        (folder / ".framewatch-0123.mp4").write_bytes(b"half a clip")
        kit.recorder.shelf.put(77, "clip.mp4", b"of an event that was purged")
    with running(tmp_path) as kit:
        kit.start()
        assert kit.wait(whole).state == "ready"
        assert kit.wait(none).reason == "the service was stopped before a picture of it was kept"
        wait_for(lambda: not (kit.folder / "77").exists(), seconds=60)
        assert [path.name for path in (kit.folder / str(whole.id)).iterdir()] == ["clip.mp4"]


def test_a_purged_stream_leaves_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as kit:
        ring = kit.start()
        feed(ring, 0, 30)
        done = kit.open(T0 + 1.5, look(15))
        kit.close(done, T0 + 1.6)
        kit.wait(done)
        going_on = kit.open(T0 + 2.5, look(25))
        wait_for(lambda: kit.clip(going_on).with_name("pictures.part").exists(), seconds=60)
        kit.store.delete_stream("door", purge=True)
        kit.recorder.close("door", purge=True)
        wait_for(lambda: not list(kit.folder.iterdir()), seconds=60)
        assert kit.files(done) is None and kit.files(going_on) is None


def test_a_removed_stream_keeps_its_clips(tmp_path: Path) -> None:
    with running(tmp_path) as kit:
        ring = kit.start()
        feed(ring, 0, 30)
        opened = kit.open(T0 + 2.5)
        kit.close(opened, T0 + 2.9)
        kit.recorder.close("door")
        files = kit.wait(opened)
        assert files.state == "ready" and files.ended == pytest.approx(T0 + 3.0)


def test_too_little_memory_is_said(tmp_path: Path) -> None:
    size = len(picture(0))
    with running(tmp_path, memory=8 * size) as kit:
        ring = kit.start()
        feed(ring, 0, 20)
        opened = kit.open(T0 + 2.0)
        kit.close(opened, T0 + 2.0)
        files = kit.wait(opened)
        assert files.state == "ready" and files.reason.endswith("are missing: the memory for pictures was full")


def test_a_clip_is_encoded_in_a_process_of_its_own(tmp_path: Path) -> None:
    """The real child; that it dies costs one clip."""
    spool.append(tmp_path / "a", stills(5))
    encoder = Encoder()
    try:
        assert encoder.encode(tmp_path / "a", tmp_path / "a.mp4", None).pictures == 5
        shows(tmp_path / "a.mp4", [(n / 10, n) for n in range(5)])
        pid = encoder.pid
        assert pid is not None

        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ClipError, match="the process that encodes clips killed by SIGKILL"):
            encoder.encode(tmp_path / "a", tmp_path / "b.mp4", None)
        assert encoder.encode(tmp_path / "a", tmp_path / "b.mp4", None).pictures == 5
    finally:
        encoder.stop()
        encoder.rest(kill=True)
    with pytest.raises(ClipError, match="stopping"):
        encoder.encode(tmp_path / "a", tmp_path / "c.mp4", None)
