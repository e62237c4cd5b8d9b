"""The health of a source follows what happens to it, from every state."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from service.readers.failures import ErrorClass, ReadError
from service.readers.protocol import Condition
from service.readers.pulse import Pulse
from service.records import Health

OFF = ReadError(ErrorClass.CONNECTION, "off")
WRONG = ReadError(ErrorClass.AUTH, "wrong")

TO: dict[Health, Callable[[Pulse], object]] = {
    Health.CONNECTING: lambda pulse: None,
    Health.LIVE: lambda pulse: pulse.picture(b"a", 0),
    Health.STALLED: lambda pulse: (pulse.picture(b"a", 0), pulse.tick(5)),
    Health.RECONNECTING: lambda pulse: pulse.failed(OFF, 1.0),
}
EVENTS: dict[str, Callable[[Pulse], bool]] = {
    "picture": lambda pulse: pulse.picture(b"new", 6),
    "silence": lambda pulse: pulse.tick(11),
    "failure": lambda pulse: pulse.failed(OFF, 1.0),
    "for good": lambda pulse: pulse.failed(WRONG, None),
    "end": lambda pulse: pulse.ended(),
}
EXPECTED = {
    Health.CONNECTING: ["live", "connecting", "reconnecting", "failed", "ended"],
    Health.LIVE: ["live", "stalled", "reconnecting", "failed", "ended"],
    Health.STALLED: ["live", "stalled", "reconnecting", "failed", "ended"],
    Health.RECONNECTING: ["live", "reconnecting", "reconnecting", "failed", "ended"],
}


@pytest.mark.parametrize("start", list(EXPECTED))
@pytest.mark.parametrize("event", list(EVENTS))
def test_every_event_in_every_state(start: Health, event: str) -> None:
    pulse = Pulse(5.0, 60.0)
    TO[start](pulse)
    assert pulse.condition.health is start
    news = EVENTS[event](pulse)
    assert pulse.condition.health == EXPECTED[start][list(EVENTS).index(event)]
    assert news == (pulse.condition.health is not start)


def test_silence_is_counted_from_the_last_picture_of_this_connection() -> None:
    pulse = Pulse(5.0, 60.0)
    pulse.picture(b"a", 0)
    assert not pulse.tick(4.9) and pulse.tick(5) and not pulse.tick(6)
    assert pulse.condition.reason == "no picture for 5 seconds"
    pulse.failed(OFF, 1.0)
    assert not pulse.tick(100)


def test_a_source_that_is_held_back_is_not_silent() -> None:
    pulse = Pulse(5.0, 60.0)
    pulse.picture(b"a", 0)
    pulse.held(4)
    assert not pulse.tick(8)


@pytest.mark.parametrize("copy", [lambda: b"a" * 100, lambda: np.full((4, 5), 7, np.uint8)], ids=["JPEG", "decoded"])
def test_the_same_picture_for_long_is_stalled_until_it_changes(copy: Callable[[], bytes]) -> None:
    pulse = Pulse(5.0, 10.0)
    for at in range(10):
        pulse.picture(copy(), at)
    assert pulse.condition == Condition(Health.LIVE)
    assert pulse.picture(copy(), 10)
    assert pulse.condition == Condition(Health.STALLED, "the same picture for 10 seconds: is it frozen?")
    assert not pulse.picture(copy(), 11)
    assert pulse.picture(b"other", 12)
    assert pulse.condition == Condition(Health.LIVE)


def test_still_pictures_of_a_file_are_what_they_are() -> None:
    pulse = Pulse(5.0, 10.0, watch_identical=False)
    for at in range(20):
        pulse.picture(b"a", at)
    assert pulse.condition.health is Health.LIVE


def test_a_frozen_camera_that_is_silent_in_between_stays_stalled() -> None:
    pulse = Pulse(5.0, 60.0)
    pulse.picture(b"a", 0)
    pulse.tick(6)
    assert not pulse.picture(b"a", 7)
    assert pulse.condition.health is Health.STALLED


def test_the_first_picture_after_a_reconnect_may_be_the_last_one_before() -> None:
    pulse = Pulse(5.0, 60.0)
    pulse.picture(b"a", 0)
    pulse.failed(OFF, 1.0)
    assert pulse.picture(b"a", 1)
    assert pulse.condition.health is Health.LIVE


def test_failures_say_why() -> None:
    pulse = Pulse(5.0, 60.0)
    pulse.failed(OFF, 1.0)
    assert (pulse.condition.reason, pulse.condition.error_class) == ("off", ErrorClass.CONNECTION)
    assert pulse.failed(WRONG, 2.0) and not pulse.failed(WRONG, 4.0)
    assert not pulse.worked
