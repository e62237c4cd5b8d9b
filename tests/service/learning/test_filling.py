"""What a recording waits for, and what it ends for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.learning.filling import Filling
from service.learning.recording import Recording, RecordingLimits
from service.learning.records import LearningError
from service.member import Member
from service.records import Health, IncomingFrame
from tests.model.drawn import picture
from tests.service.live import jpeg

SMALL = jpeg(picture())


def stream(health: Health = Health.LIVE, *, tampering: str = "", reason: str = "") -> Any:
    """What a recording needs of a stream."""
    sentry = SimpleNamespace(tampering=tampering)
    return SimpleNamespace(
        taps=set(),
        removed=False,
        health=health,
        reason=reason,
        record=SimpleNamespace(source="rtsp://camera/live"),
        stream=SimpleNamespace(sentry=sentry),
    )


class Run:
    """A recording of 10 s that runs in a thread, with a clock that runs fast."""

    def __init__(
        self, folder: Path, member: Any, *, bytes: int = 10**7, short: Callable[[], bool] = lambda: False
    ) -> None:
        self.notes: list[str] = []
        self.said = ""
        self.error = ""
        self._now = 0.0
        self._member = member
        recording = Recording(folder, RecordingLimits(bytes))
        self._filling = Filling(
            cast(Member, member),
            recording,
            10.0,
            check=lambda: None,
            note=lambda *, progress, recorded, detail: self.notes.append(detail),
            disk_is_short=short,
            monotonic=self._clock,
        )
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def feed(self, count: int, data: bytes = SMALL, *, start: float = 0.0) -> None:
        """Frames 0.1 s apart; until they have gone their way."""
        while not self._member.taps and self._thread.is_alive():
            self._thread.join(0.001)
        for n in range(count):
            for tap in tuple(self._member.taps):
                tap(IncomingFrame(n, start + n / 10, 1e9, data))
                while len(tap) and self._thread.is_alive():
                    self._thread.join(0.001)

    def noted(self, text: str) -> bool:
        """Whether it says so within a minute."""
        for _ in range(12_000):
            if any(text in note for note in self.notes):
                return True
            self._thread.join(0.005)
        return False

    def end(self, health: Health | None = None) -> str:
        """What it says at its end."""
        if health is not None:
            self._member.health = health
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.said or self.error

    def _work(self) -> None:
        try:
            self.said = self._filling.run()
        except LearningError as error:
            self.error = str(error)

    def _clock(self) -> float:
        self._now += 2.0
        return self._now


def test_it_ends_when_there_is_enough(tmp_path: Path) -> None:
    member = stream()
    run = Run(tmp_path, member)
    run.feed(130)
    assert run.end() == "recorded 0:10"
    assert not member.taps


def test_a_camera_that_is_covered_is_not_recorded(tmp_path: Path) -> None:
    member = stream(tampering="covered")
    run = Run(tmp_path, member)
    run.feed(30)
    assert run.noted("waits, the camera is covered")
    member.stream.sentry.tampering = ""
    run.feed(130, start=10)
    assert run.end() == "recorded 0:10"


def test_a_recording_that_was_cut_off_says_at_once_how_far_it_is(tmp_path: Path) -> None:
    first = Run(tmp_path, stream())
    first.feed(40)
    first.end(Health.ENDED)
    again = Run(tmp_path, stream())
    assert again.noted("recorded 0:03 of 0:10; goes on after a restart")
    again.feed(90)
    assert again.end() == "recorded 0:10"


def test_silence_and_bad_frames_are_said(tmp_path: Path) -> None:
    member = stream(Health.RECONNECTING)
    run = Run(tmp_path, member)
    assert run.noted("no frame comes, the stream is reconnecting")
    run.feed(1, b"no picture")
    assert run.noted("a frame cannot be used")
    run.feed(130)
    run.end()


def test_a_stream_that_fails_is_told_without_its_login(tmp_path: Path) -> None:
    member = stream(reason="rtsp://user:hunter2@camera/live answers 401")
    run = Run(tmp_path, member)
    run.feed(20)
    said = run.end(Health.FAILED)
    assert "has failed" in said and "too little" in said
    assert "hunter2" not in said


def test_a_stream_that_ends_late_is_learned_from_even_so(tmp_path: Path) -> None:
    run = Run(tmp_path, stream())
    run.feed(75)
    assert run.end(Health.ENDED).endswith("what was recorded is learned from")


def test_a_full_disk_ends_it(tmp_path: Path) -> None:
    assert "too little free disk space" in Run(tmp_path, stream(), short=lambda: True).end()


@pytest.mark.parametrize(("pictures", "said"), [(20, "which is too little"), (80, "allowed for a recording")])
def test_the_bytes_that_are_allowed_end_it(tmp_path: Path, pictures: int, said: str) -> None:
    run = Run(tmp_path, stream(), bytes=pictures * len(SMALL))
    run.feed(130)
    assert said in run.end()
