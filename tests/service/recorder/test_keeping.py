"""Files of events are kept until there are too many; what a stop, a crash or a removed stream left is tidied up."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.recorder import spool
from service.recorder.records import EventFiles
from service.records import Event
from tests.service.recorder.drawn import T0, shows, stills
from tests.service.recorder.kit import Kit, feed, look, running
from tests.service.stored import event
from tests.waiting import wait_for


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
