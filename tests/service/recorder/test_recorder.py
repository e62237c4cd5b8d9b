"""Events get their clips and pictures, whatever happens meanwhile, and old ones make room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from service.recorder.records import EventFiles
from tests.service.recorder.drawn import T0, picture, shows
from tests.service.recorder.kit import TIMES, feed, look, running
from tests.waiting import wait_for


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


def test_too_little_memory_is_said(tmp_path: Path) -> None:
    size = len(picture(0))
    with running(tmp_path, memory=8 * size) as kit:
        ring = kit.start()
        feed(ring, 0, 20)
        opened = kit.open(T0 + 2.0)
        kit.close(opened, T0 + 2.0)
        files = kit.wait(opened)
        assert files.state == "ready" and files.reason.endswith("are missing: the memory for pictures was full")
