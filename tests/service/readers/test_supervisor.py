"""Sources are read in children, whose loss costs a moment, and nothing is left when they are not wanted."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from model.footage import open_footage
from service.addresses import AddressError
from service.readers.failures import ErrorClass
from service.readers.supervisor import Readers, SourceError
from service.records import Dropped, Health, IncomingFrame
from tests.model.drawn import encoded, write_video
from tests.service.readers.servers import FakeCamera, RtspCamera, answering, mjpeg, nal_units, silent, until

PICTURES = [encoded(".jpg", at) for at in range(10)]
LONG = 60.0


@dataclass
class Settings:
    """What readers need to know."""

    sources: Mapping[str, str | int | Path] = field(default_factory=dict)
    camera_networks: tuple[str, ...] = ("127.0.0.0/8",)
    open_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    stalled_after_s: float = 60.0
    identical_after_s: float = 60.0
    max_frame_bytes: int = 200_000
    max_pixels: int = 1_000_000


class Seen:
    """What the readers say."""

    def __init__(self) -> None:
        self.frames: dict[str, list[IncomingFrame]] = defaultdict(list)
        self.healths: dict[str, list[tuple[Health, str, str]]] = defaultdict(list)
        self.dropped: dict[tuple[str, Dropped], int] = defaultdict(int)
        self.room: dict[str, int] = {}

    def frame(self, stream: str, frame: IncomingFrame) -> bool:
        room = self.room.get(stream)
        if room is not None and len(self.frames[stream]) >= room:
            return False
        self.frames[stream].append(frame)
        return True

    def health(self, stream: str, health: Health, reason: str, error_class: str) -> None:
        self.healths[stream].append((health, reason, error_class))

    def drop(self, stream: str, cause: Dropped, count: int) -> None:
        self.dropped[stream, cause] += count

    def states(self, stream: str) -> list[Health]:
        return [health for health, _, _ in self.healths[stream]]

    def numbers(self, stream: str) -> list[int]:
        return [frame.number for frame in self.frames[stream]]


@pytest.fixture
def seen() -> Seen:
    return Seen()


def readers_of(seen: Seen, settings: Settings | None = None, *, silence: float = 20.0, per_child: int = 16) -> Readers:
    return Readers(
        settings or Settings(),
        seen.frame,
        seen.health,
        on_dropped=seen.drop,
        silence=silence,
        sources_per_child=per_child,
        first_wait=0.1,
        longest_wait=1.0,
    )


def pid_of(readers: Readers) -> int:
    (facts,) = readers.facts()
    assert facts.pid is not None
    return facts.pid


def test_every_kind_of_source_is_read_and_nothing_is_left(tmp_path: Path, seen: Seen) -> None:
    path = write_video(tmp_path / "v.mp4", 30)
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    with (
        FakeCamera(mjpeg(PICTURES, interval=0.02, again=True)) as http,
        FakeCamera(RtspCamera(nal_units(12), interval=0.02, then=silent)) as rtsp,
        FakeCamera(answering("401 No", 'WWW-Authenticate: Basic realm="x"')) as locked,
        readers_of(seen, Settings({"file": path, "webcam": 63})) as readers,
    ):
        readers.add("http", http.url())
        readers.add("rtsp", rtsp.url(scheme="rtsp"))
        readers.add("file", "file", policy="every")
        readers.add("webcam", "webcam")
        readers.add("locked", locked.url(login="admin:hunter2@"))
        assert until(lambda: len(seen.frames["http"]) > 20 and len(seen.frames["rtsp"]) >= 8, LONG)
        assert until(lambda: Health.ENDED in seen.states("file"), LONG)
        assert until(lambda: seen.healths["locked"] and seen.healths["webcam"], LONG)
        assert len(readers.facts()) == 1
        assert until(lambda: (vitals := readers.facts()[0].vitals) and vitals.tries >= 5, LONG)
        vitals = readers.facts()[0].vitals
        assert vitals is not None and vitals.rss > 10 << 20 and vitals.threads >= 4 and vitals.descriptors >= 5
        child = pid_of(readers)
    assert all(bytes(frame.data) in PICTURES for frame in seen.frames["http"])
    luma = seen.frames["rtsp"][0].data
    assert isinstance(luma, np.ndarray) and luma.shape == (64, 96)
    with open_footage([path]) as footage:
        expected = list(footage.clips[0].frames())
    found = seen.frames["file"]
    assert [(one.number, one.pts) for one in found] == [(frame.number, frame.pts) for frame in expected]
    assert all(np.array_equal(one.data, frame.image) for one, frame in zip(found, expected, strict=True))
    assert seen.states("file") == [Health.LIVE, Health.ENDED] and seen.states("http") == [Health.LIVE]
    health, reason, error_class = seen.healths["locked"][0]
    assert (health, error_class) == (Health.FAILED, "auth") and "hunter2" not in reason
    assert seen.healths["webcam"][0][::2] == (Health.RECONNECTING, "connection")
    assert not Path(f"/proc/{child}").exists()
    assert until(lambda: threading.active_count() <= threads)
    assert until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_child_that_is_lost_is_replaced_and_its_sources_go_on(
    seen: Seen, number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    stopped = number is signal.SIGSTOP
    with (
        FakeCamera(mjpeg(PICTURES, interval=0.02, again=True)) as camera,
        readers_of(seen, silence=3.0 if stopped else 20.0) as readers,
    ):
        for stream in ("a", "b"):
            readers.add(stream, camera.url(login="admin:hunter2@"))
        assert until(lambda: seen.frames["a"] and seen.frames["b"], LONG)
        first = pid_of(readers)
        os.kill(first, number)
        assert until(lambda: Health.RECONNECTING in seen.states("a"), LONG)
        before = len(seen.frames["a"])
        assert until(lambda: len(seen.frames["a"]) > before + 3 and seen.states("b")[-1] is Health.LIVE, LONG)
        assert pid_of(readers) != first and not Path(f"/proc/{first}").exists()
    how = "does not answer" if stopped else "killed by SIGKILL"
    lost = (Health.RECONNECTING, f"the process that read it was lost: {how}", ErrorClass.READER)
    for stream in ("a", "b"):
        assert lost in seen.healths[stream]
        assert seen.numbers(stream) == sorted(set(seen.numbers(stream)))
        stamps = [frame.pts for frame in seen.frames[stream]]
        assert stamps == sorted(stamps)
    assert "was lost" in caplog.text and "hunter2" not in caplog.text


def test_a_source_that_children_are_lost_with_gets_one_of_its_own(seen: Seen) -> None:
    with FakeCamera(mjpeg(PICTURES, interval=0.02, again=True)) as camera, readers_of(seen) as readers:
        readers.add("a", camera.url())
        readers.add("b", camera.url())
        for losses in (1, 2):
            assert until(lambda: readers.facts() and readers.facts()[0].vitals, LONG)
            os.kill(pid_of(readers), signal.SIGKILL)
            assert until(lambda losses=losses: seen.states("a").count(Health.RECONNECTING) == losses, LONG)  # type: ignore[misc]
        assert until(lambda: [facts.sources for facts in readers.facts()] == [1, 1], LONG)
        for stream in ("a", "b"):
            assert until(lambda stream=stream: seen.states(stream)[-1] is Health.LIVE, LONG)  # type: ignore[misc]


def test_a_file_that_is_held_back_comes_whole_even_if_its_child_is_lost(tmp_path: Path, seen: Seen) -> None:
    path = write_video(tmp_path / "v.mp4", 60)
    seen.room["file"] = 0
    with readers_of(seen, Settings({"file": path})) as readers:
        readers.add("file", "file", policy="every")
        for room in (1, 2, 20, 40, 60):
            if room == 40:
                os.kill(pid_of(readers), signal.SIGKILL)
            seen.room["file"] = room
            readers.grant("file", room)
            assert until(lambda room=room: len(seen.frames["file"]) == room, LONG)  # type: ignore[misc]
            assert not until(lambda room=room: len(seen.frames["file"]) > room, 0.05)  # type: ignore[misc]
        assert until(lambda: Health.ENDED in seen.states("file"), LONG)
    assert seen.numbers("file") == list(range(60))
    with open_footage([path]) as footage:
        for one, frame in zip(seen.frames["file"], footage.clips[0].frames(), strict=True):
            assert one.pts == frame.pts and np.array_equal(one.data, frame.image)


def test_what_is_removed_is_silent_and_can_be_added_again(seen: Seen) -> None:
    with (
        FakeCamera(mjpeg(PICTURES, interval=0.01, again=True)) as camera,
        FakeCamera(silent) as mute,
        readers_of(seen, per_child=1) as readers,
    ):
        readers.add("a", camera.url())
        readers.add("mute", mute.url())
        assert len(readers.facts()) == 2
        with pytest.raises(SourceError, match="read already"):
            readers.add("a", camera.url())
        assert until(lambda: seen.frames["a"], LONG)
        readers.change("a", policy="latest", max_rate=2.0)
        assert until(lambda: seen.dropped["a", Dropped.RATE], LONG)
        readers.remove("a")
        readers.remove("mute")
        readers.remove("never was")
        readers.grant("never was")
        time.sleep(0.2)
        count = len(seen.frames["a"])
        assert until(lambda: readers.facts() == [], LONG)
        assert len(seen.frames["a"]) == count
        readers.add("a", camera.url())
        assert until(lambda: len(seen.frames["a"]) > count, LONG)


def test_a_listeners_fault_is_its_own(seen: Seen, caplog: pytest.LogCaptureFixture) -> None:
    def frame(stream: str, frame: IncomingFrame) -> bool:
        if stream == "bad":
            raise KeyError("listener")
        return seen.frame(stream, frame)

    with FakeCamera(mjpeg(PICTURES, interval=0.02, again=True)) as camera:
        readers = Readers(Settings(), frame, seen.health)
        with readers:
            readers.add("bad", camera.url())
            readers.add("good", camera.url())
            assert until(lambda: len(seen.frames["good"]) > 3, LONG)
            assert readers.facts()[0].pid is not None
    assert "KeyError" in caplog.text


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("http://10.0.0.5/", AddressError),
        ("http://169.254.169.254/latest", AddressError),
        ("file:///etc/passwd", AddressError),
        ("exec://rm", AddressError),
        ("/etc/passwd", SourceError),
        ("../v.mp4", SourceError),
        ("0", SourceError),
        ("/dev/video0", SourceError),
        ("", SourceError),
    ],
)
def test_clients_name_no_files_webcams_or_forbidden_addresses(seen: Seen, source: str, error: type[Exception]) -> None:
    with readers_of(seen, Settings({"gate": "v.mp4", "webcam": 0})) as readers:
        readers.check("gate")
        with pytest.raises(error):
            readers.check(source)
        with pytest.raises(error):
            readers.add("a", source)
        assert readers.facts() == []


def test_readers_that_are_not_open_take_nothing(seen: Seen) -> None:
    readers = readers_of(seen)
    with pytest.raises(RuntimeError):
        readers.add("a", "http://127.0.0.1/")
    readers.start().close()
    with pytest.raises(RuntimeError):
        readers.add("a", "http://127.0.0.1/")
