"""A source is read until it ends, tried again when it fails, and given up when that is of no use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from service.readers.camera import Camera, open_source
from service.readers.failures import ErrorClass, ReadError
from service.readers.files import FileSource
from service.readers.mjpeg import MjpegSource
from service.readers.outbox import WINDOW, Outbox
from service.readers.pictures import Bad, Picture, Source
from service.readers.protocol import Condition, Order, ReadOptions, dropped_of, frame_of
from service.readers.rtsp import RtspSource
from service.readers.webcam import WebcamSource
from service.records import Dropped, Health, IncomingFrame
from tests.model.drawn import write_video
from tests.service.readers.servers import LOCAL, until

Happening = Picture | Bad | Exception | float | threading.Event
OFF = ReadError(ErrorClass.CONNECTION, "off")
WRONG = ReadError(ErrorClass.AUTH, "wrong")
DAMAGED = ReadError(ErrorClass.CODEC, "damaged")
GONE = ReadError(ErrorClass.NOT_FOUND, "gone")
ORDER = Order(1, "url", "http://cam/", policy="every")
QUICK = ReadOptions(
    stalled_after=600.0, identical_after=600.0, networks=LOCAL, first_wait=0.02, longest_wait=0.05
)  # tried again at once; silent only where a test says that time has gone by


def pictures(*numbers: int) -> list[Picture]:
    return [Picture(None, b"%d" % number) for number in numbers]


@dataclass
class FakeSource:
    """Gives pictures, waits (numbers, in seconds, or for an event), and fails, as it is told; then ends."""

    happenings: Iterable[Happening]
    live: bool = True
    ended: threading.Event = field(default_factory=threading.Event)

    def pictures(self) -> Generator[Picture | Bad, None, None]:
        for one in self.happenings:
            if isinstance(one, Exception):
                raise one
            if isinstance(one, float):
                self.ended.wait(one)
            elif isinstance(one, threading.Event):
                one.wait(60)
            else:
                yield one

    def interrupt(self) -> None:
        self.ended.set()


class Reading:
    """A camera whose source is a fake: a new one for each try, and what it says."""

    def __init__(self, *tries: Iterable[Happening], order: Order = ORDER, options: ReadOptions = QUICK) -> None:
        self._tries = [FakeSource(one, live=order.kind != "file") for one in tries]
        self.firsts: list[int] = []
        self.outbox = Outbox()
        self.frames: list[IncomingFrame] = []
        self.conditions: list[Condition] = []
        self.dropped: dict[Dropped, int] = {}
        self.camera = Camera(order, options, self.outbox, open_it=self._open)
        self.camera.start()

    def _open(self, order: Order, options: ReadOptions, first: int) -> Source:
        self.firsts.append(first)
        return self._tries[min(len(self.firsts), len(self._tries)) - 1]

    def listen(self, later: float = 0.0) -> None:
        """Take in what it has to say, and what it will after so many seconds in which nothing happens."""
        self.camera.tick(time.monotonic() + later)
        while (message := self.outbox.next(0.01)) is not None:
            if message.kind == "condition":
                self.conditions.append(Condition.of(message))
                continue
            self.frames.append(frame_of(message))
            for cause, count in dropped_of(message).items():
                self.dropped[cause] = self.dropped.get(cause, 0) + count
            self.camera.more(1)

    def until(self, true: Callable[[], object]) -> bool:
        def listened() -> object:
            self.listen()
            return true()

        found = until(listened)
        self.listen()  # what it said after it was last listened to
        return found

    @property
    def healths(self) -> list[Health]:
        return [condition.health for condition in self.conditions]

    @property
    def numbers(self) -> list[int]:
        return [frame.number for frame in self.frames]


LIVE, STALLED, AGAIN, FAILED, ENDED = (
    Health.LIVE,
    Health.STALLED,
    Health.RECONNECTING,
    Health.FAILED,
    Health.ENDED,
)


def test_a_source_that_fails_is_tried_again_and_counts_on() -> None:
    reading = Reading([OFF], [*pictures(0, 1), OFF], [*pictures(2), WRONG])
    assert reading.until(lambda: reading.camera.over and FAILED in reading.healths)
    assert reading.healths == [AGAIN, LIVE, AGAIN, LIVE, FAILED]
    assert reading.numbers == [0, 1, 2] and reading.firsts == [0, 0, 2]
    assert reading.conditions[0] == Condition(AGAIN, "off", ErrorClass.CONNECTION)
    assert reading.camera.tries == 3
    stamps = [frame.pts for frame in reading.frames]
    assert stamps == sorted(stamps) and stamps == pytest.approx([frame.captured for frame in reading.frames], abs=60)


@pytest.mark.parametrize("error_class", list(ErrorClass))
def test_failures_that_trying_does_not_mend_end_it(error_class: ErrorClass) -> None:
    reading = Reading([ReadError(error_class, "x")], [WRONG])
    assert reading.until(lambda: reading.camera.over)
    assert reading.camera.tries == (1 if ReadError(error_class, "").permanent else 2)


@pytest.mark.parametrize("error", [DAMAGED, GONE], ids=["damaged", "gone"])
def test_a_source_that_once_worked_is_tried_again_when_it_is_damaged_or_gone(error: ReadError) -> None:
    reading = Reading([*pictures(0), error], [error], [*pictures(1), WRONG])
    assert reading.until(lambda: reading.camera.over)
    assert reading.camera.tries == 3 and reading.numbers == [0, 1]


def test_a_camera_that_ends_its_stream_is_tried_again_a_file_is_not() -> None:
    reading = Reading(pictures(0), [WRONG])
    assert reading.until(lambda: reading.camera.over)
    assert reading.conditions[1] == Condition(AGAIN, "the camera ended the stream", ErrorClass.CONNECTION)
    reading = Reading([Picture(0.0, b"a", 5), Picture(0.1, b"b", 6)], order=replace(ORDER, kind="file"))
    assert reading.until(lambda: reading.camera.over)
    assert reading.healths == [LIVE, ENDED] and reading.numbers == [5, 6] and reading.camera.tries == 1
    assert [frame.pts for frame in reading.frames] == [0.0, 0.1]


def test_a_fault_of_ours_is_told_and_tried_again() -> None:
    reading = Reading([KeyError("secret")], [WRONG])
    assert reading.until(lambda: reading.camera.over)
    assert reading.conditions[0] == Condition(AGAIN, "reading failed inside the service (KeyError)", ErrorClass.READER)


def test_want_of_memory_is_a_matter_for_the_child() -> None:
    reading = Reading([MemoryError()])
    assert reading.until(lambda: reading.camera.out_of_memory)


def test_a_camera_that_flaps_is_tried_at_the_first_pace_for_ever() -> None:
    options = replace(QUICK, first_wait=0.05, longest_wait=30.0)
    tries: list[list[Happening]] = [[*pictures(at), OFF] for at in range(12)]
    reading = Reading(*tries, options=options)
    assert reading.until(lambda: len(reading.frames) >= 10)
    reading.camera.stop()
    assert reading.numbers == list(range(len(reading.frames)))


def test_waits_grow_while_it_does_not_work() -> None:
    options = replace(QUICK, first_wait=0.05, longest_wait=30.0)
    started = time.monotonic()
    reading = Reading([OFF], options=options)
    assert until(lambda: reading.camera.tries >= 6)
    assert time.monotonic() - started >= 0.5 * sum(0.05 * 2**tries for tries in range(5))
    reading.camera.stop()


def test_silence_is_told_and_its_end_too() -> None:
    again = threading.Event()
    reading = Reading([*pictures(0), again, *pictures(1), WRONG])
    assert reading.until(lambda: reading.frames and not reading.camera._held)
    reading.listen(later=1000.0)
    again.set()
    assert reading.until(lambda: reading.camera.over and FAILED in reading.healths)
    assert reading.healths == [LIVE, STALLED, LIVE, FAILED]
    assert reading.conditions[1].reason == "no picture for 600 seconds"


def test_a_frozen_picture_is_told() -> None:
    frozen: list[Happening] = [*pictures(0), 0.05] * 15
    reading = Reading([*frozen, *pictures(1), WRONG], options=replace(QUICK, identical_after=0.4))
    assert reading.until(lambda: reading.camera.over and FAILED in reading.healths)
    assert reading.healths == [LIVE, STALLED, LIVE, FAILED]
    assert reading.conditions[1].reason == "the same picture for 0.4 seconds: is it frozen?"
    assert len(reading.frames) == 16


def test_a_source_that_is_held_back_is_not_silent() -> None:
    reading = Reading([*pictures(*range(WINDOW + 10)), WRONG])
    left = 0
    while left < WINDOW:  # more do not leave, as nobody says that they are taken
        message = reading.outbox.next(60)
        assert message is not None
        left += message.kind == "frame"
    camera = reading.camera  # two wait in the outbox, the third for room there
    assert until(lambda: camera._number == WINDOW + 3 and camera._held)
    for hours in range(1, 4):
        camera.tick(time.monotonic() + 3600.0 * hours)
    assert reading.outbox.next(0) is None
    camera.stop()


def test_bad_pictures_are_counted_and_leave_a_hole_in_the_numbers() -> None:
    reading = Reading([*pictures(0), Bad("x"), Bad("x"), *pictures(1), WRONG])
    assert reading.until(lambda: reading.camera.over)
    assert reading.numbers == [0, 3] and reading.dropped == {Dropped.BAD: 2}


def test_a_camera_that_sends_bad_pictures_alone_is_not_called_silent() -> None:
    late = ReadError(ErrorClass.TIMEOUT, "late")
    reading = Reading([Bad("torn"), Bad("too large"), late], [*pictures(0), Bad("torn"), late], [WRONG])
    assert reading.until(lambda: reading.camera.over)
    told = [condition.reason for condition in reading.conditions if condition.health is AGAIN]
    assert told == ["none of its pictures can be used: too large", "late"]


def test_more_than_the_rate_is_dropped_and_counted() -> None:
    source: list[Happening] = [Picture(n / 20, b"%d" % n, n) for n in range(40)]
    reading = Reading(source, order=replace(ORDER, kind="file", max_rate=5.0))
    assert reading.until(lambda: reading.camera.over)
    assert len(reading.frames) == pytest.approx(10, abs=1)
    assert reading.dropped[Dropped.RATE] == pytest.approx(30 - 3, abs=4)


def test_a_file_is_played_at_its_own_speed_where_it_is_not_held_back() -> None:
    source: list[Happening] = [Picture(n / 20, b"%d" % n, n) for n in range(11)]
    started = time.monotonic()
    reading = Reading(source, order=replace(ORDER, kind="file", policy="latest"))
    assert reading.until(lambda: reading.camera.over)
    assert time.monotonic() - started >= 0.5
    overtaken = reading.dropped.get(Dropped.OVERLOAD, 0)  # where the machine is busy
    assert reading.numbers == sorted(set(reading.numbers)) and len(reading.numbers) + overtaken == 11


@pytest.mark.parametrize("where", [pictures(*range(5)), [60.0], [OFF]], ids=["held back", "waiting", "between tries"])
def test_it_can_be_stopped_wherever_it_is(where: list[Happening]) -> None:
    threads = threading.active_count()
    reading = Reading(where, options=replace(QUICK, first_wait=60.0, longest_wait=60.0))
    assert until(lambda: reading.camera.tries)
    time.sleep(0.05)
    reading.camera.stop()
    assert until(lambda: threading.active_count() <= threads)
    reading.frames.clear()
    reading.conditions.clear()
    reading.listen()
    assert reading.frames == []


def test_one_that_is_past_every_timeout_is_stuck() -> None:
    reading = Reading([60.0])
    assert until(lambda: reading.camera.tries)
    now = time.monotonic()
    assert not reading.camera.stuck(now + 10) and reading.camera.stuck(now + 100)
    reading.camera.stop()


@pytest.mark.parametrize(
    ("order", "kind"),
    [
        (Order(1, "url", "rtsp://u:p@cam/x"), RtspSource),
        (Order(1, "url", "rtsps://cam/x"), RtspSource),
        (Order(1, "url", "http://cam/x"), MjpegSource),
        (Order(1, "url", "https://cam/x"), MjpegSource),
        (Order(1, "file", "v.mp4"), FileSource),
        (Order(1, "webcam", "0"), WebcamSource),
    ],
)
def test_orders_mean_sources(order: Order, kind: type) -> None:
    assert isinstance(open_source(order, QUICK, 0), kind)


def test_a_url_that_is_not_read_from_is_refused_for_good(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", 1)
    with pytest.raises(ReadError) as error:
        open_source(Order(1, "url", f"file://{path}"), QUICK, 0)
    assert error.value.error_class is ErrorClass.REFUSED
